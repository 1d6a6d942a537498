//! What the kernel tells of a namespace through a descriptor of it, `ioctl_nsfs(2)`: its id, its parent,
//! its owner. Parents and owners without a process of their own are found this way.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::c_ulong;
use nix::sys::stat::fstat;
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use super::table::Table;
use super::{Held, NONE, nsid};
use crate::kind;

const NS_GET_USERNS: c_ulong = 0xB701;
const NS_GET_PARENT: c_ulong = 0xB702;
const NS_GET_NSTYPE: c_ulong = 0xB703;
const NS_GET_OWNER_UID: c_ulong = 0xB704;
/// Linux 6.8, and for mount namespaces alone.
const NS_GET_MNTNS_ID: c_ulong = 0x8008_B705;
/// Linux 6.18.
const NS_GET_ID: c_ulong = 0x8008_B70D;
/// The network namespace of a socket, `socket(7)`.
const SIOCGSKNS: c_ulong = 0x894C;

/// What asks.
#[derive(Default)]
pub(super) struct Family {
    nsids: nsid::Socket,
    /// The relative of each kind that was met last. The kernel opens one in half the time while it is open
    /// already, and mostly it is the same again.
    met: [Option<OwnedFd>; 8],
}

impl Family {
    /// Asks the kernel about the namespace `index`, which `fd` is, and about its parent and owner.
    pub fn describe(&mut self, table: &mut Table, index: u32, fd: BorrowedFd) {
        table[index].described = true;
        table[index].id = id(fd);
        match usize::from(table[index].kind) {
            kind::USER => {
                table[index].creator = owner_uid(fd);
                let parent = self.relative(table, kind::USER, fd, NS_GET_PARENT);
                (table[index].parent, table[index].owner) = (parent, parent);
                table[index].depth = below(table, parent);
            }
            kind => {
                table[index].owner = self.relative(table, kind::USER, fd, NS_GET_USERNS);
                table[index].depth = match table[index].owner {
                    NONE => 0,
                    owner => table[owner].depth,
                };
                if kind == kind::PID {
                    table[index].parent = self.relative(table, kind::PID, fd, NS_GET_PARENT);
                    table[index].depth = below(table, table[index].parent);
                }
                if kind == kind::NET {
                    table[index].nsid = self.nsids.of(fd);
                }
            }
        }
    }

    /// The parent or owner, described too. The kernel gives none for the topmost, nor for one that lies
    /// outside the caller's own.
    fn relative(&mut self, table: &mut Table, kind: usize, fd: BorrowedFd, what: c_ulong) -> u32 {
        let Some(fd) = new_descriptor(fd, what) else { return NONE };
        let Some(inode) = inode(fd.as_fd()) else { return NONE };
        let index = table.find_or_add(kind, inode);
        table[index].held |= Held::DESCENDANTS;
        if !table[index].described {
            self.describe(table, index, fd.as_fd());
        }
        self.met[kind] = Some(fd);
        index
    }
}

fn below(table: &Table, parent: u32) -> u32 {
    match parent {
        NONE => 0,
        parent => table[parent].depth + 1,
    }
}

/// The kind's place and the inode, if `fd` is a namespace.
pub(super) fn identify(fd: BorrowedFd) -> Option<(usize, u64)> {
    // SAFETY: the request takes no argument.
    let bit = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) };
    let kind = kind::NAMES.iter().position(|(kind, _)| kind.bits() == u64::try_from(bit).unwrap_or(0))?;
    Some((kind, inode(fd)?))
}

/// The network namespace in which a socket was made. Takes CAP_NET_ADMIN in it.
pub(super) fn of_socket(socket: BorrowedFd) -> Option<OwnedFd> {
    new_descriptor(socket, SIOCGSKNS)
}

pub(super) fn new_descriptor(fd: BorrowedFd, request: c_ulong) -> Option<OwnedFd> {
    // SAFETY: the request takes no argument; what it returns is new, ours and close-on-exec.
    unsafe {
        match libc::ioctl(fd.as_raw_fd(), request, 0) {
            ..0 => None,
            new => Some(OwnedFd::from_raw_fd(new)),
        }
    }
}

pub(super) fn inode(fd: BorrowedFd) -> Option<u64> {
    fstat(fd).ok().map(|about| about.st_ino)
}

/// Whether it lies in the file system of namespaces, where inodes are theirs.
pub(super) fn is_namespace(fd: BorrowedFd) -> bool {
    fstatfs(fd).is_ok_and(|about| about.filesystem_type() == NSFS_MAGIC)
}

/// The 64-bit id, which is never used again; 0 where the kernel has none.
pub(super) fn id(fd: BorrowedFd) -> u64 {
    let mut id = 0u64;
    for request in [NS_GET_ID, NS_GET_MNTNS_ID] {
        // SAFETY: `id` is valid for writing.
        if unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut id) } == 0 {
            return id;
        }
    }
    0
}

fn owner_uid(fd: BorrowedFd) -> Option<u32> {
    let mut uid = 0u32;
    // SAFETY: `uid` is valid for writing.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) };
    (done == 0).then_some(uid)
}
