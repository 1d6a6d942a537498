//! The caller's capabilities, which the helper is to have over its exec, `capabilities(7)`.

use super::Op;
use super::format::{Action, Capabilities};
use crate::error::Step;

/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits in two halves.
const VERSION_3: u32 = 0x2008_0522;

/// Gives the helper the sets of the calling thread. Exec gives uid 0 all of its bounding set; those of
/// another uid come over exec as ambient ones.
pub(super) fn of_caller() -> Option<Op> {
    let sets = of_thread()?;
    let action = Action::SetCapabilities(sets);
    let any = sets.permitted != 0 || nix::unistd::geteuid().is_root();
    any.then_some(Op { action, step: Step::Capabilities, index: None })
}

/// The permitted capabilities of a caller whose uid is not 0, which exec would take.
pub(crate) fn ambient_needed() -> Option<Capabilities> {
    if nix::unistd::geteuid().is_root() {
        return None;
    }
    of_thread().filter(|sets| sets.permitted != 0)
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
    let is_set = |capability: &u32| {
        // SAFETY: numbers only.
        unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET, *capability, 0, 0) == 1 }
    };
    (0..64).filter(|n| possible & (1 << n) != 0).filter(is_set).fold(0, |set, n| set | 1 << n)
}
