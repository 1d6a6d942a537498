//! `ns_namespace`: one namespace of a listing, and what holds it.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use nsiso::{Error, Holder, Namespace, Result, Step};

use crate::argument::{descriptor, kinds, reference, reference_mut, store, text};
use crate::error::{boundary, ns_error, quiet_boundary};
use crate::list::ns_listing;

/// A namespace of a listing. An unknown number is -1; an unknown `id` or inode is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_namespace {
    /// The kind: one of NS_USER, NS_PID, ....
    pub kind: u64,
    /// The inode number, as in the link /proc/PID/ns/KIND. The kernel uses it again after the
    /// namespace has ended.
    pub inode: u64,
    /// The number of the device that the inode is on.
    pub device: u64,
    /// The 64-bit id, which the kernel never uses again; 0 before Linux 6.18 (mount namespaces:
    /// before 6.11).
    pub id: u64,
    /// The inode number of the parent of a user or pid namespace; 0 for other kinds.
    pub parent_inode: u64,
    /// The inode number of the user namespace that owns it; of a user namespace, that of its
    /// parent.
    pub owner_inode: u64,
    /// The index of the parent in this listing, or -1 if it is not listed.
    pub parent: i64,
    /// The index of the owner in this listing, or -1 if it is not listed.
    pub owner: i64,
    /// The uid of the user who created the user namespace, or the user namespace that owns this
    /// one.
    pub creator: i64,
    /// The uid that owns the /proc directory of the process with the lowest pid.
    pub uid: i64,
    /// What keeps the namespace alive: NS_HELD_... joined by |.
    pub held: u32,
    /// The number of processes in it.
    pub processes: u32,
    /// The number of other objects that keep it alive, within the scope of the listing: see
    /// ns_listing_holder.
    pub holders: u32,
    /// The number of ancestors of a user or pid namespace; of another one, those of its owner.
    pub depth: u32,
    /// The lowest pid in it.
    pub pid: i32,
    /// The parent of the process with the lowest pid.
    pub ppid: i32,
    /// The id of a network namespace in the caller's network namespace, ip-netns(8).
    pub nsid: i32,
    /// Not used; 0.
    pub reserved: i32,
}

/// An object that keeps a namespace alive, other than a process in it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_holder {
    /// The sort of the object: one of NS_HELD_....
    pub how: u32,
    /// The id of the process; for a mount, of a process that sees it.
    pub pid: i32,
    /// The id of the thread, for NS_HELD_THREADS, NS_HELD_PID_FOR_CHILDREN and
    /// NS_HELD_TIME_FOR_CHILDREN; else -1.
    pub tid: i32,
    /// The number of the descriptor in the process, for NS_HELD_DESCRIPTORS and
    /// NS_HELD_SOCKETS; else -1.
    pub fd: i32,
    /// The inode number of the mount namespace that the mount is in, for NS_HELD_MOUNTS; else
    /// 0.
    pub mount_namespace: u64,
}

/// Stores the namespace of this index, from 0, in `*out`.
///
/// `out` has room for `size` bytes: pass sizeof(ns_namespace).
///
/// Errors: -ERANGE if `index` is not below ns_listing_len; -EINVAL if `out` is NULL or `size`
/// is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_get(
    listing: *const ns_listing,
    index: usize,
    out: *mut ns_namespace,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header; `size` bytes.
        unsafe { store(out, size, &ns_namespace::from(get(listing, index)?)) }?;
        Ok(0)
    })
}

/// Returns the arguments of the process with the lowest pid in the namespace of this index,
/// separated by blanks.
///
/// It is the name of the process, if that has no arguments. The text exists as long as the
/// snapshot. Takes NS_LIST_DETAILS. Returns NULL if it is not known or `index` is out of range.
///
/// Man page: proc_pid_cmdline(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_command(listing: *const ns_listing, index: usize) -> *const c_char {
    // SAFETY: NULL or valid, says the header.
    words(|| unsafe { get(listing, index) }.ok().and_then(|namespace| namespace.command()))
}

