//! `ns_listing`: every namespace of the machine.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use nsiso::{Error, Holder, Listing, Namespace, Query, Result, Scope, Step};

use crate::argument::{descriptor, kinds, reference, reference_mut, store, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};

/// ns_list: what the kernel tells of each namespace (id, parent, owner, network id) and of its process with the
/// lowest pid (command, user, parent). Finds parents and owners that have no process, and where the kernel has
/// listns(2) (Linux 6.19) also what is held out of the caller's sight.
pub const NS_LIST_DETAILS: u32 = 1;
/// ns_list: what processes have ready for their children, pid_for_children and time_for_children.
pub const NS_LIST_CHILDREN: u32 = 2;
/// ns_list: threads that have left the namespaces of their process.
pub const NS_LIST_THREADS: u32 = 4;
/// ns_list: bind mounts, in every mount namespace that has a process.
pub const NS_LIST_MOUNTS: u32 = 8;
/// ns_list: open descriptors.
pub const NS_LIST_DESCRIPTORS: u32 = 16;
/// ns_list: sockets made in another network namespace than their process is in.
pub const NS_LIST_SOCKETS: u32 = 32;
/// ns_list: all of these.
pub const NS_LIST_EVERYWHERE: u32 = 63;
/// ns_list: only through the processes of the caller's own user.
pub const NS_LIST_OWN: u32 = 0x1_0000;

/// Processes are in it.
pub const NS_HELD_PROCESSES: u32 = 1;
/// Threads are in it whose process is not.
pub const NS_HELD_THREADS: u32 = 2;
/// A descriptor of it is open.
pub const NS_HELD_DESCRIPTORS: u32 = 4;
/// A socket was made in it, by a process that is elsewhere now.
pub const NS_HELD_SOCKETS: u32 = 8;
/// It is bind-mounted.
pub const NS_HELD_MOUNTS: u32 = 16;
/// Future children of a process will be in it; it may have no init yet.
pub const NS_HELD_PID_FOR_CHILDREN: u32 = 32;
/// Future children of a process, or what it executes, will be in it.
pub const NS_HELD_TIME_FOR_CHILDREN: u32 = 64;
/// It is the parent or the owner of another one.
pub const NS_HELD_DESCENDANTS: u32 = 128;

/// A snapshot of the machine's namespaces. Opaque; only read, so many threads may do so at a time.
pub struct ns_listing(Listing);

/// A namespace of a listing. Where a number is not known or there is none, it is -1, or 0 for `id` and the inodes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_namespace {
    /// One of NS_USER, NS_PID, ...
    pub kind: u64,
    /// The number in its link under /proc/PID/ns. Used again once the namespace is gone.
    pub inode: u64,
    /// The device of that inode.
    pub device: u64,
    /// The 64-bit id, never used again (mount namespaces since Linux 6.8, all since 6.18).
    pub id: u64,
    /// The namespace of the same kind around it: user and pid namespaces alone have one.
    pub parent_inode: u64,
    /// The user namespace whose capabilities count in it: for a user namespace, its parent.
    pub owner_inode: u64,
    /// The index of the parent in this listing, if its kind was asked for.
    pub parent: i64,
    /// The index of the owner in this listing, if its kind was asked for.
    pub owner: i64,
    /// The uid that made the user namespace, or the one that owns this namespace.
    pub creator: i64,
    /// The owner of the /proc directory of the process with the lowest pid.
    pub uid: i64,
    /// How it is held: NS_HELD_*.
    pub held: u32,
    /// How many processes are in it.
    pub processes: u32,
    /// How many hold it otherwise, as far as was looked for: see ns_listing_holder.
    pub holders: u32,
    /// How many parents a user or pid namespace has; of another, how many its owner has.
    pub depth: u32,
    /// The lowest pid in it.
    pub pid: i32,
    /// The parent of that process.
    pub ppid: i32,
    /// The number under which the caller's network namespace knows this one, ip-netns(8).
    pub nsid: i32,
    /// Not used; 0.
    pub reserved: i32,
}

/// One that holds a namespace without being a process in it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_holder {
    /// How: one of NS_HELD_*.
    pub how: u32,
    /// The process; for a mount, one that sees it.
    pub pid: i32,
    /// The thread, for NS_HELD_THREADS and NS_HELD_..._FOR_CHILDREN; else -1.
    pub tid: i32,
    /// The descriptor's number in that process, for NS_HELD_DESCRIPTORS and NS_HELD_SOCKETS; else -1.
    pub fd: i32,
    /// The inode of the mount namespace in which it is mounted, for NS_HELD_MOUNTS; else 0.
    pub mount_namespace: u64,
}

/// What a listing could not see.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_gaps {
    /// 1 if all that was asked for could be seen.
    pub complete: i32,
    /// Processes whose namespaces may not be read: mostly those of other users.
    pub unreadable: u32,
    /// Processes that had ended when they were looked at. They leave no gap.
    pub vanished: u32,
    /// Processes and mount namespaces whose threads, descriptors or mounts may not be read, though their
    /// namespaces may.
    pub closed: u32,
    /// Sockets whose network namespace may not be asked for.
    pub sockets: u32,
    /// Namespaces of which the kernel could not be asked, so that id, parent and owner are unknown.
    pub undescribed: u32,
    /// 1 if /proc shows another pid namespace than the caller's: the pids mean nothing here.
    pub foreign_proc: i32,
    /// 1 if the caller is not in the machine's first pid namespace: processes outside are not to be seen.
    pub inner_pid_namespace: i32,
    /// 1 if /proc is mounted with hidepid: other users' processes are not to be seen.
    pub hidden_processes: i32,
    /// Not used; 0.
    pub reserved: i32,
}

