//! A descriptor of the child's, sent to the host over a socket, `unix(7)`.

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

/// Sends `fd`, and closes it.
pub(super) fn send(fd: c_int, socket: c_int) -> Outcome<()> {
    let mut byte = 0u8;
    let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut rights = Rights {
        len: std::mem::offset_of!(Rights, padding),
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        fd,
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
    // SAFETY: the structs are what sendmsg(2) wants and live until it returns.
    unsafe {
        check(libc::SYS_sendmsg, [socket as usize, &raw const message as usize, 0, 0, 0])?;
        check(libc::SYS_close, [fd as usize, 0, 0, 0, 0])?;
    }
    Ok(())
}