/// Returns the user name of the process with the lowest pid in the namespace of this index.
///
/// It is the name of the `uid` of ns_namespace, which the first call looks up; that may block
/// on a name service. The text exists as long as the snapshot. Takes NS_LIST_DETAILS. Returns
/// NULL if the uid is not known or has no name, or `index` is out of range.
///
/// Man page: getpwuid(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_user(listing: *const ns_listing, index: usize) -> *const c_char {
    // SAFETY: NULL or valid, says the header.
    words(|| unsafe { get(listing, index) }.ok().and_then(|namespace| namespace.user()))
}

/// Stores in `*pids` the table of the processes in the namespace of this index, and returns
/// their number.
///
/// The pids are in ascending order. The table exists as long as the snapshot.
///
/// Errors: -ERANGE if `index` is not below ns_listing_len.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_processes(
    listing: *const ns_listing,
    index: usize,
    pids: *mut *const i32,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let (namespace, pids) = unsafe { (get(listing, index)?, reference_mut(pids, "pids")?) };
        *pids = namespace.processes().as_ptr();
        Ok(namespace.processes().len() as c_int)
    })
}

/// Stores in `*out` an object that keeps the namespace of this index alive, other than a
/// process in it.
///
/// `nth` is the number of the object, from 0; ns_namespace has their number as `holders`. `out`
/// has room for `size` bytes: pass sizeof(ns_holder).
///
/// Errors: -ERANGE if `index` or `nth` is out of range; -EINVAL if `out` is NULL or `size` is
/// 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_holder(
    listing: *const ns_listing,
    index: usize,
    nth: usize,
    out: *mut ns_holder,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header; `size` bytes.
        unsafe { store(out, size, &ns_holder::from(holder(listing, index, nth)?)) }?;
        Ok(0)
    })
}

/// Returns the mount point of a bind mount that keeps the namespace of this index alive.
///
/// `nth` is the number of the object, from 0, as for ns_listing_holder. The path is as the
/// object's `pid` sees it. The text exists as long as the snapshot. Returns NULL if the object
/// is no mount, or `index` or `nth` is out of range.
///
/// Man page: proc_pid_mountinfo(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_holder_path(
    listing: *const ns_listing,
    index: usize,
    nth: usize,
) -> *const c_char {
    // SAFETY: NULL or valid, says the header.
    words(|| match unsafe { holder(listing, index, nth) } {
        Ok(Holder::Mount { path, .. }) => Some(path),
        _ => None,
    })
}

/// Returns the index of the namespace that the descriptor `fd` refers to.
///
/// Errors:
/// - -EINVAL: `fd` is not a namespace.
/// - -ESRCH: the namespace is not in the snapshot.
///
/// Man page: ioctl_nsfs(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_find_fd(
    listing: *const ns_listing,
    fd: c_int,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let listing = unsafe { reference(listing, "listing") }?;
        found(listing.0.find_fd(descriptor(fd)?)?, || format!("the namespace of descriptor {fd}"))
    })
}

/// Returns the index of the namespace at `path`.
///
/// `path` is a file as /proc/PID/ns/net, or a bind mount of one as /run/netns/NAME. Another
/// file is refused without being opened for reading.
///
/// Errors:
/// - -EINVAL: the file is not a namespace.
/// - -ENOENT, -EACCES and others of open(2).
/// - -ESRCH: the namespace is not in the snapshot.
///
/// Man page: namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_find_path(
    listing: *const ns_listing,
    path: *const c_char,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let (listing, path) = unsafe { (reference(listing, "listing")?, text(path, "path")?) };
        found(listing.0.find_path(path)?, || format!("the namespace at {}", path.display()))
    })
}

/// Returns the index of the namespace of one kind that the process `pid` was in when the
/// snapshot was taken.
///
/// Errors:
/// - -EINVAL: `kind` has unknown bits.
/// - -ESRCH: the snapshot has no such namespace, or `kind` is not exactly one kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_find_process(
    listing: *const ns_listing,
    pid: i32,
    kind: u64,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let (listing, kind) = (unsafe { reference(listing, "listing") }?, kinds(kind)?);
        found(listing.0.find_process(pid, kind), || format!("the {kind} namespace of process {pid}"))
    })
}

