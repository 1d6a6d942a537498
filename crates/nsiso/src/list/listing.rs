//! The finished snapshot: only read, from as many threads as there are.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use nix::unistd::{Uid, User};

use super::leaders::Leader;
use super::procfs::Procfs;
use super::table::Record;
use super::{NONE, Scan};
use crate::error::Step;
use crate::kind::{self, NAMES};
use crate::{Error, Kinds, Result, nsfs};

bitflags::bitflags! {
    /// The ways in which a namespace is held.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Held: u32 {
        /// Processes are in it.
        const PROCESSES = 1;
        /// Threads are in it whose process is not.
        const THREADS = 2;
        /// A descriptor of it is open.
        const DESCRIPTORS = 4;
        /// A socket was made in it, by a process that is elsewhere now.
        const SOCKETS = 8;
        /// It is bind-mounted.
        const MOUNTS = 16;
        /// Future children of a process will be in it; a pid namespace may have no init yet.
        const PID_FOR_CHILDREN = 32;
        /// Future children of a process, or what it executes, will be in it.
        const TIME_FOR_CHILDREN = 64;
        /// It is the parent or the owner of another one.
        const DESCENDANTS = 128;
    }
}

/// One that holds a namespace without being a process in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A thread that has left its process's namespaces.
    Thread {
        /// The process.
        pid: i32,
        /// The thread.
        tid: i32,
    },
    /// An open descriptor.
    Descriptor {
        /// The process.
        pid: i32,
        /// The descriptor's number there.
        fd: i32,
    },
    /// A socket.
    Socket {
        /// The process.
        pid: i32,
        /// The descriptor's number there.
        fd: i32,
    },
    /// A bind mount.
    Mount {
        /// A process that sees it.
        pid: i32,
        /// The inode of the mount namespace in which it is.
        mount_namespace: u64,
        /// Where it is mounted, as that process sees it.
        path: CString,
    },
    /// A thread whose children will be in a pid namespace.
    PidForChildren {
        /// The process.
        pid: i32,
        /// The thread.
        tid: i32,
    },
    /// A thread whose children will be in a time namespace.
    TimeForChildren {
        /// The process.
        pid: i32,
        /// The thread.
        tid: i32,
    },
}

impl Holder {
    /// The way it holds the namespace.
    pub fn how(&self) -> Held {
        match self {
            Holder::Thread { .. } => Held::THREADS,
            Holder::Descriptor { .. } => Held::DESCRIPTORS,
            Holder::Socket { .. } => Held::SOCKETS,
            Holder::Mount { .. } => Held::MOUNTS,
            Holder::PidForChildren { .. } => Held::PID_FOR_CHILDREN,
            Holder::TimeForChildren { .. } => Held::TIME_FOR_CHILDREN,
        }
    }
}

/// What a listing could not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Processes whose namespaces may not be read: mostly those of other users.
    pub unreadable: u32,
    /// Processes that were listed and had ended when they were looked at. They leave no gap.
    pub vanished: u32,
    /// Processes and mount namespaces whose threads, descriptors or mounts may not be read, though their
    /// namespaces may.
    pub closed: u32,
    /// Sockets whose network namespace may not be asked for.
    pub sockets: u32,
    /// Namespaces of which the kernel could not be asked, so that id, parent and owner are unknown.
    pub undescribed: u32,
    /// `/proc` shows another pid namespace than the caller's: the pids mean nothing here.
    pub foreign_proc: bool,
    /// The caller is not in the machine's first pid namespace: processes outside are not to be seen.
    pub inner_pid_namespace: bool,
    /// `/proc` is mounted with `hidepid`: other users' processes are not to be seen.
    pub hidden_processes: bool,
}

impl Gaps {
    pub(super) fn of_this_proc(proc: &Procfs) -> Self {
        let own_pid = proc.number(c"self");
        let options = proc.read(c"self/mountinfo").unwrap_or_default();
        Gaps {
            foreign_proc: own_pid != Some(std::process::id() as i32),
            inner_pid_namespace: proc.inode(c"self/ns/pid").is_ok_and(|inode| inode != FIRST_PID_NAMESPACE),
            hidden_processes: options.split(|byte| *byte == b'\n').any(hides_processes),
            ..Gaps::default()
        }
    }

    /// Whether all that was asked for could be seen.
    pub fn is_complete(&self) -> bool {
        *self == Gaps { vanished: self.vanished, ..Gaps::default() }
    }
}

/// The kernel's `PROC_PID_INIT_INO`.
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// A line of mountinfo that mounts proc at /proc so that other users' processes are hidden, `proc(5)`.
fn hides_processes(line: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(line) else { return false };
    let Some((mount, file_system)) = line.split_once(" - proc ") else { return false };
    let mut options = file_system.split([' ', ',']).filter_map(|option| option.strip_prefix("hidepid="));
    mount.split(' ').nth(4) == Some("/proc")
        && options.next_back().is_some_and(|level| level != "0" && level != "off")
}

