//! A cgroup of the program's own: limits, and what it uses.

use std::ffi::{c_char, c_int};
use std::time::Duration;

use nsiso::{Error, Io, Limits, Pressure, Resources, Result, Stall};

use crate::argument::{is_null, reference, reference_mut, store, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::process::ns_process;
use crate::spec::{ns_spec, set};

/// ns_limits_set: bytes of memory; beyond them something in the group is killed.
pub const NS_LIMIT_MEMORY: i32 = 0;
/// ns_limits_set: bytes of memory beyond which the group is slowed down. Version 2 of cgroups.
pub const NS_LIMIT_MEMORY_HIGH: i32 = 1;
/// ns_limits_set: bytes of memory that are not taken from the group for others. Version 2 of cgroups.
pub const NS_LIMIT_MEMORY_LOW: i32 = 2;
/// ns_limits_set: bytes of swap. On version 1 NS_LIMIT_MEMORY goes with it.
pub const NS_LIMIT_SWAP: i32 = 3;
/// ns_limits_set: thousandths of a processor: 500 is half of one, 2000 is two.
pub const NS_LIMIT_CPU: i32 = 4;
/// ns_limits_set: the share of time against others that want it, too: 1 to 10000, 100 is usual.
pub const NS_LIMIT_CPU_WEIGHT: i32 = 5;
/// ns_limits_set: processes and threads.
pub const NS_LIMIT_PIDS: i32 = 6;

/// ns_limits_io, ns_resources: no limit; not counted.
pub const NS_UNKNOWN: u64 = u64::MAX;

/// Limits of a cgroup. Opaque, reusable. Nothing is limited at first.
pub struct ns_limits(Limits);

/// Time spent waiting for something. `total` is NS_UNKNOWN where the kernel does not count it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_stall {
    /// Percent of the last 10 seconds.
    pub avg10: f64,
    /// Percent of the last minute.
    pub avg60: f64,
    /// Percent of the last five minutes.
    pub avg300: f64,
    /// In all, in nanoseconds.
    pub total: u64,
}

/// How long a group has waited for one resource. Counted by version 2 of cgroups.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_pressure {
    /// One of its processes at least was waiting.
    pub some: ns_stall,
    /// All of them were, so that nothing was done.
    pub full: ns_stall,
}

/// What everything in a program's cgroup uses, or has used. NS_UNKNOWN where no controller counts it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_resources {
    /// Bytes of memory now.
    pub memory: u64,
    /// The most bytes of memory at a time.
    pub peak_memory: u64,
    /// How many processes were killed because the memory limit was reached.
    pub oom_kills: u64,
    /// Processor time, in nanoseconds.
    pub cpu_time: u64,
    /// How long it was held back by its limit of processor time, in nanoseconds.
    pub throttled_time: u64,
    /// Processes and threads now.
    pub pids: u64,
    /// Bytes read from block devices.
    pub read_bytes: u64,
    /// Bytes written to block devices.
    pub written_bytes: u64,
    /// How long it waited for memory: to get it back from swap, or to free some first.
    pub memory_pressure: ns_pressure,
    /// How long it waited for a processor.
    pub cpu_pressure: ns_pressure,
    /// How long it waited for block devices.
    pub io_pressure: ns_pressure,
}

/// New limits; NULL when memory is used up. Free them with ns_limits_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_limits_new() -> *mut ns_limits {
    quiet_boundary(std::ptr::null_mut(), || Box::into_raw(Box::new(ns_limits(Limits::new()))))
}

/// Frees limits; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_limits_free(limits: *mut ns_limits) {
    // SAFETY: NULL, or made by ns_limits_new and not freed before, says the header.
    unsafe { free(limits) }
}

/// # Safety
/// `limits` is NULL or limits that nobody else uses.
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

/// Sets one limit, NS_LIMIT_..., in its unit. cgroups(7).
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

/// The processors it runs on, as a list like "0-2,7". cpuset(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_limits_cpus(
    limits: *mut ns_limits,
    list: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(limits, err, |limits| limits.cpus(&text(list, "list")?.to_string_lossy())) }
}

/// The most that is done per second on a block device, given by its file or by a file on it: bytes read and written, read and write
/// operations; NS_UNKNOWN for no limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_limits_io(
    limits: *mut ns_limits,
    device: *const c_char,
    read_bytes: u64,
    write_bytes: u64,
    reads: u64,
    writes: u64,
    err: *mut ns_error,
) -> c_int {
    let limit = |value| Some(value).filter(|value| *value != NS_UNKNOWN);
    let io = Io {
        read_bytes: limit(read_bytes),
        write_bytes: limit(write_bytes),
        reads: limit(reads),
        writes: limit(writes),
    };
    // SAFETY: NULL or valid, says the header.
    unsafe { change(limits, err, |limits| limits.io(text(device, "device")?, io)) }
}

/// Bytes of huge pages of one size, such as "2MB".
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

/// Puts the program into a cgroup of its own with these limits, which are copied: by version 1 or 2 of cgroups, whichever has the
/// controller on this machine; a limit that cannot be enforced fails the spawn with -ENOTSUP. The group is removed when the program has ended
/// and been waited for; what is left in it then is killed. It is made below the nearest group of the caller's that can be used: root's own, or
/// one delegated to the user (Delegate=yes).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_limits(
    spec: *mut ns_spec,
    limits: *const ns_limits,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.limits(reference(limits, "limits")?.0.clone()))) }
}

/// The group of version 2 below which the program's is made: a directory of a mounted cgroup2.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cgroup_parent(
    spec: *mut ns_spec,
    path: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.cgroup_parent(text(path, "path")?)) }
}

/// Stores what everything in the program's group uses now, or has used once it has ended, in `*out`, which has `size` bytes: pass
/// sizeof(ns_resources). -ENOTSUP without ns_spec_limits.
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

/// Changes limits while the program runs; those that are not given stay. -ESRCH once it has been waited for.
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

/// Stops everything in the program's group (not 0), or lets it go on (0). Returns when all have stopped.
/// -ESRCH once it has been waited for. An init process stops, too: deadlines and the end with the host wait until all go on, or are killed by
/// ns_process_kill_group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_freeze(
    process: *const ns_process,
    frozen: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { reference(process, "process") }?.0.freeze(frozen != 0).map(|()| 0))
}

/// Kills everything in the program's group at once. Once it has been waited for there is nothing left to kill.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_kill_group(process: *const ns_process, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { reference(process, "process") }?.0.kill_group().map(|()| 0))
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
