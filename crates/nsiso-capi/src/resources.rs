//! `ns_resources`: what the cgroup of a program uses.

use std::ffi::{c_char, c_int};
use std::time::Duration;

use nsiso::{Pressure, Resources, Stall};

use crate::argument::{is_null, reference, store};
use crate::document::store_json;
use crate::error::{boundary, ns_error};
use crate::process::ns_process;

/// ns_limits_io: no limit. ns_resources: the kernel does not count it.
pub const NS_UNKNOWN: u64 = u64::MAX;

/// The time that processes were stalled on a resource.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_stall {
    /// The share of the last 10 seconds, in percent.
    pub avg10: f64,
    /// The share of the last minute, in percent.
    pub avg60: f64,
    /// The share of the last five minutes, in percent.
    pub avg300: f64,
    /// The total time in nanoseconds, or NS_UNKNOWN.
    pub total: u64,
}

/// How much processes of a cgroup were stalled on one resource. Version 2 of cgroups counts it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_pressure {
    /// The time that at least one process was stalled.
    pub some: ns_stall,
    /// The time that all processes were stalled at once.
    pub full: ns_stall,
}

/// What the processes of a program's cgroup use and have used. A field is NS_UNKNOWN if no
/// controller counts it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_resources {
    /// Memory in use, in bytes.
    pub memory: u64,
    /// The largest value of `memory` so far, in bytes.
    pub peak_memory: u64,
    /// The number of processes killed because the memory limit was reached.
    pub oom_kills: u64,
    /// CPU time used, in nanoseconds.
    pub cpu_time: u64,
    /// The time, in nanoseconds, that the CPU limit kept processes from running.
    pub throttled_time: u64,
    /// The number of processes and threads.
    pub pids: u64,
    /// Bytes read from block devices.
    pub read_bytes: u64,
    /// Bytes written to block devices.
    pub written_bytes: u64,
    /// Stalls on memory, such as reading from swap or reclaiming.
    pub memory_pressure: ns_pressure,
    /// Stalls on CPU time.
    pub cpu_pressure: ns_pressure,
    /// Stalls on block devices.
    pub io_pressure: ns_pressure,
}

/// Stores in `*out` what the processes of the program's cgroup use and have used.
///
/// `out` has room for `size` bytes: pass sizeof(ns_resources). After the program has been
/// waited for, the values are the last ones of the cgroup.
///
/// Errors:
/// - -ENOTSUP at NS_STEP_CGROUP: the spec had no ns_spec_limits.
/// - -EINVAL: `out` is NULL or `size` is 0.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_resources(
    process: *const ns_process,
    out: *mut ns_resources,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        if out.is_null() {
            return Err(is_null("out"));
        }
        // SAFETY: NULL or valid, says the header.
        let resources = unsafe { reference(process, "process") }?.0.resources()?;
        // SAFETY: `size` bytes, says the header.
        unsafe { store(out, size, &ns_resources::from(resources)) }?;
        Ok(0)
    })
}

/// Writes the resource usage of the program's cgroup as a JSON object. Stores the text in `*out`;
/// free it with ns_string_free.
///
/// The keys are the fields of ns_resources and, in the objects of the three pressures, those of
/// ns_pressure and ns_stall. Times are seconds, as 0.25. A value that no controller counts is null,
/// as a pressure without version 2 of cgroups. Later versions may add keys. After the program has
/// been waited for, the values are the last ones of the cgroup. It needs no privilege.
///
/// Errors:
/// - -ENOTSUP at NS_STEP_CGROUP: the spec had no ns_spec_limits.
/// - -EINVAL: `process` or `out` is NULL.
///
/// Man page: cgroups(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_resources_to_json(
    process: *const ns_process,
    out: *mut *mut c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { store_json(out, || reference(process, "process")?.0.resources()) })
}

fn known(value: Option<u64>) -> u64 {
    value.unwrap_or(NS_UNKNOWN)
}

fn time(time: Option<Duration>) -> u64 {
    known(time.and_then(|time| u64::try_from(time.as_nanos()).ok()))
}

impl From<Option<Stall>> for ns_stall {
    fn from(stall: Option<Stall>) -> Self {
        let Stall { avg10, avg60, avg300, .. } = stall.unwrap_or_default();
        ns_stall { avg10, avg60, avg300, total: time(stall.map(|stall| stall.total)) }
    }
}

impl From<Option<Pressure>> for ns_pressure {
    fn from(pressure: Option<Pressure>) -> Self {
        let some = pressure.map(|pressure| pressure.some);
        ns_pressure { some: some.into(), full: pressure.and_then(|pressure| pressure.full).into() }
    }
}

impl From<Resources> for ns_resources {
    fn from(resources: Resources) -> Self {
        ns_resources {
            memory: known(resources.memory),
            peak_memory: known(resources.peak_memory),
            oom_kills: known(resources.oom_kills),
            cpu_time: time(resources.cpu_time),
            throttled_time: time(resources.throttled_time),
            pids: known(resources.pids),
            read_bytes: known(resources.read_bytes),
            written_bytes: known(resources.written_bytes),
            memory_pressure: resources.memory_pressure.into(),
            cpu_pressure: resources.cpu_pressure.into(),
            io_pressure: resources.io_pressure.into(),
        }
    }
}
