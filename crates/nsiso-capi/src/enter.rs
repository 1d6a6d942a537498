//! Existing namespaces: opened, described, entered, kept.

use std::ffi::{c_char, c_int, c_void};
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};

use nsiso::{Entered, Error, Handle, Result, Step};

use crate::argument::{descriptor, is_null, items, kinds, reference_mut, store, text};
use crate::error::{boundary, ns_error};

/// A namespace, as its descriptor tells.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_identity {
    /// NS_USER, NS_PID, ...
    pub kind: u64,
    /// The number in its link, /proc/PID/ns. Used again once the namespace is gone.
    pub inode: u64,
    /// The 64-bit id, never used again; 0 before Linux 6.18 (6.8 for mount namespaces).
    pub id: u64,
    /// The uid that made a user namespace, as the caller sees it; -1 for other kinds.
    pub owner_uid: i64,
}

/// The calling thread in other namespaces. Opaque; to be used on its thread alone.
pub struct ns_entered {
    entered: Entered,
    thread: i32,
}

fn raw_fd(opened: Result<Handle>) -> Result<c_int> {
    opened.map(|handle| OwnedFd::from(handle).into_raw_fd())
}

/// Opens a namespace by a file of /proc/PID/ns or a bind mount of one, and returns a descriptor of it, which the caller
/// closes. The namespace exists as long as the descriptor is open. Any other file is -EINVAL and not opened for reading.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open(path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or a string, says the header.
    boundary(err, || raw_fd(Handle::open(unsafe { text(path, "path") }?)))
}

/// The same with the network namespace that ip-netns(8) knows by this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_name(name: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or a string, says the header.
    boundary(err, || raw_fd(Handle::named(unsafe { text(name, "name") }?)))
}

/// The same with the namespace of one kind that a process is in, given by its pidfd, pidfd_open(2). -ESRCH if it has
/// ended. Takes the right to ptrace(2) it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_process(pidfd: c_int, kind: u64, err: *mut ns_error) -> c_int {
    boundary(err, || raw_fd(Handle::of_process(descriptor(pidfd)?, kinds(kind)?)))
}

/// The same by a pid; 0 is the calling thread. A pid must not be held over time: another process may get it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_pid(pid: c_int, kind: u64, err: *mut ns_error) -> c_int {
    boundary(err, || {
        raw_fd(match pid {
            0 => Handle::own(kinds(kind)?),
            _ => Handle::of_pid(pid, kinds(kind)?),
        })
    })
}

/// Opens the process `pid`: its pidfd, close-on-exec and the caller's, which never means another process, also when the pid is
/// used again. Whoever has to keep a process in words keeps its pid and the inode of its pidfd, fstat(2), which no other process ever gets
/// (Linux 6.9): with that as `inode`, another process is refused with -ESRCH; 0 takes any. pidfd_open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_pidfd(pid: c_int, inode: u64, err: *mut ns_error) -> c_int {
    boundary(err, || {
        nsiso::open_process(pid, Some(inode).filter(|inode| *inode != 0)).map(IntoRawFd::into_raw_fd)
    })
}

/// Opens the namespace, NS_PID or NS_TIME, that the future children of a process will be in; as ns_open_process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_for_children(pidfd: c_int, kind: u64, err: *mut ns_error) -> c_int {
    boundary(err, || raw_fd(Handle::for_children(descriptor(pidfd)?, kinds(kind)?)))
}

/// The same with the network namespace that a socket was made in. Takes CAP_NET_ADMIN in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_socket(socket: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || raw_fd(Handle::of_socket(descriptor(socket)?)))
}

/// The user namespace that owns the namespace `fd`; of a user namespace, its parent. Returns a descriptor as ns_open
/// does; -ENOENT where there is none or it lies out of the caller's sight. ioctl_nsfs(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_open_owner(fd: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || relative(fd, "owner", Handle::owner))
}

/// The same with the parent of a user or pid namespace.
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

/// Tells what namespace `fd` is. `out` has `size` bytes: pass sizeof(ns_identity). Two descriptors are of one
/// namespace if their inodes are equal while both are open.
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

/// # Safety
/// `fds` is NULL or has `count` descriptors.
unsafe fn descriptors<'a>(fds: *const c_int, count: usize) -> Result<Vec<BorrowedFd<'a>>> {
    if count == 0 {
        return Err(Error::argument("no namespace is given"));
    }
    // SAFETY: the caller's promise.
    unsafe { items(fds, count, "fds") }?.iter().map(|fd| descriptor(*fd)).collect()
}

/// Takes the calling thread, no other, into `count` existing namespaces of the kinds net, uts, ipc and cgroup, and
/// stores in `*out` what ns_leave brings it back with. What it opens meanwhile belongs to them: a socket stays in the network
/// namespace that it was made in. Calls may nest, if they are left in the reverse order. On failure the thread is where
/// it was. Takes CAP_SYS_ADMIN in the owners and in the caller's own user namespace. setns(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_enter(
    fds: *const c_int,
    count: usize,
    out: *mut *mut ns_entered,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: both are NULL or valid, says the header.
        let (fds, out) = unsafe { (descriptors(fds, count)?, reference_mut(out, "out")?) };
        let entered = nsiso::enter(&fds)?;
        *out = Box::into_raw(Box::new(ns_entered { entered, thread: thread_id() }));
        Ok(0)
    })
}

