//! Reads the caller's capability sets, and decides which sets the helper restores after its exec,
//! `capabilities(7)`. The helper sets them.

use super::Op;
use super::format::{Action, Capabilities};
use crate::error::Step;

/// `_LINUX_CAPABILITY_VERSION_3`: each set has 64 bits, passed in two halves of 32.
const VERSION_3: u32 = 0x2008_0522;

/// Returns the action that gives the helper the capability sets of the calling thread. The exec of
/// the helper may change them: uid 0 gains its whole bounding set. Other uids keep their
/// capabilities over the exec as ambient ones.
pub(super) fn of_caller() -> Option<Op> {
    let sets = of_thread()?;
    let action = Action::SetCapabilities(sets);
    let any = sets.permitted != 0 || nix::unistd::geteuid().is_root();
    any.then_some(Op { action, step: Step::Capabilities, index: None })
}

/// Returns the caller's sets, and the sets that keep its permitted capabilities over exec by making
/// them ambient. None if exec itself gives the capabilities, as for uid 0, or if ambient
/// capabilities are not available.
pub(crate) fn ambient_needed() -> Option<(Capabilities, Capabilities)> {
    const SECBIT_NOROOT: i32 = 1 << 0;
    const SECBIT_NO_CAP_AMBIENT_RAISE: i32 = 1 << 6;
    const CAP_SETPCAP: u64 = 1 << 8;
    // SAFETY: the call takes numbers only.
    let securebits = unsafe { libc::prctl(libc::PR_GET_SECUREBITS, 0, 0, 0, 0) }.max(0);
    let by_exec = nix::unistd::geteuid().is_root() && securebits & SECBIT_NOROOT == 0;
    if by_exec || securebits & SECBIT_NO_CAP_AMBIENT_RAISE != 0 {
        return None;
    }
    let sets = of_thread().filter(|sets| sets.permitted != 0)?;
    // Only CAP_SETPCAP can make a capability inheritable that is not in the bounding set.
    let inheritable = match sets.effective & CAP_SETPCAP {
        0 => sets.inheritable | bounding(sets.permitted),
        _ => sets.inheritable | sets.permitted,
    };
    Some((sets, Capabilities { inheritable, ambient: sets.permitted & inheritable, ..sets }))
}

/// Whether the calling thread has a capability in its effective set.
pub(super) fn caller_has(capability: u32) -> bool {
    of_thread().is_some_and(|sets| sets.effective & 1 << capability != 0)
}

fn of_thread() -> Option<Capabilities> {
    let version = [VERSION_3, 0];
    let mut halves = [[0u32; 3]; 2];
    // SAFETY: `version` and `halves` have the layout of version 3.
    let done = unsafe { libc::syscall(libc::SYS_capget, version.as_ptr(), halves.as_mut_ptr()) };
    let set = |n: usize| u64::from(halves[0][n]) | u64::from(halves[1][n]) << 32;
    let (effective, permitted, inheritable) = (set(0), set(1), set(2));
    let ambient = ambient(permitted & inheritable);
    (done == 0).then_some(Capabilities { effective, permitted, inheritable, ambient })
}

/// The capabilities of `possible` that are in the ambient set.
fn ambient(possible: u64) -> u64 {
    // SAFETY: the call takes numbers only.
    select(possible, |n| unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET, n, 0, 0) })
}

/// The capabilities of `possible` that are in the bounding set.
fn bounding(possible: u64) -> u64 {
    // SAFETY: the call takes numbers only.
    select(possible, |n| unsafe { libc::prctl(libc::PR_CAPBSET_READ, n, 0, 0, 0) })
}

/// The capabilities of `possible` for which `ask` returns 1.
fn select(possible: u64, ask: impl Fn(u32) -> i32) -> u64 {
    (0..64).filter(|n| possible & (1 << n) != 0 && ask(*n) == 1).fold(0, |set, n| set | 1 << n)
}
