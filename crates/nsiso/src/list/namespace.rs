//! One namespace of a listing.

use std::ffi::{CStr, CString};

use nix::unistd::{Uid, User};

use super::leaders::Leader;
use super::table::Record;
use super::{Held, Holder, Listing, NONE};
use crate::Kinds;
use crate::kind::{self, NAMES};

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
    pub(super) listing: &'l Listing,
    pub(super) index: usize,
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
    /// The kernel has ids for mount namespaces since Linux 6.11 and for all kinds since 6.18. They
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
