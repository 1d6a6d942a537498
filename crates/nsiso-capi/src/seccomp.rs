//! Filters of system calls, seccomp(2).

use std::borrow::Cow;
use std::ffi::{c_char, c_int, c_void};

use nsiso::{Error, Result, Seccomp, SeccompAction};

use crate::argument::{items, texts};
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// Action of a seccomp filter: the system call fails with the errno value that is given.
pub const NS_SECCOMP_FAIL: i32 = 0;
/// Action of a seccomp filter: the process is killed by SIGSYS.
pub const NS_SECCOMP_KILL: i32 = 1;
/// Action of a seccomp filter: the thread gets SIGSYS, for which it may have a handler.
pub const NS_SECCOMP_TRAP: i32 = 2;
/// Action of a seccomp filter: the system call is made and logged.
pub const NS_SECCOMP_LOG: i32 = 3;

/// # Safety
/// `calls` is NULL or a table of strings.
unsafe fn names<'a>(calls: *const *const c_char) -> Result<Vec<Cow<'a, str>>> {
    // SAFETY: the caller's promise.
    Ok(unsafe { texts(calls, "calls") }?.into_iter().map(|name| name.to_string_lossy()).collect())
}

fn action_of(action: c_int, errnum: c_int) -> Result<SeccompAction> {
    match action {
        NS_SECCOMP_FAIL if (1..4096).contains(&errnum) => Ok(SeccompAction::Fail(errnum)),
        NS_SECCOMP_FAIL => Err(Error::argument(format!("{errnum} is no errno"))),
        NS_SECCOMP_KILL => Ok(SeccompAction::Kill),
        NS_SECCOMP_TRAP => Ok(SeccompAction::Trap),
        NS_SECCOMP_LOG => Ok(SeccompAction::Log),
        _ => Err(Error::argument(format!("{action} is no action, NS_SECCOMP_..."))),
    }
}

/// Adds a seccomp filter for programs that are not trusted, or removes all filters.
///
/// 0: removes the filters that were added before, but for that of ns_spec_seccomp_notify;
/// otherwise adds the filter, and sets ns_spec_new_privs to 0, which the kernel requires. Calls
/// of another architecture than the library's fail with ENOSYS.
///
/// With the filter these fail with EPERM:
/// - Calls that administer the machine, access the memory of other processes or create
///   namespaces, and large or young parts of the kernel such as io_uring.
/// - Creating a file with a set-user-ID or set-group-ID bit, or giving a file one. Files that
///   have one already are not protected.
/// - prlimit, sched_setaffinity, sched_setattr, sched_setparam, sched_setscheduler, setpriority
///   and ioprio_set for PID 1, the last two also for all processes of a user.
/// - A change of the limit of core dumps.
///
/// Sockets other than Unix, TCP, UDP, ping, and netlink for addresses and routes fail with
/// EAFNOSUPPORT or EPROTONOSUPPORT, and TCP Fast Open with EOPNOTSUPP. clone3 and openat2,
/// whose flags a filter cannot read, fail with ENOSYS.
///
/// Errors from ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_new_privs with 1.
/// - -EINVAL at NS_STEP_SECCOMP: the kernel was built without seccomp filters.
///
/// Man page: seccomp(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp(spec: *mut ns_spec, on: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.seccomp((on != 0).then(Seccomp::untrusted)))) }
}

/// Adds a seccomp filter that applies an action to these system calls and allows all others.
///
/// `calls` is a table of names that ends with NULL; it is copied. `action` is one of
/// NS_SECCOMP_...; `errnum`, 1 to 4095, is the errno value for NS_SECCOMP_FAIL and ignored
/// otherwise. The kernel runs all filters, and the strictest result counts. Calls of another
/// architecture than the library's fail with ENOSYS. The filter applies from the execve of the
/// program on. It sets ns_spec_new_privs to 0, which the kernel requires.
///
/// Errors: -EINVAL for an unknown action, an `errnum` out of range, or a name that is no system
/// call of this machine. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_new_privs with 1.
/// - -EINVAL at NS_STEP_SECCOMP: the kernel was built without seccomp filters.
/// - `errnum` at NS_STEP_EXEC: the filter refuses execve.
///
/// Man page: seccomp(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_deny(
    spec: *mut ns_spec,
    calls: *const *const c_char,
    action: c_int,
    errnum: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| Ok(spec.seccomp(Seccomp::deny(names(calls)?, action_of(action, errnum)?)?)))
    }
}

/// Adds a seccomp filter that allows these system calls and execve, and applies an action to
/// all others.
///
/// `calls` is a table of names that ends with NULL; it is copied. `action` is one of
/// NS_SECCOMP_...; `errnum`, 1 to 4095, is the errno value for NS_SECCOMP_FAIL and ignored
/// otherwise. The kernel runs all filters, and the strictest result counts. Calls of another
/// architecture than the library's fail with ENOSYS. The filter applies from the execve of the
/// program on. It sets ns_spec_new_privs to 0, which the kernel requires.
///
/// Errors: -EINVAL for an unknown action, an `errnum` out of range, or a name that is no system
/// call of this machine. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_new_privs with 1.
/// - -EINVAL at NS_STEP_SECCOMP: the kernel was built without seccomp filters.
///
/// Man page: seccomp(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_allow(
    spec: *mut ns_spec,
    calls: *const *const c_char,
    action: c_int,
    errnum: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| Ok(spec.seccomp(Seccomp::allow(names(calls)?, action_of(action, errnum)?)?)))
    }
}

/// Adds a seccomp filter given as a BPF program.
///
/// `filter` points to `count` structs sock_filter of linux/filter.h, 1 to 4096, which are
/// copied. The filter must allow execve, by which the program starts. The kernel runs all
/// filters, and the strictest result counts. It sets ns_spec_new_privs to 0, which the kernel
/// requires.
///
/// Errors: -EINVAL if `count` is out of range. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_new_privs with 1.
/// - -EINVAL at NS_STEP_SECCOMP: the kernel does not accept the program, or was built without
///   seccomp filters.
///
/// Man page: seccomp(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_raw(
    spec: *mut ns_spec,
    filter: *const c_void,
    count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let program = items(filter.cast::<libc::sock_filter>(), count, "filter")?;
            Ok(spec.seccomp(Seccomp::raw(program.to_vec())?))
        })
    }
}

/// Adds a seccomp filter that sends these system calls to the caller, who answers them.
///
/// `calls` is a table of names that ends with NULL; it is copied. A process that makes such a
/// call waits for the answer. ns_process_take_notify returns the descriptor for the answers.
/// All other calls are allowed; calls of another architecture than the library's fail with
/// ENOSYS. A later call replaces the filter. It sets ns_spec_new_privs to 0, which the kernel
/// requires.
///
/// Errors: -EINVAL for a name that is no system call of this machine, and for sendmsg, close,
/// execve and exit_group, which the child needs to start the program. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_new_privs with 1.
/// - -EBUSY at NS_STEP_SECCOMP: the caller itself runs under a filter with a listener.
///
/// ns_exec fails with -EINVAL.
///
/// Man page: seccomp_unotify(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_notify(
    spec: *mut ns_spec,
    calls: *const *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.seccomp_notify(names(calls)?)) }
}
