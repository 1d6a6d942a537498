//! The finished snapshot. It is never modified, so any number of threads may read it at the same
//! time.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use super::leaders::Leader;
use super::table::Record;
use super::{Gaps, Holder, NONE, Namespace, Scan};
use crate::error::Step;
use crate::kind::NAMES;
use crate::{Error, Kinds, Result, nsfs};

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
    pub(super) records: Vec<Record>,
    pub(super) len: usize,
    pub(super) members: Vec<i32>,
    /// The index of a record and a holder of that namespace, ordered by index.
    pub(super) holders: Vec<(u32, Holder)>,
    pub(super) leaders: Vec<Leader>,
    /// The user name of each leader, looked up at the first request.
    pub(super) users: Vec<OnceLock<Option<CString>>>,
    gaps: Gaps,
    pub(super) device: u64,
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