/// A snapshot of the machine's namespaces, made by [`Query::list`](crate::Query::list), ordered by inode.
#[derive(Debug)]
pub struct Listing {
    /// Those asked for, by inode; behind them parents and owners of other kinds.
    records: Vec<Record>,
    len: usize,
    members: Vec<i32>,
    /// By namespace.
    holders: Vec<(u32, Holder)>,
    leaders: Vec<Leader>,
    /// The name of each leader's user, looked up when first asked for.
    users: Vec<OnceLock<Option<CString>>>,
    gaps: Gaps,
    device: u64,
}

impl Listing {
    pub(super) fn new(scan: Scan, members: Vec<i32>) -> Self {
        let kinds = scan.query.kinds;
        let mut gaps = scan.gaps;
        let listed = |record: &Record| kinds.contains(NAMES[usize::from(record.kind)].0);
        let mut order: Vec<u32> = (0..scan.table.records.len() as u32).collect();
        order.sort_unstable_by_key(|index| {
            let record = &scan.table[*index];
            (!listed(record), record.inode)
        });
        let mut place = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            place[*old as usize] = new as u32;
        }
        let moved = |old: u32| if old == NONE { NONE } else { place[old as usize] };
        let records = order.iter().map(|old| {
            let record = scan.table[*old].clone();
            Record { parent: moved(record.parent), owner: moved(record.owner), ..record }
        });
        let records: Vec<Record> = records.collect();
        let mut holders = scan.table.holders;
        for (index, _) in &mut holders {
            *index = moved(*index);
        }
        holders.sort_unstable();
        if scan.query.scope.contains(super::Scope::DETAILS) {
            gaps.undescribed += records.iter().filter(|record| !record.described).count() as u32;
        }
        Listing {
            len: records.iter().filter(|record| listed(record)).count(),
            users: scan.leaders.all.iter().map(|_| OnceLock::new()).collect(),
            leaders: scan.leaders.all,
            records,
            members,
            holders,
            gaps,
            // They all lie in one file system.
            device: scan.proc.stat(c"self/ns/user").map_or(0, |about| about.st_dev),
        }
    }

    /// How many namespaces were found.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none was found: only where no process could be read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The namespace number `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<Namespace<'_>> {
        (index < self.len).then_some(Namespace { listing: self, index })
    }

    /// All of them, by inode.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Namespace<'_>> {
        (0..self.len).map(|index| Namespace { listing: self, index })
    }

    /// What could not be seen.
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// The namespace with this inode.
    pub fn find_inode(&self, inode: u64) -> Option<Namespace<'_>> {
        let found = self.records[..self.len].binary_search_by_key(&inode, |record| record.inode);
        found.ok().and_then(|index| self.get(index))
    }

    /// The namespace that a descriptor is. Fails where it is none; `None` if it is not in the snapshot.
    pub fn find_fd(&self, fd: BorrowedFd) -> Result<Option<Namespace<'_>>> {
        match nsfs::identify(fd) {
            Some((_, inode)) => Ok(self.find_inode(inode)),
            None => Err(Error::new(Step::List, libc::EINVAL, "a descriptor that is no namespace")
                .with_hint("open /proc/PID/ns/KIND or a bind mount of one")),
        }
    }

    /// The namespace at a path: `/proc/PID/ns/net`, `/run/netns/NAME`. Fails where it is none.
    pub fn find_path(&self, path: impl AsRef<std::path::Path>) -> Result<Option<Namespace<'_>>> {
        let path = path.as_ref();
        // Only what is a namespace is opened for reading: other files may block or do harm.
        let place = nix::fcntl::open(
            path,
            nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
            nix::sys::stat::Mode::empty(),
        );
        let place = place.map_err(|errno| Error::new(Step::List, errno as i32, path.display()))?;
        match nsfs::inode(place.as_fd()) {
            Some(inode) if nsfs::is_namespace(place.as_fd()) => Ok(self.find_inode(inode)),
            _ => Err(Error::new(Step::List, libc::EINVAL, format!("{}: it is no namespace", path.display()))
                .with_hint(
                    "namespaces are at /proc/PID/ns/KIND and where one is bind-mounted, as in /run/netns",
                )),
        }
    }

    /// The namespace of one kind in which a process is, by the snapshot.
    pub fn find_process(&self, pid: i32, kind: Kinds) -> Option<Namespace<'_>> {
        self.iter()
            .find(|namespace| namespace.kind() == kind && namespace.processes().binary_search(&pid).is_ok())
    }
}

/// One namespace of a [`Listing`].
#[derive(Clone, Copy)]
pub struct Namespace<'l> {
    listing: &'l Listing,
    index: usize,
}

