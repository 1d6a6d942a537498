//! What the program may call: filters of seccomp(2).

use std::borrow::Cow;
use std::ffi::{c_char, c_int, c_void};

use nsiso::{Error, Result, Seccomp, SeccompAction};

use crate::argument::{items, texts};
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// ns_spec_seccomp_...: the call fails, with the errno given.
pub const NS_SECCOMP_FAIL: i32 = 0;
/// ns_spec_seccomp_...: the program is killed, by SIGSYS.
pub const NS_SECCOMP_KILL: i32 = 1;
/// ns_spec_seccomp_...: the thread gets SIGSYS, which it may handle.
pub const NS_SECCOMP_TRAP: i32 = 2;
/// ns_spec_seccomp_...: the call is made, and written to the audit log.
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

/// Adds (`on` is not 0) the filter of system calls for programs that are not trusted, and
/// ns_spec_new_privs with 0, which the kernel demands; or takes away (0) all filters that were added
/// before. seccomp(2).
///
/// With EPERM fail: administration of the machine, insides of other processes, the kernel's larger
/// and younger parts; making a file with a set-user-ID or set-group-ID bit, or giving it one (files
/// that have one already are not protected); prlimit, sched_set..., setpriority and ioprio_set for
/// PID 1, the last two also for all processes of a user; changing the limit of core dumps. Sockets
/// but Unix, TCP, UDP, ping, and netlink about addresses and routes fail with EAFNOSUPPORT or
/// EPROTONOSUPPORT, TCP Fast Open with EOPNOTSUPP, clone3 and openat2, whose flags no filter sees,
/// with ENOSYS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp(spec: *mut ns_spec, on: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.seccomp((on != 0).then(Seccomp::untrusted)))) }
}

/// Adds a filter: the `calls`, a table of names that ends with NULL, get `action`, NS_SECCOMP_..., all others are allowed. `errnum` is what
/// NS_SECCOMP_FAIL fails with. All filters are asked, and the strictest wins.
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

/// Adds a filter: the `calls`, and execve, by which the program starts, are allowed, all others get `action`.
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

/// Adds a filter as the kernel runs it: `count` structs sock_filter, which are copied. It must allow execve.
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

/// The host is asked about these calls, a table of names that ends with NULL, and answers for them by the descriptor that
/// ns_process_take_notify hands out. The program waits meanwhile. seccomp_unotify(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_notify(
    spec: *mut ns_spec,
    calls: *const *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.seccomp_notify(names(calls)?)) }
}
