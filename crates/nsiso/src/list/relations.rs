//! Asks the kernel about a namespace through a file descriptor of it, `ioctl_nsfs(2)`: id, parent
//! and owner. This also finds parents and owners that have no process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use libc::c_ulong;

use super::table::Table;
use super::{Held, NONE, nsid};
use crate::kind;
use crate::nsfs::{NS_GET_PARENT, NS_GET_USERNS, id, inode, new_descriptor, owner_uid};

/// The state that is kept between queries to the kernel.
#[derive(Default)]
pub(super) struct Relations {
    nsids: nsid::Socket,
    /// For each kind, the parent or owner that was met last. While one is open, the kernel opens it
    /// again in half the time, and the next namespace often has it too.
    met: [Option<OwnedFd>; 8],
}

impl Relations {
    /// Asks the kernel about the namespace `index`, which `fd` refers to, and about its parent and
    /// owner.
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

    /// Returns the record of the parent or owner, after asking the kernel about it too. The kernel
    /// returns none for the initial namespace and for one outside the caller's own.
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
