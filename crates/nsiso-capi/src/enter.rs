//! Existing namespaces: open, describe, enter and pin them.

use std::ffi::{c_int, c_void};
use std::os::fd::BorrowedFd;

use nsiso::{Entered, Error, Result, Step};

use crate::argument::{descriptor, is_null, items, reference_mut};
use crate::error::{boundary, ns_error};

/// A thread's stay in other namespaces. Opaque; only the thread that called ns_enter may use
/// it.
pub struct ns_entered {
    entered: Entered,
    thread: i32,
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

/// Moves the calling thread into existing network, UTS, IPC and cgroup namespaces.
///
/// `fds` has `count` descriptors of namespaces. `*out` gets what ns_leave needs to move the
/// thread back. Other threads stay where they are. What the thread opens meanwhile belongs to
/// the namespaces: a socket stays in the network namespace in which it was created. Calls may
/// nest if they are left in the reverse order. On failure the thread is where it was.
///
/// Takes CAP_SYS_ADMIN in the user namespaces that own the new namespaces, in those that own
/// the thread's present ones, and in the caller's own.
///
/// Errors (`index` of ns_error is the place in `fds`):
/// - -EINVAL: `count` is 0, or a descriptor is not a namespace or one of another kind.
/// - -EPERM at NS_STEP_JOIN: CAP_SYS_ADMIN is missing.
///
/// Man page: setns(2).
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

/// Moves the thread back to the namespaces that it was in before ns_enter, and frees `entered`.
///
/// Errors:
/// - -EINVAL: another thread called ns_enter. Then nothing is done, and `entered` is not freed.
/// - Those of setns(2) at NS_STEP_LEAVE: the thread is still in a namespace that it entered,
///   and `entered` is freed. End the thread.
///
/// Man page: setns(2).
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

/// Calls `function(argument)` on a new thread inside existing network, UTS, IPC, cgroup and
/// mount namespaces.
///
/// `fds` has `count` descriptors of namespaces. It blocks until the new thread has ended, and
/// stores the function's return value in `*result`; `result` may be NULL. A program with
/// several threads can so open a socket or a file inside other namespaces. The new thread has
/// its own root and working directory.
///
/// No exception and no longjmp may leave the function. pthread_exit in it ends the new thread
/// alone, and its argument is the result; after pthread_cancel of the new thread the result is
/// PTHREAD_CANCELED. The thread that calls ns_call is not cancelled in it.
///
/// The function runs on a thread that the caller's language runtime did not create. C, C++,
/// Rust, Go (cgo) and Python (ctypes, cffi) allow that. A runtime with a global lock must
/// release it during the call, or both threads wait for ever. A JVM thread must be attached.
/// Ruby, Perl, Node.js, R, Lua and most other interpreters do not allow it: they crash, or run
/// the function on a thread of their own, which is not in the namespaces. From these use
/// ns_socket for a socket, ns_enter and ns_leave around code that stays on its thread (no
/// await, no fiber switch, no yield in between), or ns_spawn with ns_spec_join for a program.
///
/// Takes CAP_SYS_ADMIN in the user namespaces that own the namespaces and in the caller's own;
/// for mount namespaces CAP_SYS_CHROOT, too.
///
/// Errors:
/// - -EINVAL: `count` is 0, or a descriptor is not a namespace or one of another kind.
/// - -EPERM at NS_STEP_JOIN: a capability is missing.
/// - -EAGAIN at NS_STEP_PREPARE: no thread can be created.
///
/// Man page: setns(2).
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

/// Calls a function on a thread created by pthread_create, which has no Rust frames.
/// pthread_exit and pthread_cancel end a thread by unwinding its stack, and Rust's own threads
/// abort on that. The new thread is in the namespaces of the calling one.
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
