//! `ns_spec`: its life, and the options that concern namespaces as such. One setter per option; the others are in the files beside this one.

use std::ffi::{c_char, c_int};

use nsiso::{ClockOffset, Error, Propagation, Result, Spec};

use crate::argument::{reference_mut, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::kinds::*;

/// What to run and in which isolation. Opaque, reusable. Setters must not run while another thread
/// uses the spec; any number of threads may spawn from one at a time.
pub struct ns_spec(pub(crate) Spec<'static>);

/// A new spec: the shell in the caller's own namespaces. NULL when memory is used up. Free it with
/// ns_spec_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_spec_new() -> *mut ns_spec {
    quiet_boundary(std::ptr::null_mut(), || match Spec::new("sh") {
        Ok(spec) => Box::into_raw(Box::new(ns_spec(spec))),
        Err(_) => std::ptr::null_mut(),
    })
}

/// Frees a spec; NULL is allowed. Processes spawned from it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_free(spec: *mut ns_spec) {
    // SAFETY: NULL, or made by ns_spec_new and not freed before, says the header.
    unsafe { free(spec) }
}

/// # Safety
/// `spec` is NULL or a spec that nobody else uses.
pub(crate) unsafe fn set(
    spec: *mut ns_spec,
    err: *mut ns_error,
    option: impl for<'a> FnOnce(&'a mut Spec<'static>) -> Result<&'a mut Spec<'static>>,
) -> c_int {
    boundary(err, || {
        // SAFETY: the caller's promise.
        let spec = unsafe { reference_mut(spec, "spec") }?;
        option(&mut spec.0).map(|_| 0)
    })
}

/// Adds kinds of namespace, NS_USER | NS_PID | ..., that are made new for the program. An ordinary user
/// needs NS_USER for all others. -EINVAL for a
/// bit that is none of NS_ALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_unshare(spec: *mut ns_spec, kinds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.unshare(crate::argument::kinds(kinds)?))) }
}

/// Holds the child once it is in its namespaces, before anything is set up in there: its pid is written to the descriptor `tell`, in decimal and
/// with a line feed, and it goes on when the descriptor `go` can be read, or when nobody has its other end any more (the child itself has what the
/// caller had open). ns_spawn() waits for that, with all signals blocked. For whoever gives it id maps, a network or the like from outside. Both are open until the spawn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_sync_fds(
    spec: *mut ns_spec,
    info_fd: c_int,
    block_fd: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.sync_fds(crate::argument::descriptor(info_fd)?, crate::argument::descriptor(block_fd)?))
        })
    }
}

/// The propagation of all mounts in a new mount namespace: NS_PROPAGATION_*. mount_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_propagation(
    spec: *mut ns_spec,
    propagation: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.propagation(match propagation {
                NS_PROPAGATION_PRIVATE => Propagation::Private,
                NS_PROPAGATION_SLAVE => Propagation::Slave,
                NS_PROPAGATION_SHARED => Propagation::Shared,
                NS_PROPAGATION_UNCHANGED => Propagation::Unchanged,
                _ => return Err(Error::argument(format!("{propagation} is none of NS_PROPAGATION_*"))),
            }))
        })
    }
}

/// The host name inside, at most 64 bytes. Asks for a new UTS namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_hostname(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.hostname(text(name, "name")?)) }
}

/// The NIS domain name inside, at most 64 bytes. Asks for a new UTS namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_domainname(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.domainname(text(name, "name")?)) }
}

/// What is added to CLOCK_MONOTONIC inside, as in a struct timespec: half a second back is -1 s and
/// 500000000 ns. -ERANGE if the clock would be before 0 or past the kernel's range. Asks for a new time
/// namespace. time_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_monotonic(
    spec: *mut ns_spec,
    seconds: i64,
    nanoseconds: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.monotonic(ClockOffset::new(seconds, nanoseconds)?)) }
}

/// The same for CLOCK_BOOTTIME, and so for the uptime.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_boottime(
    spec: *mut ns_spec,
    seconds: i64,
    nanoseconds: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.boottime(ClockOffset::new(seconds, nanoseconds)?)) }
}

/// Mounts a fresh proc file system, which shows the new pid namespace, at `path`, usually "/proc". Asks for
/// a new mount namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_proc(
    spec: *mut ns_spec,
    path: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.mount_proc(text(path, "path")?)) }
}

/// Whether (not 0) the loopback device of a new network namespace is brought up: by default it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_loopback(spec: *mut ns_spec, up: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.loopback(up != 0))) }
}
