//! The caller's `/proc`, opened before the helper joins a mount namespace that may have another.

use core::sync::atomic::{AtomicI32, Ordering};

use super::kernel::{self, c_char, c_int};
use super::syscall::{Outcome, check};

/// Descriptor of the caller's `/proc` plus 1, whatever joined namespaces have mounted there; or the
/// negative errno that says why it is not open.
static PROC: AtomicI32 = AtomicI32::new(0);

/// Opens the caller's `/proc`. Without a `/proc`, only the actions that need it fail.
pub(super) fn open() {
    let flags = (kernel::O_PATH | kernel::O_DIRECTORY | kernel::O_CLOEXEC) as usize;
    let here = kernel::AT_FDCWD as usize;
    // SAFETY: a constant string.
    let opened = unsafe { check(kernel::SYS_openat, [here, c"/proc".as_ptr() as usize, flags]) };
    PROC.store(opened.map_or_else(|errno| -errno, |fd| fd as c_int + 1), Ordering::Relaxed);
}

/// Opens a file in the caller's `/proc`.
///
/// # Safety
/// `path` is a NUL-terminated string.
pub(super) unsafe fn open_in(path: *const c_char, flags: c_int) -> Outcome<usize> {
    let flags = (flags | kernel::O_CLOEXEC) as usize;
    match PROC.load(Ordering::Relaxed) {
        errno @ ..0 => Err(-errno),
        0 => Err(kernel::ENOENT),
        // SAFETY: guaranteed by the caller.
        after => unsafe { check(kernel::SYS_openat, [after as usize - 1, path as usize, flags]) },
    }
}
