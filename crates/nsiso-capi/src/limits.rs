//! The program's cgroup: its limits and its use of resources.

use std::ffi::{c_char, c_int};

use nsiso::{Error, Io, Limits, Result};

use crate::argument::{reference, reference_mut, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::process::ns_process;
use crate::resources::NS_UNKNOWN;
use crate::spec::{ns_spec, set};

/// ns_limits_set: bytes of memory; if they are exceeded, the kernel kills a process of the
/// cgroup.
pub const NS_LIMIT_MEMORY: i32 = 0;
/// ns_limits_set: bytes of memory above which the kernel slows the cgroup down and reclaims its
/// memory. Version 2 of cgroups.
pub const NS_LIMIT_MEMORY_HIGH: i32 = 1;
/// ns_limits_set: bytes of memory that the kernel does not reclaim from the cgroup while it can
/// reclaim others. Version 2 of cgroups.
pub const NS_LIMIT_MEMORY_LOW: i32 = 2;
/// ns_limits_set: bytes of swap. On version 1 of cgroups it needs NS_LIMIT_MEMORY, too.
pub const NS_LIMIT_SWAP: i32 = 3;
/// ns_limits_set: CPU time in thousandths of a CPU, 1 to 100000000: 500 is half of one CPU,
/// 2000 is two.
pub const NS_LIMIT_CPU: i32 = 4;
/// ns_limits_set: the share of CPU time relative to other cgroups, 1 to 10000; the kernel's
/// default is 100.
pub const NS_LIMIT_CPU_WEIGHT: i32 = 5;
/// ns_limits_set: the number of processes and threads.
pub const NS_LIMIT_PIDS: i32 = 6;

/// Limits of a cgroup. Opaque and reusable. New limits limit nothing.
///
/// A setter must not run while another thread uses the same limits.
pub struct ns_limits(Limits);

/// Creates limits that limit nothing.
///
/// Returns NULL if it fails. Free them with ns_limits_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_limits_new() -> *mut ns_limits {
    quiet_boundary(std::ptr::null_mut(), || Box::into_raw(Box::new(ns_limits(Limits::new()))))
}

/// Frees limits; NULL is allowed.
///
/// Specs have their own copies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_limits_free(limits: *mut ns_limits) {
    // SAFETY: NULL, or made by ns_limits_new and not freed before, says the header.
    unsafe { free(limits) }
}

/// # Safety
/// `limits` is NULL or valid, and nothing else uses the limits.
unsafe fn change(
    limits: *mut ns_limits,
    err: *mut ns_error,
    option: impl FnOnce(Limits) -> Result<Limits>,
) -> c_int {
    boundary(err, || {
        // SAFETY: the caller's promise.
        let limits = unsafe { reference_mut(limits, "limits") }?;
        limits.0 = option(limits.0.clone())?;
        Ok(0)
    })
}

/// Sets one limit of a cgroup.
///
/// `what` is one of NS_LIMIT_..., whose description has the unit of `value`. A later call for
/// the same limit replaces the value. Default: no limit.
///
/// Errors: -EINVAL for another `what`, or a `value` out of the range that NS_LIMIT_CPU or
/// NS_LIMIT_CPU_WEIGHT states. From ns_spawn at NS_STEP_LIMIT:
/// - -ENOTSUP: the controller is not available, NS_LIMIT_MEMORY_HIGH or NS_LIMIT_MEMORY_LOW on
///   version 1 of cgroups, or NS_LIMIT_SWAP there without NS_LIMIT_MEMORY.
/// - -ENOENT: the kernel does not have this limit; on version 1 NS_LIMIT_SWAP needs the kernel
///   parameter swapaccount=1.
/// - -EINVAL or -ERANGE: the kernel does not accept the value.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_limits_set(
    limits: *mut ns_limits,
    what: c_int,
    value: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe {
        change(limits, err, |limits| match what {
            NS_LIMIT_MEMORY => Ok(limits.memory(value)),
            NS_LIMIT_MEMORY_HIGH => Ok(limits.memory_high(value)),
            NS_LIMIT_MEMORY_LOW => Ok(limits.memory_low(value)),
            NS_LIMIT_SWAP => Ok(limits.swap(value)),
            NS_LIMIT_CPU => limits.cpu(value as f64 / 1000.0),
            NS_LIMIT_CPU_WEIGHT => limits.cpu_weight(value),
            NS_LIMIT_PIDS => Ok(limits.pids(value)),
            _ => Err(Error::argument(format!("{what} is no limit, NS_LIMIT_..."))),
        })
    }
}

/// Sets the CPUs that processes of a cgroup run on.
///
/// `list` has numbers and ranges, as "0-2,7". A later call replaces it. Default: those of the
/// parent cgroup.
///
/// Errors: -EINVAL if it is empty or has other characters. From ns_spawn at NS_STEP_LIMIT:
/// - -ENOTSUP: the controller cpuset is not available.
/// - -EINVAL or -ERANGE: the kernel does not accept the list, for example because a CPU does
///   not exist.
///
/// Man page: cpuset(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_limits_cpus(
    limits: *mut ns_limits,
    list: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(limits, err, |limits| limits.cpus(&text(list, "list")?.to_string_lossy())) }
}

