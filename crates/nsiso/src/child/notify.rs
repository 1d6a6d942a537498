//! A filter of system calls that asks the host, `seccomp_unotify(2)`.

use libc::c_int;

use super::hand_over;
use super::syscall::{Outcome, check};

/// # Safety
/// `program` is valid.
pub(super) unsafe fn install(program: *const libc::sock_fprog, socket: c_int) -> Outcome<()> {
    let (mode, flags) =
        (libc::SECCOMP_SET_MODE_FILTER as usize, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as usize);
    // SAFETY: the caller's promise.
    let listener = unsafe { check(libc::SYS_seccomp, [mode, flags, program as usize, 0, 0])? };
    hand_over::send(listener as c_int, socket)
}
