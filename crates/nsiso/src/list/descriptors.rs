//! Finds namespaces held by open file descriptors, and network namespaces held by sockets, in one
//! process at a time. `processes.rs` calls this for each process.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::fcntl::OFlag;

use super::procfs::{Path, Target};
use super::{Holder, NONE, Scan, Scope};
use crate::kind::{NAMES, NET};
use crate::nsfs;

impl Scan {
    /// Scans the open file descriptors of process `pid`. `row` holds the records of the namespaces
    /// that the process is in.
    pub(super) fn descriptors(&mut self, path: &mut Path, pid: i32, row: &[u32; 8]) {
        let mut numbers = Vec::new();
        if self.proc.numbers(path.with(c"/fd"), |fd| numbers.push(fd)).is_err() {
            self.gaps.closed += 1;
            return;
        }
        let mut process = None;
        for fd in numbers {
            match self.proc.target(path.with_number(c"/fd/", fd)) {
                Ok(Target::Namespace(kind, inode)) if self.wants(Scope::DESCRIPTORS, kind) => {
                    let index = self.table.find_or_add(kind, inode);
                    self.table.hold(index, Holder::Descriptor { pid, fd });
                    if self.asks_about(index)
                        && let Ok(place) = self.proc.open_at(path.with_number(c"/fd/", fd), OFlag::O_PATH)
                    {
                        self.describe_place(index, &place);
                    }
                }
                Ok(Target::Socket(inode))
                    if self.wants(Scope::SOCKETS, NET) && self.sockets.insert(inode) =>
                {
                    self.socket(process.get_or_insert_with(|| open_process(pid)).as_ref(), pid, fd, row[NET]);
                }
                _ => {}
            }
        }
    }

    fn wants(&self, what: Scope, kind: usize) -> bool {
        self.looks_at(what) && self.query.kinds.contains(NAMES[kind].0)
    }

    /// Records the network namespace of a socket if it is not `home`, the one that the process is
    /// in. A socket stays in the network namespace in which it was created.
    fn socket(&mut self, process: Option<&OwnedFd>, pid: i32, fd: i32, home: u32) {
        let socket = process.and_then(|process| copy_of(process, fd));
        let Some(namespace) = socket.and_then(|socket| nsfs::of_socket(socket.as_fd())) else {
            self.gaps.sockets += 1;
            return;
        };
        let Some(inode) = nsfs::inode(namespace.as_fd()) else { return };
        if home != NONE && self.table[home].inode == inode {
            return;
        }
        let index = self.table.find_or_add(NET, inode);
        self.table.hold(index, Holder::Socket { pid, fd });
        self.describe(index, namespace.as_fd());
    }
}

fn open_process(pid: i32) -> Option<OwnedFd> {
    // SAFETY: only integers are passed; the returned file descriptor is new, owned by us and
    // close-on-exec.
    unsafe {
        match libc::syscall(libc::SYS_pidfd_open, pid, 0) {
            ..0 => None,
            fd => Some(OwnedFd::from_raw_fd(fd as i32)),
        }
    }
}

/// Duplicates a file descriptor of another process into this one, `pidfd_getfd(2)`.
fn copy_of(process: &OwnedFd, fd: i32) -> Option<OwnedFd> {
    // SAFETY: a file descriptor of ours and integers are passed; the returned one is new, owned by
    // us and close-on-exec.
    unsafe {
        match libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) {
            ..0 => None,
            fd => Some(OwnedFd::from_raw_fd(fd as i32)),
        }
    }
}
