//! Lists every namespace of the machine: what holds it, which user namespace owns it, and its
//! parent.
//!
//! Before `listns(2)`, Linux 6.19, the kernel has no list of namespaces that a program can read. So
//! the scan finds them through what holds them: processes, threads, file descriptors, sockets,
//! mounts and other namespaces.

mod descriptors;
mod gaps;
mod holder;
mod leaders;
mod listing;
mod listns;
mod mounts;
mod namespace;
mod nsid;
mod processes;
mod procfs;
mod relations;
mod table;

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;

pub use gaps::Gaps;
pub use holder::{Held, Holder};
pub use listing::Listing;
pub use namespace::Namespace;

use crate::{Error, Kinds, Result, nsfs};
use procfs::Procfs;
use table::Table;

/// No record, or no leader.
const NONE: u32 = u32::MAX;

bitflags::bitflags! {
    /// Where a listing searches for namespaces, besides those that each process is in. Each flag
    /// makes the listing slower. Default: all.
    ///
    /// ```
    /// use nsiso::{Query, Scope};
    ///
    /// // The namespaces of processes and those that are bind-mounted, without further details.
    /// let listing = Query::new().scope(Scope::MOUNTS).list()?;
    /// assert!(listing.iter().all(|namespace| namespace.owner().is_none()));
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Scope: u32 {
        /// Asks the kernel about each namespace (id, parent, owner, network namespace id) and reads
        /// its process with the lowest pid (command, user, parent).
        ///
        /// This finds parents and owners that have no process. On Linux 6.19 and later, `listns(2)`
        /// also finds namespaces whose holders the caller cannot see, unless the query is limited
        /// by [`Query::own`].
        const DETAILS = 1;
        /// Searches for the namespaces of future children of processes: `pid_for_children` and
        /// `time_for_children` in `/proc/PID/ns`.
        const CHILDREN = 2;
        /// Searches for threads whose namespaces differ from those of their process.
        const THREADS = 4;
        /// Searches for bind mounts of namespaces in every mount namespace that has a process.
        const MOUNTS = 8;
        /// Searches for open file descriptors of namespaces in all processes.
        const DESCRIPTORS = 16;
        /// Searches for sockets that were created in another network namespace than the one that
        /// their process is in.
        ///
        /// Takes Linux 5.6 for `pidfd_getfd(2)`, permission to `ptrace(2)` the process, and
        /// CAP_NET_ADMIN in the network namespace of the socket. Other sockets are counted in
        /// [`Gaps::sockets`].
        const SOCKETS = 32;
    }
}

/// Options for a listing of the machine's namespaces.
///
/// ```
/// use nsiso::{Kinds, Query};
///
/// let listing = Query::new().kinds(Kinds::NET).list()?;
/// for namespace in listing.iter() {
///     let count = namespace.processes().len();
///     println!("{} {:?} {count} processes", namespace.inode(), namespace.command());
/// }
/// let own = std::process::id() as i32;
/// assert!(listing.iter().any(|namespace| namespace.processes().contains(&own)));
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
    /// Creates a query for all kinds of namespaces, with every [`Scope`] and the processes of all
    /// users.
    pub fn new() -> Self {
        Query::default()
    }

    /// Limits the listing to these kinds. Default: all. Fewer kinds make the listing faster.
    pub fn kinds(mut self, kinds: Kinds) -> Self {
        self.kinds = kinds;
        self
    }

    /// Sets where to search for namespaces, besides those that each process is in. Default:
    /// everywhere.
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Limits the search to processes of the caller's effective user. A process that is not
    /// dumpable counts as one of root. Default: processes of all users.
    pub fn own(mut self) -> Self {
        self.own = true;
        self
    }

    /// Takes a snapshot of the machine's namespaces.
    ///
    /// The snapshot is not atomic: namespaces that are created or end during the scan may be
    /// missing or included. What the caller is not permitted to read is counted in
    /// [`Listing::gaps`] and is no error.
    ///
    /// Fails with EINVAL if the query has no kind, and with ENOENT or the errno of `open(2)` if no
    /// proc file system is mounted at `/proc`.
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

/// The state of a listing while it is created.
struct Scan {
    query: Query,
    proc: Procfs,
    table: Table,
    /// The pid of each process that could be read, and the record of its namespace of each kind.
    processes: Vec<(i32, [u32; 8])>,
    leaders: leaders::Leaders,
    relations: relations::Relations,
    gaps: Gaps,
    /// The mount namespaces whose mounts are to be read, each with a process in it.
    mount_namespaces: HashMap<u64, i32>,
    /// The inodes of the sockets that have been examined.
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
            relations: relations::Relations::default(),
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

    /// Asks the kernel about the namespace that `fd` refers to, if the query has [`Scope::DETAILS`]
    /// and the kernel has not been asked before.
    fn describe(&mut self, index: u32, fd: BorrowedFd) {
        if self.asks_about(index) {
            self.relations.describe(&mut self.table, index, fd);
        }
    }

    /// Asks the kernel about the namespace that a link below `/proc` leads to. Returns false if the
    /// link leads to another namespace by now.
    fn describe_link(&mut self, index: u32, link: &CStr) -> bool {
        match self.proc.open_at(link, OFlag::O_RDONLY) {
            Ok(fd) if nsfs::inode(fd.as_fd()) == Some(self.table[index].inode) => {
                self.describe(index, fd.as_fd());
                true
            }
            _ => false,
        }
    }

    /// Asks the kernel about the namespace that `place`, an O_PATH file descriptor, refers to. The
    /// file at that path may have been replaced. It is opened for reading only if it is still the
    /// namespace, because opening a device or a pipe may block or have side effects.
    fn describe_place(&mut self, index: u32, place: &OwnedFd) {
        if nsfs::inode(place.as_fd()) == Some(self.table[index].inode) && nsfs::is_namespace(place.as_fd()) {
            let link = format!("self/fd/{}", place.as_raw_fd());
            self.describe_link(index, &CString::new(link).unwrap_or_default());
        }
    }
}
