//! The finished snapshot. It is never modified, so any number of threads may read it at the same
//! time.

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
    /// The ways in which a namespace is held, as a set of flags.
    ///
    /// ```
    /// use nsiso::{Held, Query};
    ///
    /// let listing = Query::new().list()?;
    /// let pinned = listing.iter().filter(|namespace| namespace.held() == Held::MOUNTS);
    /// println!("{} namespaces are kept by bind mounts alone", pinned.count());
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Held: u32 {
        /// Processes are in the namespace.
        const PROCESSES = 1;
        /// Threads are in the namespace whose thread group leader is not.
        const THREADS = 2;
        /// A file descriptor of the namespace is open in some process.
        const DESCRIPTORS = 4;
        /// A socket belongs to the network namespace, and the process that has the socket open is
        /// in another one. `socket(7)`.
        const SOCKETS = 8;
        /// The namespace is bind-mounted, as by `ip netns add`.
        const MOUNTS = 16;
        /// The future children of a thread will be in the pid namespace, `pid_namespaces(7)`. It
        /// may have no init process yet.
        const PID_FOR_CHILDREN = 32;
        /// The future children of a thread, or the program that it executes, will be in the time
        /// namespace, `time_namespaces(7)`.
        const TIME_FOR_CHILDREN = 64;
        /// The namespace is the parent or the owner of another namespace in the listing.
        const DESCENDANTS = 128;
    }
}

/// Something other than a process in the namespace that keeps the namespace alive.
///
/// ```
/// use std::os::fd::AsFd;
/// use nsiso::{Holder, Kinds, Query, Spec};
///
/// let held = Spec::new("none")?.map_root().hold(Kinds::NET)?;
/// let listing = Query::new().kinds(Kinds::NET).list()?;
/// let namespace = listing.find_fd(held[0].as_fd())?.unwrap();
/// let mut holders = namespace.holders();
/// assert!(holders.any(|holder| matches!(holder, Holder::Descriptor { .. })));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "how", rename_all = "snake_case"))]
pub enum Holder {
    /// A thread whose namespace differs from that of its thread group leader.
    Thread {
        /// The pid of the thread's process.
        pid: i32,
        /// The thread id.
        tid: i32,
    },
    /// An open file descriptor of the namespace.
    Descriptor {
        /// The pid of the process that has it open.
        pid: i32,
        /// The number of the file descriptor in that process.
        fd: i32,
    },
    /// A socket that was created in the network namespace.
    Socket {
        /// The pid of the process that has it open. If several processes do, one of them.
        pid: i32,
        /// The number of the file descriptor in that process.
        fd: i32,
    },
    /// A bind mount of the namespace.
    Mount {
        /// The pid of a process that is in the mount namespace.
        pid: i32,
        /// The inode of the mount namespace that contains the mount.
        mount_namespace: u64,
        /// The mount point, relative to the root directory of that process.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::lossy"))]
        path: CString,
    },
    /// A thread whose future children will be in the pid namespace.
    PidForChildren {
        /// The pid of the thread's process.
        pid: i32,
        /// The thread id.
        tid: i32,
    },
    /// A thread whose future children will be in the time namespace.
    TimeForChildren {
        /// The pid of the thread's process.
        pid: i32,
        /// The thread id.
        tid: i32,
    },
}

impl Holder {
    /// Returns the flag of [`Held`] for this kind of holder.
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

/// Counts and flags of what a listing could not see, returned by [`Listing::gaps`].
///
/// ```
/// use nsiso::{Kinds, Query};
///
/// let gaps = Query::new().kinds(Kinds::PID).list()?.gaps();
/// if !gaps.is_complete() {
///     eprintln!("{} processes could not be read: run this as root", gaps.unreadable);
/// }
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Number of processes whose namespaces, or some of them, the caller is not permitted to read.
    /// Most belong to other users. `ptrace(2)` describes the check, `PTRACE_MODE_READ_FSCREDS`.
    pub unreadable: u32,
    /// Number of processes that ended during the scan. They are not missing from the listing.
    pub vanished: u32,
    /// Number of processes whose file descriptors, of threads whose namespaces, and of mount
    /// namespaces whose mounts the caller is not permitted to read.
    pub closed: u32,
    /// Number of sockets whose network namespace could not be determined. It takes permission to
    /// `ptrace(2)` the process and CAP_NET_ADMIN in the network namespace of the socket.
    pub sockets: u32,
    /// Number of namespaces about which the kernel could not be asked, so that id, parent and owner
    /// are unknown. Counted only with [`Scope::DETAILS`](crate::Scope::DETAILS).
    pub undescribed: u32,
    /// Whether `/proc` belongs to another pid namespace than the caller's. Then the pids in the
    /// listing are not valid for the caller.
    pub foreign_proc: bool,
    /// Whether the caller is in another pid namespace than the machine's initial one. Then
    /// processes outside the caller's pid namespace are not visible.
    pub inner_pid_namespace: bool,
    /// Whether `/proc` is mounted with the option `hidepid`, `proc(5)`. Then processes of other
    /// users may not be visible.
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

