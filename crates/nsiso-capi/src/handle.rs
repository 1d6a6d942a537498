//! Opens, identifies and pins existing namespaces.

use std::ffi::{c_char, c_int};
use std::os::fd::{IntoRawFd, OwnedFd};

use nsiso::{Error, Handle, Result, Step};

use crate::argument::{descriptor, kinds, store, text};
use crate::error::{boundary, ns_error};

/// Describes a namespace.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_identity {
    /// The kind: one of NS_USER, NS_PID, ....
    pub kind: u64,
    /// The inode number, as in the link /proc/PID/ns/KIND. The kernel uses it again after the
    /// namespace has ended.
    pub inode: u64,
    /// The 64-bit id, which the kernel never uses again; 0 before Linux 6.18 (mount namespaces:
    /// before 6.11).
    pub id: u64,
    /// The uid of the user who created a user namespace, as the caller's user namespace maps
    /// it; -1 for other kinds.
    pub owner_uid: i64,
}

fn raw_fd(opened: Result<Handle>) -> Result<c_int> {
    opened.map(|handle| OwnedFd::from(handle).into_raw_fd())
}

/// Opens the namespace at `path` and returns a descriptor of it.
///
/// `path` is a file in /proc/PID/ns or a bind mount of one. The caller closes the descriptor.
/// The namespace exists as long as the descriptor is open. Another file is refused without
/// being opened for reading. A proc file system must be mounted at /proc.
///
/// Errors:
/// - -EINVAL: the file is not a namespace.
/// - -ENOENT, -EACCES and others of open(2) at NS_STEP_OPEN.
///
/// Man page: namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open(path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or a string, says the header.
    boundary(err, || raw_fd(Handle::open(unsafe { text(path, "path") }?)))
}

/// Opens the network namespace with this name in /run/netns and returns a descriptor of it.
///
/// The names are those of ip-netns(8). The caller closes the descriptor. The namespace exists
/// as long as the descriptor is open.
///
/// Errors:
/// - -EINVAL: `name` is empty, ".", ".." or contains a slash, or the file is not a namespace.
/// - -ENOENT: there is no network namespace with this name.
///
/// Man page: ip-netns(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_name(name: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or a string, says the header.
    boundary(err, || raw_fd(Handle::named(unsafe { text(name, "name") }?)))
}

/// Opens the namespace of one kind that a process is in, given by its pidfd, and returns a
/// descriptor of it.
///
/// The caller closes the descriptor. The namespace exists as long as the descriptor is open.
/// Takes the right to ptrace(2) the process. Before Linux 6.11 a proc file system must be
/// mounted at /proc.
///
/// Errors:
/// - -EINVAL: `kind` is not exactly one kind.
/// - -ENOTTY: `pidfd` is not a pidfd.
/// - -ESRCH: the process has ended.
/// - -EPERM or -EACCES: the caller may not ptrace the process.
///
/// Man pages: namespaces(7), pidfd_open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_process(pidfd: c_int, kind: u64, err: *mut ns_error) -> c_int {
    boundary(err, || raw_fd(Handle::of_process(descriptor(pidfd)?, kinds(kind)?)))
}

/// Opens the namespace of one kind that the process `pid` is in and returns a descriptor of it.
///
/// 0 stands for the calling thread. The caller closes the descriptor. The namespace exists as
/// long as the descriptor is open. Another process may get the pid after its process was
/// reaped: keep a pidfd and use ns_open_process where that matters. Takes the right to
/// ptrace(2) the process. For 0, and before Linux 6.11, a proc file system must be mounted at
/// /proc.
///
/// Errors:
/// - -EINVAL: `kind` is not exactly one kind, or `pid` is negative or the id of a thread.
/// - -ESRCH: there is no such process.
/// - -EPERM or -EACCES: the caller may not ptrace the process.
///
/// Man page: namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_pid(pid: c_int, kind: u64, err: *mut ns_error) -> c_int {
    boundary(err, || {
        raw_fd(match pid {
            0 => Handle::own(kinds(kind)?),
            _ => Handle::of_pid(pid, kinds(kind)?),
        })
    })
}

/// Opens the process `pid` and returns its pidfd.
///
/// The caller closes the descriptor, which is close-on-exec. It never refers to another
/// process, also after the kernel has used the pid again.
///
/// `inode` is the inode number of the pidfd of the process that is meant, or 0 for any process.
/// A program that must save a reference to a process saves its pid and this number, from
/// fstat(2). No other process ever gets the number. Linux 6.9.
///
/// Errors:
/// - -ESRCH: there is no such process, or its inode number is another one.
/// - -EINVAL: `pid` is not positive, or is the id of a thread.
/// - -ENOSYS: a seccomp filter or an emulator refuses pidfd_open(2).
///
/// Man page: pidfd_open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_pidfd(pid: c_int, inode: u64, err: *mut ns_error) -> c_int {
    boundary(err, || {
        nsiso::open_process(pid, Some(inode).filter(|inode| *inode != 0)).map(IntoRawFd::into_raw_fd)
    })
}