/// Brings the thread back and frees `entered`. On failure the thread is lost where it is: end it. -EINVAL on
/// another thread than the one that entered; then nothing is done and nothing freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_leave(entered: *mut ns_entered, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or made by ns_enter, says the header.
        let there = unsafe { reference_mut(entered, "entered") }?;
        if there.thread != thread_id() {
            return Err(Error::argument(format!("thread {} has entered; it alone can leave", there.thread)));
        }
        // SAFETY: made by ns_enter and not freed before, says the header.
        unsafe { Box::from_raw(entered) }.entered.leave().map(|()| 0)
    })
}

fn thread_id() -> i32 {
    // SAFETY: no arguments.
    unsafe { libc::gettid() }
}

/// Calls `function(argument)` on a new thread inside `count` existing namespaces of the kinds net,
/// uts, ipc, cgroup and mnt, waits until that thread has ended, and stores what the function
/// returns in `*result` (NULL is allowed). So a threaded program opens a socket or a file inside
/// other namespaces. The thread has a root and a working directory of its own. No exception and no
/// longjmp may leave the function. pthread_exit in it ends the new thread alone, and gives the
/// result; after pthread_cancel of the new thread the result is PTHREAD_CANCELED. The thread that
/// calls ns_call is not cancelled in it. Needs what ns_enter needs, and CAP_SYS_CHROOT for mount
/// namespaces.
///
/// The function runs on a thread that the caller's language runtime did not make. C, C++, Rust, Go
/// (cgo) and Python (ctypes, cffi) allow that; a runtime with a global lock must release it during
/// the call, or both threads wait for ever; a JVM thread must be attached. Ruby, Perl, Node.js, R,
/// Lua and most other interpreters do not allow it: they crash, or pass the function on to a thread
/// of their own, which is not in the namespaces. From there use ns_socket for a socket, ns_enter
/// and ns_leave around code that stays on its thread (no await, no fiber switch, no yield in
/// between), or ns_spawn with ns_spec_join for a program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_call(
    fds: *const c_int,
    count: usize,
    function: Option<unsafe extern "C" fn(argument: *mut c_void) -> *mut c_void>,
    argument: *mut c_void,
    result: *mut *mut c_void,
    err: *mut ns_error,
) -> c_int {
    struct Pointer(*mut c_void);
    // SAFETY: the header says that the function gets it on another thread.
    unsafe impl Send for Pointer {}
    boundary(err, || {
        // SAFETY: says the header.
        let fds = unsafe { descriptors(fds, count)? };
        let function = function.ok_or_else(|| is_null("function"))?;
        let argument = Pointer(argument);
        let returned = nsiso::call(&fds, move || {
            let Pointer(argument) = { argument };
            // SAFETY: the caller's function, with the caller's argument.
            unsafe { call_on_thread(function, argument) }.map(Pointer)
        })??;
        // SAFETY: NULL or valid, says the header.
        if let Some(result) = unsafe { result.as_mut() } {
            *result = returned.0;
        }
        Ok(0)
    })
}

/// Calls a function on a thread of the C library, which has no Rust frames: pthread_exit and
/// pthread_cancel end a thread by unwinding its stack, and Rust's own threads abort on that. The
/// new thread is where the calling one is.
///
/// # Safety
/// The function may be called with the argument on another thread.
unsafe fn call_on_thread(
    function: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> Result<*mut c_void> {
    type Start = extern "C" fn(*mut c_void) -> *mut c_void;
    // SAFETY: the types differ in who answers for the call: the caller does.
    let start: Start = unsafe { std::mem::transmute(function) };
    let mut thread: libc::pthread_t = 0;
    let mut returned = std::ptr::null_mut();
    // SAFETY: both pointers are valid for writing; the thread is joined once.
    let errno = unsafe {
        match libc::pthread_create(&raw mut thread, std::ptr::null(), start, argument) {
            0 => libc::pthread_join(thread, &raw mut returned),
            errno => errno,
        }
    };
    match errno {
        0 => Ok(returned),
        errno => Err(Error::new(Step::Prepare, errno, "a thread")),
    }
}

/// Keeps the namespace `fd` at `path`, by a bind mount on an empty file, made if it is not there. nsenter(1) and
/// unshare(1) find it there; below /run/netns, ip-netns(8) too. Takes CAP_SYS_ADMIN over the caller's mount namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_pin(fd: c_int, path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or a string, says the header.
    boundary(err, || nsiso::pin(descriptor(fd)?, unsafe { text(path, "path") }?).map(|()| 0))
}

/// Undoes ns_pin: unmounts the namespace at `path` and removes the file. -EINVAL if no namespace is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_unpin(path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or a string, says the header.
    boundary(err, || nsiso::unpin(unsafe { text(path, "path") }?).map(|()| 0))
}