    /// Returns whether everything that the query asked for could be read. Processes that ended
    /// during the scan do not count as missing.
    pub fn is_complete(&self) -> bool {
        *self == Gaps { vanished: self.vanished, ..Gaps::default() }
    }
}

/// `PROC_PID_INIT_INO` of the kernel.
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Whether a line of mountinfo is a mount of proc at `/proc` with `hidepid`, which hides the
/// processes of other users, `proc(5)`.
fn hides_processes(line: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(line) else { return false };
    let Some((mount, file_system)) = line.split_once(" - proc ") else { return false };
    let mut options = file_system.split([' ', ',']).filter_map(|option| option.strip_prefix("hidepid="));
    mount.split(' ').nth(4) == Some("/proc")
        && options.next_back().is_some_and(|level| level != "0" && level != "off")
}

/// A snapshot of the machine's namespaces, ordered by inode. [`Query::list`](crate::Query::list)
/// creates it.
///
/// ```
/// use nsiso::{Kinds, Query};
///
/// let listing = Query::new().kinds(Kinds::UTS | Kinds::NET).list()?;
/// let net = listing.find_path("/proc/self/ns/net")?.unwrap();
/// assert_eq!(listing.find_inode(net.inode()).unwrap().index(), net.index());
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Debug)]
pub struct Listing {
    /// First the namespaces of the requested kinds by inode, then parents and owners of other
    /// kinds.
    records: Vec<Record>,
    len: usize,
    members: Vec<i32>,
    /// The index of a record and a holder of that namespace, ordered by index.
    holders: Vec<(u32, Holder)>,
    leaders: Vec<Leader>,
    /// The user name of each leader, looked up at the first request.
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
            // All namespaces have inodes in one file system, nsfs.
            device: scan.proc.stat(c"self/ns/user").map_or(0, |about| about.st_dev),
        }
    }

    /// Returns the number of namespaces in the listing.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the listing contains no namespace, for example because no process could be
    /// read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the namespace at `index`, counted from 0, or `None` if there are not as many.
    pub fn get(&self, index: usize) -> Option<Namespace<'_>> {
        (index < self.len).then_some(Namespace { listing: self, index })
    }

    /// Iterates over all namespaces in the order of their inodes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Namespace<'_>> {
        (0..self.len).map(|index| Namespace { listing: self, index })
    }

    /// Returns what the listing could not see.
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// Returns the namespace with this inode number, or `None` if the listing does not contain it.
    pub fn find_inode(&self, inode: u64) -> Option<Namespace<'_>> {
        let found = self.records[..self.len].binary_search_by_key(&inode, |record| record.inode);
        found.ok().and_then(|index| self.get(index))
    }

    /// Returns the namespace that a file descriptor refers to, or `None` if the listing does not
    /// contain it.
    ///
    /// Fails with EINVAL if the file descriptor does not refer to a namespace.
    pub fn find_fd(&self, fd: BorrowedFd) -> Result<Option<Namespace<'_>>> {
        match nsfs::identify(fd) {
            Some((_, inode)) => Ok(self.find_inode(inode)),
            None => Err(Error::new(Step::List, libc::EINVAL, "a descriptor that is no namespace")
                .with_hint("open /proc/PID/ns/KIND or a bind mount of one")),
        }
    }

    /// Returns the namespace at a path, such as `/proc/PID/ns/net` or `/run/netns/NAME`, or `None`
    /// if the listing does not contain it.
    ///
    /// Fails with EINVAL if the file is not a namespace, and with the errno of `open(2)` if the
    /// path cannot be opened. Other files are not opened for reading.
    pub fn find_path(&self, path: impl AsRef<std::path::Path>) -> Result<Option<Namespace<'_>>> {
        let path = path.as_ref();
        // O_PATH does not open the file itself: opening a device or a pipe may block or have side
        // effects.
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

    /// Returns the namespace of one kind that process `pid` was in when the snapshot was taken, or
    /// `None` if it is unknown.
    pub fn find_process(&self, pid: i32, kind: Kinds) -> Option<Namespace<'_>> {
        self.iter()
            .find(|namespace| namespace.kind() == kind && namespace.processes().binary_search(&pid).is_ok())
    }
}

