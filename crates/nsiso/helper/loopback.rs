//! Brings up the loopback device of a new network namespace, which starts down, `netdevice(7)`.

use super::kernel;
use super::syscall::{Outcome, check};

/// The part of `struct ifreq` that SIOCSIFFLAGS reads, padded to the full size.
#[repr(C)]
struct InterfaceFlags {
    name: [u8; kernel::IFNAMSIZ],
    flags: i16,
    rest: [u8; 22],
}

pub(super) fn bring_up() -> Outcome<()> {
    let mut name = [0; kernel::IFNAMSIZ];
    [name[0], name[1]] = *b"lo";
    let request = InterfaceFlags { name, flags: kernel::IFF_UP as i16, rest: [0; 22] };
    let kind = (kernel::SOCK_DGRAM | kernel::SOCK_CLOEXEC) as usize;
    // SAFETY: `request` is a whole ifreq and lives until the call returns.
    unsafe {
        // Any address family works; this one also exists in kernels without IPv4.
        let socket = check(kernel::SYS_socket, [kernel::AF_UNIX as usize, kind, 0])?;
        let request = &raw const request as usize;
        let set = check(kernel::SYS_ioctl, [socket, kernel::SIOCSIFFLAGS as usize, request]);
        check(kernel::SYS_close, [socket])?;
        set.map(drop)
    }
}
