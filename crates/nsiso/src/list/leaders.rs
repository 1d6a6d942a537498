//! Reads the details of each namespace's leader, the process with the lowest pid in it. A process
//! that leads several namespaces is read once.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use super::processes::{LINKS, open_thread};
use super::procfs::{Path, Procfs};
use super::{Held, NONE, Scan, Scope};
use crate::nsfs;

/// How many members of a namespace are tried, since processes may end during the scan.
const TRIES: usize = 8;

#[derive(Debug)]
pub(super) struct Leader {
    pub pid: i32,
    pub ppid: i32,
    pub uid: u32,
    /// The arguments joined by spaces, or the name of a process without arguments.
    pub command: CString,
}

#[derive(Default)]
pub(super) struct Leaders {
    pub all: Vec<Leader>,
    by_pid: HashMap<i32, u32>,
}

impl Leaders {
    fn of(&mut self, pid: i32, proc: &Procfs) -> u32 {
        if let Some(known) = self.by_pid.get(&pid) {
            return *known;
        }
        let Some(leader) = read(pid, proc) else { return NONE };
        self.all.push(leader);
        let index = self.all.len() as u32 - 1;
        self.by_pid.insert(pid, index);
        index
    }
}

impl Scan {
    /// Marks each namespace that has processes as held by them. With [`Scope::DETAILS`], also asks
    /// the kernel about the namespace and reads its leader.
    pub(super) fn details(&mut self, members: &[i32]) {
        let mut member = Member::default();
        // Parents and owners are added to the table during the loop. They have no process, so the
        // loop need not reach them.
        for index in 0..self.table.records.len() as u32 {
            let record = &self.table[index];
            if record.processes == 0 {
                continue;
            }
            let kind = usize::from(record.kind);
            let mine = &members[record.members as usize..][..record.processes as usize];
            self.table[index].held |= Held::PROCESSES;
            if self.looks_at(Scope::DETAILS) {
                let still_in = |pid: &&i32| {
                    self.describe_member(index, kind, **pid, &mut member)
                        || self.describe_link(index, Path::of(**pid).with(LINKS[kind]))
                };
                let leader = mine.iter().take(TRIES).find(still_in);
                self.table[index].leader = leader.map_or(NONE, |pid| self.leaders.of(*pid, &self.proc));
            }
        }
    }
}

/// The process used for the last query. A process often leads namespaces of several kinds, so its
/// pidfd is kept for the next query.
#[derive(Default)]
struct Member {
    pid: i32,
    pidfd: Option<OwnedFd>,
}

impl Member {
    /// Opens the namespace of one kind that the process is in, with `PIDFD_GET_NET_NAMESPACE` and
    /// the like, Linux 6.11. It takes half the time of opening the link in `/proc`.
    fn namespace(&mut self, pid: i32, kind: usize) -> Option<OwnedFd> {
        if self.pid != pid {
            *self = Member { pid, pidfd: open_thread(pid, pid) };
        }
        nsfs::of_pidfd(self.pidfd.as_ref()?.as_fd(), kind)
    }
}

impl Scan {
    fn describe_member(&mut self, index: u32, kind: usize, pid: i32, member: &mut Member) -> bool {
        match member.namespace(pid, kind) {
            Some(fd) if nsfs::inode(fd.as_fd()) == Some(self.table[index].inode) => {
                self.describe(index, fd.as_fd());
                true
            }
            _ => false,
        }
    }
}

fn read(pid: i32, proc: &Procfs) -> Option<Leader> {
    let mut path = Path::of(pid);
    let uid = proc.stat(path.with(c"")).ok()?.st_uid;
    let stat = proc.read(path.with(c"/stat")).ok()?;
    let (name, ppid) = name_and_parent(&stat)?;
    let mut command = proc.read(path.with(c"/cmdline")).unwrap_or_default();
    while command.pop_if(|byte| *byte == 0).is_some() {}
    if command.is_empty() {
        command = name.to_vec();
    }
    for byte in &mut command {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    Some(Leader { pid, ppid, uid, command: CString::new(command).ok()? })
}

/// Parses `/proc/PID/stat`, `proc_pid_stat(5)`. The name may contain any character, including `)`.
fn name_and_parent(stat: &[u8]) -> Option<(&[u8], i32)> {
    let start = stat.iter().position(|byte| *byte == b'(')? + 1;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = str::from_utf8(stat.get(end + 1..)?).ok()?;
    Some((stat.get(start..end)?, rest.split_whitespace().nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_blanks() {
        assert_eq!(name_and_parent(b"12 (a) b (c) S 7 12 12 0"), Some((&b"a) b (c"[..], 7)));
        assert_eq!(name_and_parent(b"12 (a S 7"), None);
        assert_eq!(name_and_parent(b""), None);
    }
}
