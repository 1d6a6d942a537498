//! `ns_spec`: creation, and the options of namespaces, names and clocks. Each option has one
//! setter; the other options are in the modules beside this one.

use std::ffi::{c_char, c_int};

use nsiso::{ClockOffset, Error, Propagation, Result, Spec};

use crate::argument::{reference_mut, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::kinds::*;

/// A program to run and the isolation that it gets. Opaque and reusable.
///
/// A setter must not run while another thread uses the same spec. Any number of threads may
/// call ns_spawn with one spec at the same time.
pub struct ns_spec(pub(crate) Spec<'static>);

/// Creates a spec: the program "sh" without arguments, in the caller's own namespaces.
///
/// Returns NULL if it fails. Free the spec with ns_spec_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_spec_new() -> *mut ns_spec {
    quiet_boundary(std::ptr::null_mut(), || match Spec::new("sh") {
        Ok(spec) => Box::into_raw(Box::new(ns_spec(spec))),
        Err(_) => std::ptr::null_mut(),
    })
}

/// Frees a spec; NULL is allowed.
///
/// Processes that were spawned from it continue to run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_free(spec: *mut ns_spec) {
    // SAFETY: NULL, or made by ns_spec_new and not freed before, says the header.
    unsafe { free(spec) }
}

/// # Safety
/// `spec` is NULL or valid, and nothing else uses the spec.
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

/// Creates new namespaces of these kinds for the program.
///
/// `kinds` is NS_USER, NS_PID, ... joined by |. Calls add up; ns_spec_share removes kinds.
/// Default: no new namespace, but for those that other options request.
///
/// New namespaces take CAP_SYS_ADMIN, or NS_USER beside them: then no privilege is needed. The
/// new user namespace has an id map only if an option such as ns_spec_map_root gives it one.
///
/// Errors: -EINVAL for a bit that is not in NS_ALL. From ns_spawn:
/// - -EPERM or -EACCES at NS_STEP_CLONE: the caller lacks CAP_SYS_ADMIN and there is no
///   NS_USER, or the machine does not let the caller create user namespaces.
/// - -ENOSPC or -EUSERS at NS_STEP_CLONE: a limit in /proc/sys/user is reached, or user or pid
///   namespaces are nested 32 deep.
/// - -EINVAL at NS_STEP_CLONE or NS_STEP_UNSHARE: the kernel was built without a kind.
///
/// Man pages: namespaces(7), clone(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_unshare(spec: *mut ns_spec, kinds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.unshare(crate::argument::kinds(kinds)?))) }
}

/// Makes the child wait for the caller after its namespaces are created and before the rest of
/// its set-up.
///
/// ns_spawn writes the child's pid in the caller's pid namespace to `info_fd`, in decimal and
/// followed by a newline. The child continues when `block_fd` is readable or when every write
/// end of it is closed. Nothing is read from `block_fd`. Another thread or process can
/// meanwhile write id maps, create network devices and the like. An id map that contains the
/// caller's own id alone is written before the wait; other maps of the spec, links, devices and
/// pins follow after it.
///
/// Both descriptors must stay open until ns_spawn returns. ns_spawn blocks, without a time
/// limit and with all signals of its thread blocked, until the child continues or has ended.
/// Default: the child does not wait.
///
/// Errors from ns_spawn: those of write(2) at NS_STEP_PREPARE, for example -EPIPE if nobody can
/// read from `info_fd`. ns_exec fails with -EINVAL.
///
/// Man pages: pipe(2), poll(2).
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

/// Sets the propagation of all mounts in the program's new mount namespace.
///
/// `propagation` is one of NS_PROPAGATION_...; the default is NS_PROPAGATION_PRIVATE. It has no
/// effect without a new mount namespace and requests none.
///
/// Errors: -EINVAL for another value. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED beside an
///   ns_spec_mount_... function other than ns_spec_mount_proc, whose mounts would reach the
///   caller.
/// - -EINVAL at NS_STEP_PROPAGATION: the root directory is not a mount point, as in a chroot.
///
/// Man page: mount_namespaces(7).
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

