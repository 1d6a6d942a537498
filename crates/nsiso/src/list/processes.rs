//! Reads the namespaces of every process and thread: up to eight links of `/proc` for each. Most of
//! the time of a listing is spent here.

use std::ffi::CStr;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::procfs::Path;
use super::{Holder, NONE, Scan, Scope};
use crate::kind::{MNT, NAMES, PID, TIME};
use crate::{Error, Result, Step, nsfs};

/// The link of each kind below `/proc/PID`, in the order of [`NAMES`].
pub(super) const LINKS: [&CStr; 8] =
    [c"/ns/user", c"/ns/pid", c"/ns/mnt", c"/ns/net", c"/ns/ipc", c"/ns/uts", c"/ns/time", c"/ns/cgroup"];
pub(super) const PID_FOR_CHILDREN: &CStr = c"/ns/pid_for_children";
pub(super) const TIME_FOR_CHILDREN: &CStr = c"/ns/time_for_children";

/// The records of the namespaces that a process or thread is in, by kind.
type Row = [u32; 8];

enum Seen {
    /// At least one link could be read.
    In(Row),
    /// No link exists any more: the process or thread has ended.
    Gone,
    /// The caller is not permitted to read the links.
    Unreadable,
}

impl Scan {
    /// Scans all processes, and their threads and file descriptors if the [`Scope`] asks for them.
    pub(super) fn processes(&mut self) -> Result<()> {
        let mut pids = Vec::with_capacity(1024);
        let listed = self.proc.numbers(c".", |pid| pids.push(pid));
        listed.map_err(|errno| Error::new(Step::List, errno as i32, "/proc"))?;
        let wanted = self.wanted();
        for pid in pids {
            self.process(pid, &wanted);
        }
        Ok(())
    }

    /// Returns the kinds whose links are read: those of the query, and mount namespaces if mounts
    /// are to be read.
    fn wanted(&self) -> Vec<usize> {
        let mounts = self.looks_at(Scope::MOUNTS);
        let wanted = |kind: usize| self.query.kinds.contains(NAMES[kind].0) || (mounts && kind == MNT);
        (0..NAMES.len()).filter(|kind| wanted(*kind)).collect()
    }

    fn process(&mut self, pid: i32, wanted: &[usize]) {
        let mut path = Path::of(pid);
        if self.query.own && !self.is_own(path.with(c"")) {
            return;
        }
        let row = match self.row(&mut path, wanted) {
            Seen::In(row) => row,
            Seen::Gone => {
                self.gaps.vanished += 1;
                return;
            }
            Seen::Unreadable => {
                self.gaps.unreadable += 1;
                return;
            }
        };
        for index in row {
            if index != NONE {
                self.table[index].processes += 1;
            }
        }
        if row[MNT] != NONE && self.looks_at(Scope::MOUNTS) {
            let inode = self.table[row[MNT]].inode;
            self.mount_namespaces.entry(inode).or_insert(pid);
        }
        self.processes.push((pid, row));
        if self.looks_at(Scope::CHILDREN) {
            self.for_children(&mut path, pid, pid, &row);
        }
        if self.looks_at(Scope::THREADS) {
            self.threads(&mut path, pid, &row, wanted);
        }
        if self.query.scope.intersects(Scope::DESCRIPTORS | Scope::SOCKETS) {
            self.descriptors(&mut path, pid, &row);
        }
    }

    fn is_own(&self, path: &CStr) -> bool {
        self.proc.stat(path).is_ok_and(|about| about.st_uid == nix::unistd::geteuid().as_raw())
    }

    fn row(&mut self, path: &mut Path, wanted: &[usize]) -> Seen {
        let mut row = [NONE; 8];
        let (mut any, mut refused) = (false, false);
        for &kind in wanted {
            match self.proc.inode(path.with(LINKS[kind])) {
                Ok(inode) => {
                    row[kind] = self.known(kind, inode);
                    any = true;
                }
                // A zombie has already left most of its namespaces.
                Err(Errno::ENOENT | Errno::ESRCH) => {}
                Err(_) => {
                    refused = true;
                    break;
                }
            }
        }
        match (any, refused) {
            (true, false) => Seen::In(row),
            // The process changed its credentials during the scan. What was read before is kept.
            (true, true) => {
                self.gaps.unreadable += 1;
                Seen::In(row)
            }
            (false, true) => Seen::Unreadable,
            (false, false) => Seen::Gone,
        }
    }

    /// Returns the record of a namespace. Most processes share it with the process scanned before,
    /// which saves the look-up in the table.
    fn known(&mut self, kind: usize, inode: u64) -> u32 {
        if let Some((_, row)) = self.processes.last()
            && row[kind] != NONE
            && self.table[row[kind]].inode == inode
        {
            return row[kind];
        }
        self.table.find_or_add(kind, inode)
    }