impl<'l> Namespace<'l> {
    fn record(&self) -> &'l Record {
        &self.listing.records[self.index]
    }

    fn leader(&self) -> Option<&'l Leader> {
        self.listing.leaders.get(self.record().leader as usize)
    }

    fn at(&self, index: u32) -> Option<Namespace<'l>> {
        (index != NONE).then_some(Namespace { listing: self.listing, index: index as usize })
    }

    /// Its place in the listing; none for a parent or owner of a kind that was not asked for.
    pub fn index(&self) -> Option<usize> {
        (self.index < self.listing.len).then_some(self.index)
    }

    /// Its kind: one of the eight.
    pub fn kind(&self) -> Kinds {
        NAMES[usize::from(self.record().kind)].0
    }

    /// The kind's name under `/proc/PID/ns`.
    pub fn kind_name(&self) -> &'static str {
        NAMES[usize::from(self.record().kind)].1
    }

    /// The number in its link under `/proc/PID/ns`. Used again once the namespace is gone.
    pub fn inode(&self) -> u64 {
        self.record().inode
    }

    /// The device of that inode.
    pub fn device(&self) -> u64 {
        self.listing.device
    }

    /// The 64-bit id, never used again, where the kernel has one (mount namespaces since Linux 6.8, all
    /// since 6.18).
    pub fn id(&self) -> Option<u64> {
        Some(self.record().id).filter(|id| *id != 0)
    }

    /// How it is held.
    pub fn held(&self) -> Held {
        self.record().held
    }

    /// Those that hold it without being processes in it, as far as the query looked for them.
    pub fn holders(&self) -> impl ExactSizeIterator<Item = &'l Holder> + use<'l> {
        let all = &self.listing.holders;
        let start = all.partition_point(|(index, _)| (*index as usize) < self.index);
        let end = all.partition_point(|(index, _)| *index as usize <= self.index);
        all[start..end].iter().map(|(_, holder)| holder)
    }

    /// The processes in it, in ascending order.
    pub fn processes(&self) -> &'l [i32] {
        let record = self.record();
        &self.listing.members[record.members as usize..][..record.processes as usize]
    }

    /// The lowest pid in it.
    pub fn pid(&self) -> Option<i32> {
        self.leader().map(|leader| leader.pid).or(self.processes().first().copied())
    }

    /// That process's parent.
    pub fn ppid(&self) -> Option<i32> {
        self.leader().map(|leader| leader.ppid)
    }

    /// That process's arguments with blanks between them; its name where it has none (kernel threads).
    pub fn command(&self) -> Option<&'l CStr> {
        self.leader().map(|leader| leader.command.as_c_str())
    }

    /// The user that process belongs to: the owner of its directory in `/proc`, which is root for one
    /// that is not dumpable.
    pub fn uid(&self) -> Option<u32> {
        self.leader().map(|leader| leader.uid)
    }

    /// That user's name. Looked up at the first call, `getpwuid(3)`.
    pub fn user(&self) -> Option<&'l CStr> {
        let leader = self.leader()?;
        let known = self.listing.users.get(self.record().leader as usize)?;
        let look_up = || User::from_uid(Uid::from_raw(leader.uid)).ok().flatten();
        known.get_or_init(|| CString::new(look_up()?.name).ok()).as_deref()
    }

    /// The namespace of the same kind around it. Only user and pid namespaces have one; none for the
    /// first, and for one whose parent lies outside the caller's own.
    pub fn parent(&self) -> Option<Namespace<'l>> {
        self.at(self.record().parent)
    }

    /// The user namespace whose capabilities count in it: for a user namespace, its parent.
    pub fn owner(&self) -> Option<Namespace<'l>> {
        self.at(self.record().owner)
    }

    /// The uid that made the user namespace, or the one that owns this namespace.
    pub fn creator(&self) -> Option<u32> {
        match usize::from(self.record().kind) {
            kind::USER => self.record().creator,
            _ => self.owner()?.record().creator,
        }
    }

    /// How many parents a user or pid namespace has; of another, how many its owner has.
    pub fn depth(&self) -> usize {
        self.record().depth as usize
    }

    /// The number under which the caller's network namespace knows this one, `ip-netns(8)`.
    pub fn nsid(&self) -> Option<i32> {
        self.record().nsid
    }
}

impl std::fmt::Debug for Namespace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:[{}]", self.kind_name(), self.inode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidepid_is_seen_at_proc_alone() {
        let line =
            |place, options| format!("22 28 0:21 / {place} rw,nosuid shared:5 - proc proc rw{options}");
        assert!(hides_processes(line("/proc", ",hidepid=2").as_bytes()));
        assert!(hides_processes(line("/proc", ",hidepid=invisible").as_bytes()));
        assert!(!hides_processes(line("/proc", "").as_bytes()));
        assert!(!hides_processes(line("/proc", ",hidepid=0").as_bytes()));
        assert!(!hides_processes(line("/mnt/proc", ",hidepid=2").as_bytes()));
    }

    #[test]
    fn processes_that_ended_leave_no_gap() {
        assert!(Gaps { vanished: 9, ..Gaps::default() }.is_complete());
        assert!(!Gaps { unreadable: 1, ..Gaps::default() }.is_complete());
        assert!(!Gaps { hidden_processes: true, ..Gaps::default() }.is_complete());
    }
}
