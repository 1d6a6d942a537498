//! The loopback device of a new network namespace: down until somebody brings it up, `netdevice(7)`.

use super::syscall::{Outcome, check};

/// The part of `struct ifreq` that SIOCSIFFLAGS reads, in its full size.
#[repr(C)]
struct InterfaceFlags {
    name: [u8; libc::IFNAMSIZ],
    flags: i16,
    rest: [u8; 22],
}

pub(super) fn bring_up() -> Outcome<()> {
    let mut name = [0; libc::IFNAMSIZ];
    [name[0], name[1]] = *b"lo";
    let request = InterfaceFlags { name, flags: libc::IFF_UP as i16, rest: [0; 22] };
    let kind = (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as usize;
    // SAFETY: `request` is a whole ifreq and lives until the call returns.
    unsafe {
        // Any family does; this one exists where IPv4 is not compiled in.
        let socket = check(libc::SYS_socket, [libc::AF_UNIX as usize, kind, 0, 0, 0])?;
        let set =
            check(libc::SYS_ioctl, [socket, libc::SIOCSIFFLAGS as usize, &raw const request as usize, 0, 0]);
        check(libc::SYS_close, [socket, 0, 0, 0, 0])?;
        set.map(drop)
    }
}