    /// Records the threads whose namespaces differ from those of their process.
    fn threads(&mut self, path: &mut Path, pid: i32, process: &Row, wanted: &[usize]) {
        // The directory of a process with one thread has three links: two for itself and one for
        // the thread.
        if self.proc.stat(path.with(c"/task")).is_ok_and(|about| about.st_nlink <= 3) {
            return;
        }
        let mut tids = Vec::new();
        if self.proc.numbers(path.with(c"/task"), |tid| tids.push(tid)).is_err() {
            return;
        }
        for tid in tids.into_iter().filter(|tid| *tid != pid) {
            let mut path = Path::of_thread(pid, tid);
            let row = match self.row(&mut path, wanted) {
                Seen::In(row) => row,
                Seen::Gone => continue,
                Seen::Unreadable => {
                    self.gaps.closed += 1;
                    continue;
                }
            };
            for &kind in wanted {
                if row[kind] != process[kind] && row[kind] != NONE {
                    self.hold(row[kind], Holder::Thread { pid, tid }, path.with(LINKS[kind]));
                }
            }
            if self.looks_at(Scope::CHILDREN) {
                self.for_children(&mut path, pid, tid, &row);
            }
        }
    }

    /// Records the namespaces that the future children of a thread will be in.
    fn for_children(&mut self, path: &mut Path, pid: i32, tid: i32, row: &Row) {
        if row[TIME] != NONE {
            let link = path.with(TIME_FOR_CHILDREN);
            if let Ok(inode) = self.proc.inode(link)
                && inode != self.table[row[TIME]].inode
            {
                let index = self.table.find_or_add(TIME, inode);
                self.hold(index, Holder::TimeForChildren { pid, tid }, path.with(TIME_FOR_CHILDREN));
            }
        }
        if row[PID] == NONE {
            return;
        }
        match self.proc.inode(path.with(PID_FOR_CHILDREN)) {
            Ok(inode) if inode != self.table[row[PID]].inode => {
                let index = self.table.find_or_add(PID, inode);
                self.hold(index, Holder::PidForChildren { pid, tid }, path.with(PID_FOR_CHILDREN));
            }
            // Without an init process, the pid namespace has no link yet. It may still be opened
            // through a pidfd.
            Err(Errno::ENOENT) => self.without_init(pid, tid),
            _ => {}
        }
    }

    fn without_init(&mut self, pid: i32, tid: i32) {
        let Some(thread) = open_thread(pid, tid) else { return };
        let Some(fd) = nsfs::new_descriptor(thread.as_fd(), nsfs::PID_FOR_CHILDREN) else {
            return;
        };
        if let Some(inode) = nsfs::inode(fd.as_fd()) {
            let index = self.table.find_or_add(PID, inode);
            self.table.hold(index, Holder::PidForChildren { pid, tid });
            self.describe(index, fd.as_fd());
        }
    }

    /// Records a thread or process as a holder of a namespace. `link` is relative to `/proc`.
    fn hold(&mut self, index: u32, holder: Holder, link: &CStr) {
        self.table.hold(index, holder);
        if self.asks_about(index) {
            self.describe_link(index, link);
        }
    }

    /// Returns the pids in all namespaces. The pids of one namespace are consecutive, and its
    /// record says where they begin.
    pub(super) fn members(&mut self) -> Vec<i32> {
        let mut end = 0;
        for record in &mut self.table.records {
            record.members = end;
            end += record.processes;
        }
        let mut next: Vec<u32> = self.table.records.iter().map(|record| record.members).collect();
        let mut members = vec![0; end as usize];
        for (pid, row) in std::mem::take(&mut self.processes) {
            for index in row {
                if index != NONE {
                    members[next[index as usize] as usize] = pid;
                    next[index as usize] += 1;
                }
            }
        }
        members
    }
}

/// Opens a pidfd of a thread. Before Linux 6.9, which added PIDFD_THREAD, only the leader of a
/// thread group can be opened.
pub(super) fn open_thread(pid: i32, tid: i32) -> Option<OwnedFd> {
    let flags = if pid == tid { 0 } else { libc::PIDFD_THREAD };
    // SAFETY: only integers are passed; the returned file descriptor is new, owned by us and
    // close-on-exec.
    unsafe {
        match libc::syscall(libc::SYS_pidfd_open, tid, flags) {
            ..0 => None,
            fd => Some(OwnedFd::from_raw_fd(fd as i32)),
        }
    }
}
