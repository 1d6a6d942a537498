//! Makes the requests to the kernel about an open namespace, `ioctl_nsfs(2)`, and about the
//! namespaces of a process by its pidfd. `handle.rs` turns failures into errors.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::c_ulong;
use nix::sys::stat::fstat;
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::kind;

pub(crate) const NS_GET_USERNS: c_ulong = 0xB701;
pub(crate) const NS_GET_PARENT: c_ulong = 0xB702;
const NS_GET_NSTYPE: c_ulong = 0xB703;
const NS_GET_OWNER_UID: c_ulong = 0xB704;
/// The 64-bit id of a mount namespace. Linux 6.11; other kinds are refused.
const NS_GET_MNTNS_ID: c_ulong = 0x8008_B705;
/// The 64-bit id of a namespace of any kind. Linux 6.18.
const NS_GET_ID: c_ulong = 0x8008_B70D;
/// The network namespace of a socket, `SIOCGSKNS`.
const SIOCGSKNS: c_ulong = 0x894C;
/// `PIDFD_GET_*_NAMESPACE` in the order of `kind::NAMES`. Linux 6.11.
const NAMESPACE_OF_PIDFD: [c_ulong; 8] = [0xFF09, 0xFF05, 0xFF03, 0xFF04, 0xFF02, 0xFF0A, 0xFF07, 0xFF01];
/// `PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE`, which also works before the namespace has an init
/// process. Linux 6.11.
pub(crate) const PID_FOR_CHILDREN: c_ulong = 0xFF06;
/// `PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE`. Linux 6.11.
pub(crate) const TIME_FOR_CHILDREN: c_ulong = 0xFF08;

/// Opens the namespace of a kind in which a process is.
pub(crate) fn of_pidfd(pidfd: BorrowedFd, kind: usize) -> Option<OwnedFd> {
    new_descriptor(pidfd, NAMESPACE_OF_PIDFD[kind])
}

/// The kind, as an index of `kind::NAMES`, and the inode, if `fd` is a namespace.
pub(crate) fn identify(fd: BorrowedFd) -> Option<(usize, u64)> {
    // SAFETY: the request takes no argument.
    let bit = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) };
    let kind = kind::NAMES.iter().position(|(kind, _)| kind.bits() == u64::try_from(bit).unwrap_or(0))?;
    Some((kind, inode(fd)?))
}

/// Opens the network namespace in which a socket was made. Needs CAP_NET_ADMIN in it.
pub(crate) fn of_socket(socket: BorrowedFd) -> Option<OwnedFd> {
    new_descriptor(socket, SIOCGSKNS)
}

pub(crate) fn new_descriptor(fd: BorrowedFd, request: c_ulong) -> Option<OwnedFd> {
    // SAFETY: the request takes no argument. It returns a new close-on-exec file descriptor, which
    // this function owns.
    unsafe {
        match libc::ioctl(fd.as_raw_fd(), request, 0) {
            ..0 => None,
            new => Some(OwnedFd::from_raw_fd(new)),
        }
    }
}

pub(crate) fn inode(fd: BorrowedFd) -> Option<u64> {
    fstat(fd).ok().map(|about| about.st_ino)
}

/// Whether `fd` is on the nsfs file system, whose only files are namespaces.
pub(crate) fn is_namespace(fd: BorrowedFd) -> bool {
    fstatfs(fd).is_ok_and(|about| about.filesystem_type() == NSFS_MAGIC)
}

/// The 64-bit id of a namespace, which the kernel never reuses; 0 if it does not provide one.
pub(crate) fn id(fd: BorrowedFd) -> u64 {
    let mut id = 0u64;
    for request in [NS_GET_ID, NS_GET_MNTNS_ID] {
        // SAFETY: `id` is valid for writing.
        if unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut id) } == 0 {
            return id;
        }
    }
    0
}

pub(crate) fn owner_uid(fd: BorrowedFd) -> Option<u32> {
    let mut uid = 0u32;
    // SAFETY: `uid` is valid for writing.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) };
    (done == 0).then_some(uid)
}