/// Sets the host name that the program sees.
///
/// `name` has at most 64 bytes. Default: the caller's host name. Requests a new UTS namespace.
///
/// Errors: -EINVAL for a longer name. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_share shares the UTS namespace.
/// - -EPERM at NS_STEP_HOSTNAME: a security module takes the capabilities of the new user
///   namespace away.
///
/// Man pages: uts_namespaces(7), sethostname(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_hostname(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.hostname(text(name, "name")?)) }
}

/// Sets the NIS domain name that the program sees.
///
/// `name` has at most 64 bytes. Default: the caller's domain name. Requests a new UTS
/// namespace.
///
/// Errors: -EINVAL for a longer name. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_share shares the UTS namespace.
/// - -EPERM at NS_STEP_DOMAINNAME: a security module takes the capabilities of the new user
///   namespace away.
///
/// Man pages: uts_namespaces(7), setdomainname(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_domainname(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.domainname(text(name, "name")?)) }
}

/// Sets the offset of CLOCK_MONOTONIC in the program's new time namespace.
///
/// The kernel adds `seconds` and `nanoseconds` to the clock. `seconds` may be negative;
/// `nanoseconds` is 0 to 999999999 and is always added, as in a struct timespec: half a second
/// back is -1 and 500000000. Default: 0. Requests a new time namespace, which takes
/// CONFIG_TIME_NS in the kernel.
///
/// Errors: -EINVAL if `nanoseconds` is larger; -ERANGE if the clock would be negative or beyond
/// half of the kernel's range (146 years). From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_share shares the time namespace.
/// - -EINVAL at NS_STEP_UNSHARE: the kernel has no time namespaces.
/// - -ENOENT at NS_STEP_CLOCK_OFFSET: no proc file system is mounted at /proc.
///
/// Man page: time_namespaces(7).
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

/// Sets the offset of CLOCK_BOOTTIME, and so of the uptime, in the program's new time
/// namespace.
///
/// The kernel adds `seconds` and `nanoseconds` to the clock. `seconds` may be negative;
/// `nanoseconds` is 0 to 999999999 and is always added, as in a struct timespec: half a second
/// back is -1 and 500000000. Default: 0. Requests a new time namespace, which takes
/// CONFIG_TIME_NS in the kernel.
///
/// Errors: -EINVAL if `nanoseconds` is larger; -ERANGE if the clock would be negative or beyond
/// half of the kernel's range (146 years). From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_share shares the time namespace.
/// - -EINVAL at NS_STEP_UNSHARE: the kernel has no time namespaces.
/// - -ENOENT at NS_STEP_CLOCK_OFFSET: no proc file system is mounted at /proc.
///
/// Man page: time_namespaces(7).
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

/// Mounts a new proc file system for the program's pid namespace at `path`, after all other
/// mounts.
///
/// `path`, usually "/proc", is an absolute path as the program sees it. The directory must
/// exist; where the spec has other mounts, it is created if it is missing. A later call
/// replaces the path. Requests a new mount namespace. ns_spec_mount_procfs mounts a proc file
/// system at its place among other mounts.
///
/// Errors: -EINVAL if `path` is empty. From ns_spawn at NS_STEP_ARGUMENT: -EINVAL beside a joined
/// pid namespace. From ns_spawn at NS_STEP_MOUNT_PROC:
/// - -EPERM or -EACCES: a new user namespace without a new pid namespace, or the caller's own
///   /proc is partly covered by other mounts, as in a container.
/// - -EINVAL: the mount point lies on a shared mount; use NS_PROPAGATION_PRIVATE.
/// - -ENOENT or -ENOTDIR: `path` is not a directory.
///
/// ns_exec fails with -EINVAL if the spec has a new pid namespace.
///
/// Man pages: proc(5), pid_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_proc(
    spec: *mut ns_spec,
    path: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.mount_proc(text(path, "path")?)) }
}

/// Sets whether the loopback device of the program's new network namespace is brought up.
///
/// 0: it stays down; otherwise it is brought up, which is the default. It has no effect without
/// a new network namespace and requests none.
///
/// Error from ns_spawn: -EPERM at NS_STEP_LOOPBACK, if a security module takes the capabilities
/// of the new user namespace away.
///
/// Man page: network_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_loopback(spec: *mut ns_spec, up: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.loopback(up != 0))) }
}
