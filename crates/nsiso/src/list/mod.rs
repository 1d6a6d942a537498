//! Every namespace of the machine: who holds each and how, who owns it, how they nest.
//!
//! Before `listns(2)` of Linux 6.19 the kernel has no list that a program may read, so this is found
//! through what holds namespaces: processes, threads, descriptors, sockets, mounts, other namespaces.

mod descriptors;
mod leaders;
mod listing;
mod listns;
mod mounts;
mod nsid;
mod processes;
mod procfs;
mod relations;
mod table;

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;

pub use listing::{Gaps, Held, Holder, Listing, Namespace};

use crate::{Error, Kinds, Result, nsfs};
use procfs::Procfs;
use table::Table;

/// No record, no process.
const NONE: u32 = u32::MAX;

bitflags::bitflags! {
    /// Where to look for namespaces, besides at what each process is in. Each costs something.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Scope: u32 {
        /// What the kernel tells of each namespace (id, parent, owner, network id) and of its process with
        /// the lowest pid (command, user, parent). Finds parents and owners that have no process, and where the
        /// kernel has `listns(2)` (Linux 6.19) also what is held out of the caller's sight.
        const DETAILS = 1;
        /// What processes have ready for their children: `pid_for_children`, `time_for_children`.
        const CHILDREN = 2;
        /// Threads that have left the namespaces of their process.
        const THREADS = 4;
        /// Bind mounts, in every mount namespace that has a process.
        const MOUNTS = 8;
        /// Open descriptors.
        const DESCRIPTORS = 16;
        /// Sockets made in another network namespace than their process is in.
        const SOCKETS = 32;
    }
}

/// What to list.
///
/// ```
/// use nsiso::{Kinds, Query};
///
/// let listing = Query::new().kinds(Kinds::NET).list()?;
/// for namespace in listing.iter() {
///     println!("{} {:?} {} processes", namespace.inode(), namespace.command(), namespace.processes().len());
/// }
/// assert!(listing.iter().any(|namespace| namespace.processes().contains(&(std::process::id() as i32))));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Query {
    kinds: Kinds,
    scope: Scope,
    own: bool,
}

impl Default for Query {
    fn default() -> Self {
        Query { kinds: Kinds::all(), scope: Scope::all(), own: false }
    }
}

impl Query {
    /// All kinds, looked for everywhere.
    pub fn new() -> Self {
        Query::default()
    }

    /// These kinds alone. The cost falls with them.
    pub fn kinds(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Where to look besides at what each process is in.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Only through the processes of the caller's own user.
    pub fn own(mut self) -> Self {
        self.own = true;
        self
    }

    /// Takes a snapshot. It is not a moment's picture: what comes and goes meanwhile may be in it or not.
    ///
    /// Fails without a kind and where there is no proc file system at `/proc`. What could not be read is counted in
    /// [`Listing::gaps`].
    pub fn list(&self) -> Result<Listing> {
        if self.kinds.is_empty() {
            return Err(Error::argument("no kind of namespace is asked for"));
        }
        let mut scan = Scan::new(*self)?;
        scan.processes()?;
        let members = scan.members();
        scan.details(&members);
        if self.scope.contains(Scope::MOUNTS) {
            scan.mounts();
        }
        if self.scope.contains(Scope::DETAILS) && !self.own {
            scan.listed_by_the_kernel();
        }
        Ok(Listing::new(scan, members))
    }
}

/// A listing in the making.
struct Scan {
    query: Query,
    proc: Procfs,
    table: Table,
    /// Each process that could be read, by pid, and the record of each kind that it is in.
    processes: Vec<(i32, [u32; 8])>,
    leaders: leaders::Leaders,
    family: relations::Family,
    gaps: Gaps,
    /// The mount namespaces, each with a process in it, where mounts are looked at.
    mount_namespaces: HashMap<u64, i32>,
    /// The sockets that have been looked at.
    sockets: HashSet<u64>,
}

impl Scan {
    fn new(query: Query) -> Result<Self> {
        let proc = Procfs::open()?;
        Ok(Scan {
            query,
            table: Table::default(),
            processes: Vec::new(),
            leaders: leaders::Leaders::default(),
            family: relations::Family::default(),
            gaps: Gaps::of_this_proc(&proc),
            mount_namespaces: HashMap::new(),
            sockets: HashSet::new(),
            proc,
        })
    }

    fn looks_at(&self, what: Scope) -> bool {
        self.query.scope.contains(what)
    }

    fn asks_about(&self, index: u32) -> bool {
        self.looks_at(Scope::DETAILS) && !self.table[index].described
    }

    /// Asks the kernel about a namespace at hand, if that is wanted.
    fn describe(&mut self, index: u32, fd: BorrowedFd) {
        if self.asks_about(index) {
            self.family.describe(&mut self.table, index, fd);
        }
    }

    /// Asks about the namespace that a link below `/proc` leads to. False if it is another one by now.
    fn describe_link(&mut self, index: u32, link: &CStr) -> bool {
        match self.proc.open_at(link, OFlag::O_RDONLY) {
            Ok(fd) if nsfs::inode(fd.as_fd()) == Some(self.table[index].inode) => {
                self.describe(index, fd.as_fd());
                true
            }
            _ => false,
        }
    }

    /// The same for a place that may be anything by now: it is opened for reading only if it is the
    /// namespace, since to open a device or a pipe can do harm or block.
    fn describe_place(&mut self, index: u32, place: &OwnedFd) {
        if nsfs::inode(place.as_fd()) == Some(self.table[index].inode) && nsfs::is_namespace(place.as_fd()) {
            let link = format!("self/fd/{}", place.as_raw_fd());
            self.describe_link(index, &CString::new(link).unwrap_or_default());
        }
    }
}
