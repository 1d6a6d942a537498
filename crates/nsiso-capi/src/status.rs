//! `ns_status`: how a program ended.

use std::ffi::{c_char, c_int};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nsiso::{Error, Exit, Process, Status, Step};

use crate::argument::{is_null, reference, store};
use crate::document::store_json;
use crate::error::{boundary, ns_error};
use crate::process::ns_process;

/// How a program ended and what it has used.
///
/// The kernel reports the status of a process, so it is reliable. With ns_spec_init, the init
/// process reports the status of the program. A program that is root inside can write a report
/// in its place, and can end the init process with an exit code of its choice. Then only
/// `out_of_memory` is reliable. A report that cannot be true is ignored: the status is that of
/// the init process itself.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_status {
    /// The exit code, or -1 if a signal killed the program.
    pub exit_code: i32,
    /// The number of the signal that killed the program, or 0.
    pub signal: i32,
    /// 1 if a core file was written, else 0.
    pub core_dumped: i32,
    /// 1 if the next three fields are known, else 0. They are unknown if another part of the
    /// caller reaped the process.
    pub usage_known: i32,
    /// CPU time outside the kernel, in nanoseconds, of the program and the children that it
    /// waited for.
    pub user_time: u64,
    /// CPU time inside the kernel, in nanoseconds, of the program and the children that it
    /// waited for.
    pub system_time: u64,
    /// The largest resident set size, in bytes, of the program or of one child that it waited
    /// for.
    pub peak_memory: u64,
    /// 1 if the program was killed at its deadline, ns_spec_deadline; else 0.
    pub timed_out: i32,
    /// 1 if a process in the program's cgroup was killed because the memory limit was reached,
    /// ns_spec_limits; else 0.
    pub out_of_memory: i32,
}

/// Waits until the process has ended and stores its status in `*out`.
///
/// `out` has room for `size` bytes: pass sizeof(ns_status). `timeout_ns` is the time to wait at
/// most, in nanoseconds; 0 does not wait, and a negative value sets no limit. It may be called
/// repeatedly and by many threads: all get the same status. The first call that returns a
/// status removes the process's cgroup and its links; that can take some seconds if processes
/// are still in the cgroup.
///
/// While it waits it is a cancellation point. A thread that pthread_cancel(3) ends there has
/// reaped nothing, and the process can still be waited for.
///
/// Errors:
/// - -ETIMEDOUT: the process still runs.
/// - -ECHILD: the status is lost, because another part of the caller reaped the process or
///   ignores SIGCHLD, and the kernel is older than Linux 6.15. With ns_spec_init the status is
///   not lost.
/// - -EINVAL: `out` is NULL or `size` is 0.
///
/// Man page: waitid(2).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ns_process_wait(
    process: *const ns_process,
    timeout_ns: i64,
    out: *mut ns_status,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    // The thread may end in this call: no value that needs to be dropped may exist here.
    let left = match out.is_null() || timeout_ns == 0 {
        true => timeout_ns,
        // SAFETY: NULL or valid, says the header.
        false => unsafe { process.as_ref() }
            .map_or(timeout_ns, |process| poll_cancellably(process.0.pidfd().as_raw_fd(), timeout_ns)),
    };
    boundary(err, || {
        if out.is_null() {
            return Err(is_null("out"));
        }
        // SAFETY: NULL or valid, says the header.
        let process = &unsafe { reference(process, "process") }?.0;
        let status = match u64::try_from(left) {
            Err(_) => process.wait()?,
            Ok(ns) => process.wait_timeout(Duration::from_nanos(ns))?.ok_or_else(|| still_runs(process))?,
        };
        // SAFETY: `size` bytes, says the header.
        unsafe { store(out, size, &ns_status::from(status)) }?;
        Ok(0)
    })
}

/// Writes the status of a process that has ended as a JSON object. Stores the text in `*out`; free
/// it with ns_string_free.
///
/// The keys are these. Later versions may add keys.
/// - `exit_code`: null if a signal killed the program.
/// - `signal`: the number of the signal that killed the program, or null.
/// - `core_dumped`, `timed_out` and `out_of_memory`: true or false, as in ns_status.
/// - `usage`: an object with `user_time` and `system_time`, in seconds, as 0.25, and `peak_memory`,
///   in bytes; null if they are unknown.
/// - `resources`: what ns_process_resources_to_json writes; null without ns_spec_limits.
///
/// It does not wait for the process to end; otherwise it acts as ns_process_wait: the first call of
/// the two that returns a status removes the process's cgroup and its links. It needs no privilege.
///
/// Errors:
/// - -ETIMEDOUT: the process still runs.
/// - -ECHILD: the status is lost, as on the page of ns_process_wait.
/// - -EINVAL: `process` or `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_status_to_json(
    process: *const ns_process,
    out: *mut *mut c_char,
    err: *mut ns_error,
) -> c_int {
    let status = || {
        // SAFETY: NULL or valid, says the header.
        let process = &unsafe { reference(process, "process") }?.0;
        process.try_wait()?.ok_or_else(|| still_runs(process))
    };
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { store_json(out, status) })
}

fn still_runs(process: &Process) -> Error {
    Error::new(Step::Wait, libc::ETIMEDOUT, format!("process {}", process.pid()))
}

/// Waits until the descriptor is readable or the time, in nanoseconds, is over. Returns the
/// time that remains. A negative time is no limit.
///
/// The thread may be cancelled in this function. The C library then unwinds the stack, so
/// neither this function nor its callers may hold a value that needs to be dropped.
fn poll_cancellably(fd: c_int, timeout_ns: i64) -> i64 {
    unsafe extern "C-unwind" {
        fn poll(fds: *mut libc::pollfd, count: libc::nfds_t, timeout: c_int) -> c_int;
    }
    let now = || {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is valid for writing.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        now.tv_sec * 1_000_000_000 + now.tv_nsec
    };
    let start = now();
    let mut left = timeout_ns;
    loop {
        let mut ended = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // In whole milliseconds, rounded up, so that it does not return too early.
        let timeout = match left {
            ..0 => -1,
            left => (left.saturating_add(999_999) / 1_000_000).min(c_int::MAX.into()) as c_int,
        };
        // SAFETY: one entry that is valid for writing.
        let ready = unsafe { poll(&raw mut ended, 1, timeout) };
        // SAFETY: the thread's own errno.
        let again = ready == 0 || ready < 0 && unsafe { *libc::__errno_location() } == libc::EINTR;
        if timeout_ns >= 0 {
            left = (timeout_ns - (now() - start)).max(0);
        }
        if !again || left == 0 {
            return left;
        }
    }
}

impl From<Status> for ns_status {
    fn from(status: Status) -> Self {
        let (exit_code, signal, core_dumped) = match status.exit() {
            Exit::Code(code) => (code, 0, false),
            Exit::Signal { signal, core_dumped } => (-1, signal, core_dumped),
        };
        let usage = status.usage();
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        ns_status {
            exit_code,
            signal,
            core_dumped: core_dumped.into(),
            usage_known: usage.is_some().into(),
            user_time: usage.map_or(0, |usage| nanoseconds(usage.user_time)),
            system_time: usage.map_or(0, |usage| nanoseconds(usage.system_time)),
            peak_memory: usage.map_or(0, |usage| usage.peak_memory),
            timed_out: status.timed_out().into(),
            out_of_memory: status.out_of_memory().into(),
        }
    }
}