/// Returns the index of the namespace with this inode number.
///
/// Errors: -ESRCH if the snapshot has no such namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_find_inode(
    listing: *const ns_listing,
    inode: u64,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let listing = unsafe { reference(listing, "listing") }?;
        found(listing.0.find_inode(inode), || format!("the namespace {inode}"))
    })
}

/// # Safety
/// `listing` is NULL or valid for `'a`.
unsafe fn get<'a>(listing: *const ns_listing, index: usize) -> Result<Namespace<'a>> {
    // SAFETY: the caller's promise.
    let listing = &unsafe { reference(listing, "listing") }?.0;
    listing.get(index).ok_or_else(|| past("namespace", index, listing.len()))
}

/// # Safety
/// `listing` is NULL or valid for `'a`.
unsafe fn holder<'a>(listing: *const ns_listing, index: usize, nth: usize) -> Result<&'a Holder> {
    // SAFETY: the caller's promise.
    let mut holders = unsafe { get(listing, index) }?.holders();
    let count = holders.len();
    holders.nth(nth).ok_or_else(|| past("holder", nth, count))
}

fn past(what: &str, index: usize, count: usize) -> Error {
    Error::new(Step::List, libc::ERANGE, format!("{what} number {index} of {count}, counted from 0"))
}

fn found(namespace: Option<Namespace>, what: impl FnOnce() -> String) -> Result<c_int> {
    let index = namespace.and_then(|namespace| namespace.index());
    index.map(|index| index as c_int).ok_or_else(|| {
        Error::new(Step::List, libc::ESRCH, what())
            .with_hint("it is not in this listing, or of a kind that was not asked for")
    })
}

fn words<'a>(text: impl FnOnce() -> Option<&'a CStr>) -> *const c_char {
    quiet_boundary(ptr::null(), || text().map_or(ptr::null(), CStr::as_ptr))
}

impl From<Namespace<'_>> for ns_namespace {
    fn from(namespace: Namespace) -> Self {
        let index = |of: Option<Namespace>| of.and_then(|of| of.index()).map_or(-1, |index| index as i64);
        let inode = |of: Option<Namespace>| of.map_or(0, |of| of.inode());
        ns_namespace {
            kind: namespace.kind().bits(),
            inode: namespace.inode(),
            device: namespace.device(),
            id: namespace.id().unwrap_or(0),
            parent_inode: inode(namespace.parent()),
            owner_inode: inode(namespace.owner()),
            parent: index(namespace.parent()),
            owner: index(namespace.owner()),
            creator: namespace.creator().map_or(-1, i64::from),
            uid: namespace.uid().map_or(-1, i64::from),
            held: namespace.held().bits(),
            processes: namespace.processes().len() as u32,
            holders: namespace.holders().len() as u32,
            depth: namespace.depth() as u32,
            pid: namespace.pid().unwrap_or(-1),
            ppid: namespace.ppid().unwrap_or(-1),
            nsid: namespace.nsid().unwrap_or(-1),
            reserved: 0,
        }
    }
}

impl From<&Holder> for ns_holder {
    fn from(holder: &Holder) -> Self {
        let (pid, tid, fd, mount_namespace) = match *holder {
            Holder::Thread { pid, tid } => (pid, tid, -1, 0),
            Holder::PidForChildren { pid, tid } | Holder::TimeForChildren { pid, tid } => (pid, tid, -1, 0),
            Holder::Descriptor { pid, fd } | Holder::Socket { pid, fd } => (pid, -1, fd, 0),
            Holder::Mount { pid, mount_namespace, .. } => (pid, -1, -1, mount_namespace),
        };
        ns_holder { how: holder.how().bits(), pid, tid, fd, mount_namespace }
    }
}