/// Limits the input and output of a cgroup on one block device.
///
/// `device` is the path of the device's file, or of a file or directory on it; a partition
/// stands for its disk. `rbps` and `wbps` are bytes per second, `riops` and
/// `wiops` are operations per second; NS_UNKNOWN is no limit. A later call for the same device
/// replaces its limits; those of other devices add up.
///
/// Errors: -EINVAL if a limit is 0 or `device` is on no block device; -ENOENT, -EACCES and
/// others of stat(2) at NS_STEP_LIMIT. Error from ns_spawn: -ENOTSUP at NS_STEP_LIMIT, if the
/// controller io is not available.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_limits_io(
    limits: *mut ns_limits,
    device: *const c_char,
    rbps: u64,
    wbps: u64,
    riops: u64,
    wiops: u64,
    err: *mut ns_error,
) -> c_int {
    let limit = |value| Some(value).filter(|value| *value != NS_UNKNOWN);
    let io = Io { rbps: limit(rbps), wbps: limit(wbps), riops: limit(riops), wiops: limit(wiops) };
    // SAFETY: NULL or valid, says the header.
    unsafe { change(limits, err, |limits| limits.io(text(device, "device")?, io)) }
}

/// Limits the memory of a cgroup in huge pages of one size, in bytes.
///
/// `size` is the size of a page, as "2MB" or "1GB". A later call for the same size replaces the
/// limit.
///
/// Errors: -EINVAL if `size` is empty or has other characters than letters and digits. From
/// ns_spawn at NS_STEP_LIMIT:
/// - -ENOTSUP: the controller hugetlb is not available.
/// - -ENOENT: the machine has no huge pages of this size.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_limits_huge_pages(
    limits: *mut ns_limits,
    size: *const c_char,
    bytes: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(limits, err, |limits| limits.huge_pages(&text(size, "size")?.to_string_lossy(), bytes)) }
}

/// Runs the program in a new cgroup with these limits.
///
/// The limits are copied; a later call replaces them. The cgroup counts and limits the program
/// and all its descendants. Each controller is used in version 1 or 2 of cgroups, where the
/// machine has it. The cgroup is created below the caller's nearest cgroup that allows it: as
/// root, or in a cgroup that is delegated to the user (Delegate=yes,
/// systemd.resource-control(5)).
///
/// The cgroup is removed when the program has been waited for; processes still in it are
/// killed. A cgroup left behind by a killed caller is removed by the next call that uses
/// limits. After ns_exec the cgroup remains until then.
///
/// Errors from ns_spawn:
/// - -ENOTSUP at NS_STEP_LIMIT: a limit cannot be enforced.
/// - -EACCES, -EPERM or -EROFS at NS_STEP_CGROUP: the caller may not create a cgroup, or not
///   move a process there.
/// - -ENOTSUP at NS_STEP_CGROUP: no cgroup file system is mounted.
/// - -ENOMEM: the memory limit is too small to start the program.
///
/// ns_hold fails with -EINVAL.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_limits(
    spec: *mut ns_spec,
    limits: *const ns_limits,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.limits(reference(limits, "limits")?.0.clone()))) }
}

/// Sets the cgroup of version 2 below which the program's cgroup is created.
///
/// `path` is a directory of a mounted cgroup2 file system. It has an effect beside
/// ns_spec_limits alone. Default: see ns_spec_limits.
///
/// Errors from ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: it is no directory of a cgroup2 file system.
/// - -ENOENT at NS_STEP_CGROUP: it does not exist.
/// - -EACCES, -EPERM or -EROFS at NS_STEP_CGROUP: the caller may not create a cgroup there, or
///   not move a process there.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cgroup_parent(
    spec: *mut ns_spec,
    path: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.cgroup_parent(text(path, "path")?)) }
}

/// Changes limits of the program's cgroup while the program runs.
///
/// Limits that `limits` does not set stay. If one cannot be set, none is changed.
///
/// Errors:
/// - -ESRCH at NS_STEP_CGROUP: the program has been waited for.
/// - -ENOTSUP at NS_STEP_CGROUP: the spec had no ns_spec_limits.
/// - -ENOTSUP at NS_STEP_LIMIT: the cgroup does not have the controller, as one that limited
///   nothing when the program was started.
/// - -EBUSY at NS_STEP_LIMIT: more is in use than the new limit.
/// - -EINVAL or -ERANGE at NS_STEP_LIMIT: the kernel does not accept the value.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_set_limits(
    process: *const ns_process,
    limits: *const ns_limits,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let (process, limits) = unsafe { (reference(process, "process")?, reference(limits, "limits")?) };
        process.0.set_limits(&limits.0).map(|()| 0)
    })
}

/// Stops all processes of the program's cgroup, or continues them.
///
/// 0: they continue; otherwise they are stopped. It blocks until the kernel reports the state,
/// for two seconds at most. An init process stops, too: ns_spec_deadline and
/// ns_spec_die_with_parent have no effect until the processes continue or ns_process_kill_group
/// kills them.
///
/// Errors at NS_STEP_CGROUP:
/// - -ESRCH: the program has been waited for.
/// - -ENOTSUP: the spec had no ns_spec_limits, or neither version 2 of cgroups nor the freezer
///   of version 1 can be used.
/// - -ETIMEDOUT: a process cannot be stopped, for example because it waits for a disk.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_freeze(
    process: *const ns_process,
    frozen: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { reference(process, "process") }?.0.freeze(frozen != 0).map(|()| 0))
}

/// Kills all processes of the program's cgroup by SIGKILL.
///
/// Returns 0 without effect if the program has been waited for. Before Linux 5.14, and on
/// version 1 of cgroups, the processes are killed one after the other, which can block for some
/// seconds.
///
/// Error: -ENOTSUP at NS_STEP_CGROUP, if the spec had no ns_spec_limits.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_kill_group(process: *const ns_process, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { reference(process, "process") }?.0.kill_group().map(|()| 0))
}