/// Takes a snapshot of the namespaces of `kinds` (NS_ALL, or some joined by |: the cost falls with them), looked for at
/// what each process is in and in `scope` besides: NS_LIST_* joined by |. Stores it in `*out`, which
/// ns_listing_free frees. What comes and goes meanwhile may be in it or not. -ENOENT without a proc file system at /proc. Safe
/// to be called from many threads. proc_pid_ns(5), ioctl_nsfs(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_list(
    wanted: u64,
    scope: u32,
    out: *mut *mut ns_listing,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let out = unsafe { reference_mut(out, "out") }?;
        let places = Scope::from_bits(scope & !NS_LIST_OWN)
            .ok_or_else(|| Error::argument(format!("scope {scope:#x} has bits that are not NS_LIST_*")))?;
        let mut query = Query::new().kinds(kinds(wanted)?).scope(places);
        if scope & NS_LIST_OWN != 0 {
            query = query.own();
        }
        *out = Box::into_raw(Box::new(ns_listing(query.list()?)));
        Ok(0)
    })
}

/// Frees a snapshot and all texts it has given; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_free(listing: *mut ns_listing) {
    // SAFETY: NULL, or made by ns_list and not freed before, says the header.
    unsafe { free(listing) }
}

/// How many namespaces there are in it, ordered by inode; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_len(listing: *const ns_listing) -> usize {
    // SAFETY: NULL or valid, says the header.
    quiet_boundary(0, || unsafe { listing.as_ref() }.map_or(0, |listing| listing.0.len()))
}

/// Stores namespace number `index`, from 0, in `*out`, which has `size` bytes: pass sizeof(ns_namespace). -ERANGE past
/// the end.
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

/// The arguments of the process with the lowest pid in namespace number `index`, with blanks between them, or its name in case it
/// has none. NULL if it is not known. The text lives as long as the snapshot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_command(listing: *const ns_listing, index: usize) -> *const c_char {
    // SAFETY: NULL or valid, says the header.
    words(|| unsafe { get(listing, index) }.ok().and_then(|namespace| namespace.command()))
}

/// The name of the user of `uid` of namespace number `index`; NULL if it has none. Looked up at the first call, getpwuid(3). The text
/// lives as long as the snapshot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_user(listing: *const ns_listing, index: usize) -> *const c_char {
    // SAFETY: NULL or valid, says the header.
    words(|| unsafe { get(listing, index) }.ok().and_then(|namespace| namespace.user()))
}

/// Stores in `*pids` the processes in namespace number `index`, in ascending order, and returns how many they are. They live as long
/// as the snapshot.
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

/// Stores in `*out`, which has `size` bytes, who holds namespace number `index` without being a process in it: number `nth`, from 0, of its
/// `holders`. -ERANGE past the end.
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

/// Where the mount `nth` of the holders of namespace number `index` is, as its `pid` sees it; NULL for holders that are no mounts. The text
/// lives as long as the snapshot.
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

/// The index of the namespace that the descriptor is. -EINVAL if it is none, -ESRCH if it is not in the snapshot.
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

/// The index of the namespace at a path: /proc/PID/ns/net, /run/netns/NAME. -EINVAL if it is none, -ESRCH if it is not
/// in the snapshot.
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

/// The index of the namespace of one kind in which a process is, by the snapshot; -ESRCH if there is none.
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

/// The index of the namespace with an inode; -ESRCH if there is none.
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

/// Stores in `*out`, which has `size` bytes, what could not be seen.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_gaps(
    listing: *const ns_listing,
    out: *mut ns_gaps,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header; `size` bytes.
        unsafe { store(out, size, &ns_gaps::from(&reference(listing, "listing")?.0)) }?;
        Ok(0)
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

impl From<&Listing> for ns_gaps {
    fn from(listing: &Listing) -> Self {
        let gaps = listing.gaps();
        ns_gaps {
            complete: gaps.is_complete().into(),
            unreadable: gaps.unreadable,
            vanished: gaps.vanished,
            closed: gaps.closed,
            sockets: gaps.sockets,
            undescribed: gaps.undescribed,
            foreign_proc: gaps.foreign_proc.into(),
            inner_pid_namespace: gaps.inner_pid_namespace.into(),
            hidden_processes: gaps.hidden_processes.into(),
            reserved: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_library() {
        assert_eq!(NS_LIST_EVERYWHERE, Scope::all().bits());
        let held = [NS_HELD_PROCESSES, NS_HELD_THREADS, NS_HELD_DESCRIPTORS, NS_HELD_SOCKETS, NS_HELD_MOUNTS];
        let more = [NS_HELD_PID_FOR_CHILDREN, NS_HELD_TIME_FOR_CHILDREN, NS_HELD_DESCENDANTS];
        let all: Vec<u32> = held.into_iter().chain(more).collect();
        assert_eq!(nsiso::Held::all().iter().map(|held| held.bits()).collect::<Vec<_>>(), all);
    }
}
