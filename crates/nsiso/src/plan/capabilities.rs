//! The caller's capabilities, which the helper is to have over its exec, `capabilities(7)`.

use super::Op;
use super::format::{Action, Capabilities};
use crate::error::Step;

/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits in two halves.
const VERSION_3: u32 = 0x2008_0522;

/// Gives the helper the sets of the calling thread. Exec gives uid 0 all of its bounding set; those
/// of another uid come over exec as ambient ones.
pub(super) fn of_caller() -> Option<Op> {
    let sets = of_thread()?;
    let action = Action::SetCapabilities(sets);
    let any = sets.permitted != 0 || nix::unistd::geteuid().is_root();
    any.then_some(Op { action, step: Step::Capabilities, index: None })
}

/// The caller's sets, and those with which its permitted capabilities, the ambient ones here, stay
/// over exec. None where exec itself leaves them, as for uid 0, or where that cannot be had.
pub(crate) fn ambient_needed() -> Option<(Capabilities, Capabilities)> {
    const SECBIT_NOROOT: i32 = 1 << 0;
    const SECBIT_NO_CAP_AMBIENT_RAISE: i32 = 1 << 6;
    const CAP_SETPCAP: u64 = 1 << 8;
    // SAFETY: numbers only.
    let securebits = unsafe { libc::prctl(libc::PR_GET_SECUREBITS, 0, 0, 0, 0) }.max(0);
    let by_exec = nix::unistd::geteuid().is_root() && securebits & SECBIT_NOROOT == 0;
    if by_exec || securebits & SECBIT_NO_CAP_AMBIENT_RAISE != 0 {
        return None;
    }
    let sets = of_thread().filter(|sets| sets.permitted != 0)?;
    // What is not in the bounding set becomes inheritable by CAP_SETPCAP alone.
    let inheritable = match sets.effective & CAP_SETPCAP {
        0 => sets.inheritable | bounding(sets.permitted),
        _ => sets.inheritable | sets.permitted,
    };
    Some((sets, Capabilities { inheritable, ambient: sets.permitted & inheritable, ..sets }))
}

/// Whether a capability is effective in the calling thread.
pub(super) fn caller_has(capability: u32) -> bool {
    of_thread().is_some_and(|sets| sets.effective & 1 << capability != 0)
}

fn of_thread() -> Option<Capabilities> {
    let version = [VERSION_3, 0];
    let mut halves = [[0u32; 3]; 2];
    // SAFETY: structs as version 3 has them.
    let done = unsafe { libc::syscall(libc::SYS_capget, version.as_ptr(), halves.as_mut_ptr()) };
    let set = |n: usize| u64::from(halves[0][n]) | u64::from(halves[1][n]) << 32;
    let (effective, permitted, inheritable) = (set(0), set(1), set(2));
    let ambient = ambient(permitted & inheritable);
    (done == 0).then_some(Capabilities { effective, permitted, inheritable, ambient })
}

/// Those of `possible` that are ambient.
fn ambient(possible: u64) -> u64 {
    // SAFETY: numbers only.
    select(possible, |n| unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET, n, 0, 0) })
}

/// Those of `possible` that are in the bounding set.
fn bounding(possible: u64) -> u64 {
    // SAFETY: numbers only.
    select(possible, |n| unsafe { libc::prctl(libc::PR_CAPBSET_READ, n, 0, 0, 0) })
}

/// Those of `possible` for which `ask` says 1.
fn select(possible: u64, ask: impl Fn(u32) -> i32) -> u64 {
    (0..64).filter(|n| possible & (1 << n) != 0 && ask(*n) == 1).fold(0, |set, n| set | 1 << n)
}
