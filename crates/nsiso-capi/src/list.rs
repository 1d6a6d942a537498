//! `ns_listing`: every namespace of the machine.

use std::ffi::{c_char, c_int};

use nsiso::{Error, Listing, Query, Scope};

use crate::argument::{kinds, reference, reference_mut, store};
use crate::document::store_json;
use crate::error::{boundary, free, ns_error, quiet_boundary};

/// ns_list: details of each namespace (id, parent, owner, nsid) and of its process with the
/// lowest pid (command, user, parent). It finds parents and owners without a process, and from
/// Linux 6.19, with listns(2), all that the kernel lists.
pub const NS_LIST_DETAILS: u32 = 1;
/// ns_list: the namespaces for future children, /proc/PID/ns/pid_for_children and
/// time_for_children.
pub const NS_LIST_CHILDREN: u32 = 2;
/// ns_list: namespaces of threads that differ from those of their process.
pub const NS_LIST_THREADS: u32 = 4;
/// ns_list: bind mounts of namespaces, in every mount namespace that has a process.
pub const NS_LIST_MOUNTS: u32 = 8;
/// ns_list: open descriptors of namespaces.
pub const NS_LIST_DESCRIPTORS: u32 = 16;
/// ns_list: sockets created in another network namespace than that of their process.
pub const NS_LIST_SOCKETS: u32 = 32;
/// ns_list: all of the above.
pub const NS_LIST_EVERYWHERE: u32 = 63;
/// ns_list: only processes of the caller's own user.
pub const NS_LIST_OWN: u32 = 0x1_0000;

/// A process is in the namespace.
pub const NS_HELD_PROCESSES: u32 = 1;
/// A thread is in the namespace, and its process is not.
pub const NS_HELD_THREADS: u32 = 2;
/// A process has a descriptor of the namespace open.
pub const NS_HELD_DESCRIPTORS: u32 = 4;
/// A socket was created in the namespace, and its process is in another one.
pub const NS_HELD_SOCKETS: u32 = 8;
/// The namespace is bind-mounted.
pub const NS_HELD_MOUNTS: u32 = 16;
/// Future children of a process will be in the pid namespace; it may not have an init process
/// yet.
pub const NS_HELD_PID_FOR_CHILDREN: u32 = 32;
/// Future children of a process will be in the time namespace.
pub const NS_HELD_TIME_FOR_CHILDREN: u32 = 64;
/// The namespace is the parent or the owner of another one.
pub const NS_HELD_DESCENDANTS: u32 = 128;

/// A snapshot of the machine's namespaces. Opaque and read-only: any number of threads may use
/// it at the same time.
pub struct ns_listing(pub(crate) Listing);

/// What a listing could not read.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_gaps {
    /// 1 if everything in its scope could be read, else 0.
    pub complete: i32,
    /// The number of processes whose namespaces the caller may not read: mostly those of other
    /// users.
    pub unreadable: u32,
    /// The number of processes that ended before they could be read. They do not make the
    /// listing incomplete.
    pub vanished: u32,
    /// The number of processes and mount namespaces whose threads, descriptors or mounts the
    /// caller may not read, though it may read their namespaces.
    pub closed: u32,
    /// The number of sockets whose network namespace the caller may not read.
    pub sockets: u32,
    /// The number of namespaces that could not be opened, so that id, parent and owner are
    /// unknown.
    pub undescribed: u32,
    /// 1 if /proc shows another pid namespace than the caller's, else 0. Then the pids are not
    /// those of the caller's pid namespace.
    pub foreign_proc: i32,
    /// 1 if the caller is not in the initial pid namespace, else 0. Then processes outside are
    /// not visible.
    pub inner_pid_namespace: i32,
    /// 1 if /proc is mounted with hidepid, else 0. Then processes of other users are not
    /// visible.
    pub hidden_processes: i32,
    /// Not used; 0.
    pub reserved: i32,
}

/// Lists namespaces of the machine and stores the snapshot in `*out`.
///
/// `wanted` is NS_NET, ... joined by |, or NS_ALL; fewer kinds take less time. It finds the
/// namespaces of all processes, and those in `scope`: NS_LIST_... joined by |, or 0. Free the
/// snapshot with ns_listing_free. A namespace that is created or ends meanwhile may be in it or
/// not.
///
/// It needs no privilege and a proc file system at /proc. It finds all only with the right to
/// ptrace(2) every process; ns_listing_gaps reports what it could not read. Any number of
/// threads may call it at the same time.
///
/// Errors:
/// - -EINVAL: `wanted` is 0 or has unknown bits, or `scope` has unknown bits.
/// - -ENOENT: no proc file system is mounted at /proc.
///
/// Man pages: namespaces(7), ioctl_nsfs(2).
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

/// Frees a snapshot and all texts and tables that it returned; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_free(listing: *mut ns_listing) {
    // SAFETY: NULL, or made by ns_list and not freed before, says the header.
    unsafe { free(listing) }
}

/// Returns the number of namespaces in the snapshot, which are ordered by inode number; 0 for
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_len(listing: *const ns_listing) -> usize {
    // SAFETY: NULL or valid, says the header.
    quiet_boundary(0, || unsafe { listing.as_ref() }.map_or(0, |listing| listing.0.len()))
}

/// Stores in `*out` what the snapshot could not read.
///
/// `out` has room for `size` bytes: pass sizeof(ns_gaps).
///
/// Errors: -EINVAL if `out` is NULL or `size` is 0.
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

/// Writes the snapshot as a JSON object. Stores the text in `*out`; free it with ns_string_free.
///
/// The key `namespaces` has an array of objects in the order of ns_listing_get. Each has these
/// keys; a value that is not known is null:
/// - `kind`: the name below /proc/PID/ns, such as "net".
/// - `inode`, `device`, `id`, `parent`, `parent_inode`, `owner`, `owner_inode`, `creator`, `uid`,
///   `depth`, `pid`, `ppid` and `nsid`: the fields of ns_namespace.
/// - `nprocs`: the number of processes in it; `processes`: an array of their pids.
/// - `user` and `command`: the texts of ns_listing_user and ns_listing_command.
/// - `held`: an array of names, as "processes" for NS_HELD_PROCESSES.
/// - `holders`: an array of objects with `how` ("thread", "descriptor", "socket", "mount",
///   "pid_for_children" or "time_for_children"), `pid` and, where it applies, `tid`, `fd`,
///   `mount_namespace` and `path`.
///
/// The key `gaps` has an object with the fields of ns_gaps; `complete`, `foreign_proc`,
/// `inner_pid_namespace` and `hidden_processes` are true or false. Bytes of a text that are not
/// UTF-8 are replaced by U+FFFD. Later versions may add keys.
///
/// It needs no privilege. Like ns_listing_user, it may block on a name service.
///
/// Errors: -EINVAL if `listing` or `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_listing_to_json(
    listing: *const ns_listing,
    out: *mut *mut c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { store_json(out, || Ok(&reference(listing, "listing")?.0)) })
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
