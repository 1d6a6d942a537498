//! A filter of system calls that asks the host, `seccomp_unotify(2)`.

use libc::c_int;

use super::syscall::{Outcome, check};

/// `struct cmsghdr` and one descriptor, as `SCM_RIGHTS` wants them.
#[repr(C)]
struct Rights {
    len: usize,
    level: c_int,
    kind: c_int,
    fd: c_int,
    padding: c_int,
}

/// # Safety
/// `program` is valid.
pub(super) unsafe fn install(program: *const libc::sock_fprog, socket: c_int) -> Outcome<()> {
    let (mode, flags) =
        (libc::SECCOMP_SET_MODE_FILTER as usize, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as usize);
    // SAFETY: the caller's promise; the structs are what sendmsg(2) wants and live until it returns.
    unsafe {
        let listener = check(libc::SYS_seccomp, [mode, flags, program as usize, 0, 0])?;
        let mut byte = 0u8;
        let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let mut rights = Rights {
            len: std::mem::offset_of!(Rights, padding),
            level: libc::SOL_SOCKET,
            kind: libc::SCM_RIGHTS,
            fd: listener as c_int,
            padding: 0,
        };
        let message = KernelMessage {
            name: 0,
            name_len: 0,
            data: &raw mut data as usize,
            data_count: 1,
            control: &raw mut rights as usize,
            control_len: size_of::<Rights>(),
            flags: 0,
        };
        check(libc::SYS_sendmsg, [socket as usize, &raw const message as usize, 0, 0, 0])?;
        check(libc::SYS_close, [listener, 0, 0, 0, 0])?;
    }
    Ok(())
}

/// The kernel's `struct user_msghdr`; some C libraries have other widths.
#[repr(C)]
struct KernelMessage {
    name: usize,
    name_len: c_int,
    data: usize,
    data_count: usize,
    control: usize,
    control_len: usize,
    flags: u32,
}