/// Opens the pid or time namespace that the future children of a process will be in, and
/// returns a descriptor of it.
///
/// `kind` is NS_PID or NS_TIME; the process is given by its pidfd. The caller closes the
/// descriptor. The namespace exists as long as the descriptor is open. Takes the right to
/// ptrace(2) the process. Before Linux 6.11 a proc file system must be mounted at /proc, and a
/// pid namespace without an init process cannot be opened.
///
/// Errors:
/// - -EINVAL: `kind` is another one.
/// - -ENOTTY: `pidfd` is not a pidfd.
/// - -ESRCH: the process has ended.
/// - -EPERM or -EACCES: the caller may not ptrace the process.
///
/// Man page: namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_for_children(pidfd: c_int, kind: u64, err: *mut ns_error) -> c_int {
    boundary(err, || raw_fd(Handle::for_children(descriptor(pidfd)?, kinds(kind)?)))
}

/// Opens the network namespace in which a socket was created, and returns a descriptor of it.
///
/// The caller closes the descriptor. The namespace exists as long as the descriptor is open.
/// Takes CAP_NET_ADMIN in the user namespace that owns it.
///
/// Errors:
/// - -ENOTTY: `socket` is not a socket.
/// - -EPERM: CAP_NET_ADMIN is missing.
///
/// Man page: network_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_socket(socket: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || raw_fd(Handle::of_socket(descriptor(socket)?)))
}

/// Opens the user namespace that owns the namespace `fd`, and returns a descriptor of it.
///
/// The owner of a user namespace is its parent. The caller closes the descriptor. The namespace
/// exists as long as the descriptor is open.
///
/// Errors:
/// - -EINVAL: `fd` is not a namespace.
/// - -ENOENT: it has no owner, or the owner is neither the caller's user namespace nor a
///   descendant of it.
///
/// Man page: ioctl_nsfs(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_owner(fd: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || relative(fd, "owner", Handle::owner))
}

/// Opens the parent of a user or pid namespace, and returns a descriptor of it.
///
/// The caller closes the descriptor. The namespace exists as long as the descriptor is open.
///
/// Errors:
/// - -EINVAL: `fd` is not a namespace.
/// - -ENOENT: it has no parent, as all other kinds, or the parent is neither the caller's
///   namespace of that kind nor a descendant of it.
///
/// Man page: ioctl_nsfs(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_parent(fd: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || relative(fd, "parent", Handle::parent))
}

fn relative(fd: c_int, what: &str, of: impl Fn(&Handle) -> Result<Option<Handle>>) -> Result<c_int> {
    let handle = Handle::of_fd(descriptor(fd)?)?;
    match of(&handle)? {
        Some(found) => raw_fd(Ok(found)),
        None => Err(Error::new(Step::Open, libc::ENOENT, format!("the {what} of {handle:?}"))
            .with_hint("it has none, or lies outside your own")),
    }
}

/// Describes the namespace `fd`.
///
/// `out` has room for `size` bytes: pass sizeof(ns_identity). Two descriptors refer to one
/// namespace if their inode numbers are equal while both are open.
///
/// Errors: -EINVAL if `fd` is not a namespace, `out` is NULL or `size` is 0.
///
/// Man page: ioctl_nsfs(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_identify(
    fd: c_int,
    out: *mut ns_identity,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        let handle = Handle::of_fd(descriptor(fd)?)?;
        let identity = ns_identity {
            kind: handle.kind().bits(),
            inode: handle.inode(),
            id: handle.id().unwrap_or(0),
            owner_uid: handle.owner_uid().map_or(-1, i64::from),
        };
        // SAFETY: `size` bytes, says the header.
        unsafe { store(out, size, &identity) }?;
        Ok(0)
    })
}

/// Keeps the namespace `fd` alive by a bind mount of it at `path`.
///
/// `path` is an empty file, created if it does not exist; a symbolic link as its last component
/// is not followed. nsenter(1) and unshare(1) can use the path; below /run/netns, ip-netns(8)
/// can, too. The namespace exists until ns_unpin or umount(8) removes the mount. Takes
/// CAP_SYS_ADMIN in the user namespace that owns the caller's mount namespace, and a proc file
/// system at /proc.
///
/// Errors:
/// - -EINVAL: `fd` is not a namespace.
/// - -EEXIST: the file is not empty, or a namespace is mounted there.
/// - -ENOENT: the directory does not exist.
/// - -ELOOP: `path` is a symbolic link.
/// - -EPERM: CAP_SYS_ADMIN is missing.
/// - -EINVAL at NS_STEP_PIN: a mount namespace that is not older than the caller's, or at a
///   path whose mount propagates.
///
/// Man pages: namespaces(7), mount(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_pin(fd: c_int, path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or a string, says the header.
    boundary(err, || nsiso::pin(descriptor(fd)?, unsafe { text(path, "path") }?).map(|()| 0))
}

/// Unmounts the namespace at `path` and removes the file.
///
/// It undoes ns_pin. Symbolic links in the directory part of `path` are followed; the last
/// component must not be one. Only a namespace is unmounted, also if another process changes
/// the path meanwhile. The namespace ends if nothing else keeps it alive. Takes CAP_SYS_ADMIN
/// in the user namespace that owns the caller's mount namespace, and a proc file system at
/// /proc.
///
/// Errors:
/// - -EINVAL: no namespace is mounted at `path`.
/// - -ENOENT: `path` does not exist.
/// - -EPERM: CAP_SYS_ADMIN is missing.
///
/// Man page: umount(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_unpin(path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or a string, says the header.
    boundary(err, || nsiso::unpin(unsafe { text(path, "path") }?).map(|()| 0))
}