/// One namespace in a [`Listing`].
///
/// ```
/// use nsiso::{Held, Kinds, Query};
///
/// let listing = Query::new().own().list()?;
/// let ipc = listing.find_process(std::process::id() as i32, Kinds::IPC).unwrap();
/// assert_eq!(ipc.kind_name(), "ipc");
/// assert!(ipc.held().contains(Held::PROCESSES));
/// # Ok::<(), nsiso::Error>(())
/// ```
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

    /// Returns its index in the listing, or `None` for a parent or owner of a kind that the query
    /// did not request.
    pub fn index(&self) -> Option<usize> {
        (self.index < self.listing.len).then_some(self.index)
    }

    /// Returns its kind, a set with one member.
    pub fn kind(&self) -> Kinds {
        NAMES[usize::from(self.record().kind)].0
    }

    /// Returns the name of its kind under `/proc/PID/ns`.
    pub fn kind_name(&self) -> &'static str {
        NAMES[usize::from(self.record().kind)].1
    }

    /// Returns the inode number, as shown by the link under `/proc/PID/ns`. The kernel may reuse it
    /// after the namespace has ended.
    pub fn inode(&self) -> u64 {
        self.record().inode
    }

    /// Returns the device number of the file system that contains the inode, as `st_dev` in
    /// `stat(2)`.
    pub fn device(&self) -> u64 {
        self.listing.device
    }

    /// Returns the 64-bit id, which the kernel never reuses, or `None` if unknown.
    ///
    /// The kernel has ids for mount namespaces since Linux 6.8 and for all kinds since 6.18. They
    /// are read with [`Scope::DETAILS`](crate::Scope::DETAILS).
    pub fn id(&self) -> Option<u64> {
        Some(self.record().id).filter(|id| *id != 0)
    }

    /// Returns the ways in which the namespace is held, as far as the [`Scope`](crate::Scope) of
    /// the query covers them.
    pub fn held(&self) -> Held {
        self.record().held
    }

    /// Iterates over what holds the namespace without being a process in it, as far as the
    /// [`Scope`](crate::Scope) of the query covers it.
    pub fn holders(&self) -> impl ExactSizeIterator<Item = &'l Holder> + use<'l> {
        let all = &self.listing.holders;
        let start = all.partition_point(|(index, _)| (*index as usize) < self.index);
        let end = all.partition_point(|(index, _)| *index as usize <= self.index);
        all[start..end].iter().map(|(_, holder)| holder)
    }

    /// Returns the pids of the processes in it, in ascending order.
    pub fn processes(&self) -> &'l [i32] {
        let record = self.record();
        &self.listing.members[record.members as usize..][..record.processes as usize]
    }

    /// Returns the pid of its leader, the process with the lowest pid in it, or `None` if no
    /// process is in it. Processes that ended during the scan may have been passed over.
    pub fn pid(&self) -> Option<i32> {
        self.leader().map(|leader| leader.pid).or(self.processes().first().copied())
    }

    /// Returns the parent pid of the process [`pid`](Self::pid). `None` without a process or
    /// without [`Scope::DETAILS`](crate::Scope::DETAILS).
    pub fn ppid(&self) -> Option<i32> {
        self.leader().map(|leader| leader.ppid)
    }

    /// Returns the command line of the process [`pid`](Self::pid), its arguments joined by spaces.
    /// For a process without arguments, such as a kernel thread, it is the name of the process.
    /// `None` without a process or without [`Scope::DETAILS`](crate::Scope::DETAILS).
    pub fn command(&self) -> Option<&'l CStr> {
        self.leader().map(|leader| leader.command.as_c_str())
    }

    /// Returns the uid of the process [`pid`](Self::pid): the owner of its directory in `/proc`,
    /// which is root for a process that is not dumpable. `None` without a process or without
    /// [`Scope::DETAILS`](crate::Scope::DETAILS).
    pub fn uid(&self) -> Option<u32> {
        self.leader().map(|leader| leader.uid)
    }

    /// Returns the user name for [`uid`](Self::uid), or `None` if there is none. The first call
    /// looks it up with `getpwuid(3)`.
    pub fn user(&self) -> Option<&'l CStr> {
        let leader = self.leader()?;
        let known = self.listing.users.get(self.record().leader as usize)?;
        let look_up = || User::from_uid(Uid::from_raw(leader.uid)).ok().flatten();
        known.get_or_init(|| CString::new(look_up()?.name).ok()).as_deref()
    }

    /// Returns the parent namespace, which user and pid namespaces have. `None` for other kinds,
    /// for the initial namespace, for a parent that is outside the caller's own namespace, and
    /// without [`Scope::DETAILS`](crate::Scope::DETAILS). `ioctl_nsfs(2)`.
    pub fn parent(&self) -> Option<Namespace<'l>> {
        self.at(self.record().parent)
    }

    /// Returns the user namespace that owns it: capabilities in that user namespace apply to it.
    /// For a user namespace, this is the parent. `None` if it is outside the caller's own user
    /// namespace, and without [`Scope::DETAILS`](crate::Scope::DETAILS). `ioctl_nsfs(2)`.
    pub fn owner(&self) -> Option<Namespace<'l>> {
        self.at(self.record().owner)
    }

    /// Returns the uid that created the user namespace, as seen in the caller's user namespace. For
    /// a namespace of another kind, returns the uid that created its [`owner`](Self::owner). `None`
    /// if unknown.
    pub fn creator(&self) -> Option<u32> {
        match usize::from(self.record().kind) {
            kind::USER => self.record().creator,
            _ => self.owner()?.record().creator,
        }
    }

    /// Returns how many ancestors a user or pid namespace has. For a namespace of another kind,
    /// returns how many its [`owner`](Self::owner) has. Ancestors outside the caller's own
    /// namespace are not counted.
    pub fn depth(&self) -> usize {
        self.record().depth as usize
    }

    /// Returns the id that the caller's network namespace has assigned to this network namespace,
    /// `ip-netns(8)`. `None` if it has assigned none, and without
    /// [`Scope::DETAILS`](crate::Scope::DETAILS).
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
