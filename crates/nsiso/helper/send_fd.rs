//! Sends file descriptors to the caller over a socket, `unix(7)`.

use super::kernel::{self, c_int, iovec};
use super::syscall::{Outcome, check};

/// `struct cmsghdr` with one descriptor, as `SCM_RIGHTS` takes it.
#[repr(C)]
struct Rights {
    len: usize,
    level: c_int,
    kind: c_int,
    fd: c_int,
    padding: c_int,
}

/// The kernel's `struct user_msghdr`.
#[repr(C)]
struct Message {
    name: usize,
    name_len: c_int,
    data: usize,
    data_count: usize,
    control: usize,
    control_len: usize,
    flags: u32,
}

/// Sends `letter`, which says what `fd` is, with `fd` unless that is negative. Closes `fd`.
pub(super) fn send(mut letter: u8, fd: c_int, socket: c_int) -> Outcome<()> {
    let mut data = iovec { iov_base: &raw mut letter as usize, iov_len: 1 };
    let mut rights = Rights {
        len: core::mem::offset_of!(Rights, padding),
        level: kernel::SOL_SOCKET,
        kind: kernel::SCM_RIGHTS,
        fd,
        padding: 0,
    };
    let with_fd = fd >= 0;
    let message = Message {
        name: 0,
        name_len: 0,
        data: &raw mut data as usize,
        data_count: 1,
        control: if with_fd { &raw mut rights as usize } else { 0 },
        control_len: if with_fd { size_of::<Rights>() } else { 0 },
        flags: 0,
    };
    // SAFETY: the structs are what sendmsg(2) takes and live until it returns.
    unsafe {
        // A process that has taken the socket from the child must not be able to block this.
        let flags = kernel::MSG_DONTWAIT as usize;
        check(kernel::SYS_sendmsg, [socket as usize, &raw const message as usize, flags])?;
        if with_fd {
            check(kernel::SYS_close, [fd as usize])?;
        }
    }
    Ok(())
}
