//! `ns_process`: a started program.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::Duration;

use nsiso::{Error, Exit, Process, Status, Step};

use crate::argument::{is_null, reference, reference_mut, store};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::spec::ns_spec;

/// A started program. Opaque. All functions but ns_process_take_pipe and ns_process_free may be called
/// from many threads at a time.
pub struct ns_process(pub(crate) Process);

/// How a program ended and what it has used. Times are nanoseconds.
///
/// The kernel reports the status of a process, so it is certain. With ns_spec_init, the init
/// process reports the status of the program. A program that is root inside can write a report in
/// its place, and can end the init process with an exit code of its choice. Then all fields but
/// `out_of_memory` are the program's word. A report that cannot be true is ignored: the status is
/// that of the init process itself.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_status {
    /// The exit code, or -1 if it was killed by a signal.
    pub exit_code: i32,
    /// The signal that killed it, or 0.
    pub signal: i32,
    /// 1 if a core file was written.
    pub core_dumped: i32,
    /// 1 if the fields below are known: the kernel tells them only to who reaps the process.
    pub usage_known: i32,
    /// Time on a CPU outside the kernel, children it waited for included.
    pub user_time: u64,
    /// Time on a CPU inside the kernel.
    pub system_time: u64,
    /// The most physical memory that it had at a time, in bytes.
    pub peak_memory: u64,
    /// 1 if it was killed because its deadline was over, ns_spec_deadline.
    pub timed_out: i32,
    /// 1 if something in its cgroup was killed because the memory limit was reached, ns_spec_limits.
    pub out_of_memory: i32,
}

/// Starts the program of `spec` and stores it in `*out`. Returns 0 when the program runs. On failure
/// the step tells what went wrong, nothing is left behind and `*out` is not touched. Blocks until the
/// program has been executed. Many threads may spawn from one spec at a time.
///
/// A helper program does the set-up in memory of its own, so a process that may trace the program
/// reaches nothing of the caller. Where a pid namespace is new or joined, or a cgroup of version 2
/// is used, the helper makes the program's process and ends: the caller, whose child both are, gets
/// SIGCHLD for each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spawn(
    spec: *const ns_spec,
    out: *mut *mut ns_process,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: both are NULL or valid, says the header.
        let (spec, out) = unsafe { (reference(spec, "spec")?, reference_mut(out, "out")?) };
        let process = spec.0.spawn()?;
        *out = Box::into_raw(Box::new(ns_process(process)));
        Ok(0)
    })
}

/// The calling process becomes the program of `spec`, as by execve(2). It keeps its pid, its parent
/// and its terminal; its other threads end. Buffers of stdio are not flushed: call fflush(3)
/// before.
///
///     ns_spec_argv(spec, argv, &err) || ns_spec_map_root(spec, &err) || ns_exec(spec, &err);
///     fprintf(stderr, "%s\n%s\n", err.message, err.hint);
///
/// Returns only where it fails before the process has changed: a negative errno. Descriptors and
/// their flags, signal mask and capabilities are then as before, and there is no child. EINVAL for
/// an option that takes a parent (below), ENOENT for a missing interpreter of the program, EACCES
/// or EPERM where the helper program may not be executed.
///
/// What fails later, as a mount or the program itself, is written to descriptor 2: the caller's
/// name, the step, the object and the cause. The process then exits with 127 if the program is not
/// found, with 126 otherwise.
///
/// The program gets descriptors 0 to 2 and those of ns_spec_fd. Signals that the caller ignores
/// stay ignored, but for SIGPIPE and SIGXFSZ; all others are at their default, and none is blocked.
///
/// A new or joined pid namespace is that of the program's children: its first child is PID 1, and
/// the program itself stays where the caller was. With ns_spec_limits the cgroup stays when the
/// program has ended; the next call that uses limits removes it and kills what is left in it. A pin
/// stays if a later step fails.
///
/// Id maps of others than the caller's own ids, and pins, take a caller with one thread: a child of
/// it writes them, and is reaped before the program is executed. EINVAL with several threads.
///
/// EINVAL for options that take a parent: ns_spec_init and what brings it (ns_spec_sandbox,
/// ns_spec_deadline), NS_STDIO_PIPE, ns_spec_pty, ns_spec_link, ns_spec_device, ns_spec_uplink,
/// ns_spec_seccomp_notify, ns_spec_sync_fds; and for a fresh proc beside a new pid namespace. For those
/// use ns_spawn.
///
/// May be called from any thread. Other threads must not change the environment meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_exec(spec: *const ns_spec, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        Err(unsafe { reference(spec, "spec")? }.0.exec())
    })
}

/// Frees the handle; NULL is allowed. It neither kills the process nor waits for it. A process that
/// has ended is reaped. A process that still runs is detached: it runs on, in its cgroup. When it
/// has ended, the next ns_spawn, the next ns_process_wait that returns a status or the next
/// ns_process_free reaps it and removes its cgroup; processes left in that cgroup are killed. Until
/// then it is a zombie, and the library keeps a descriptor of it. Init reaps it if the caller ends
/// first. A copy of the caller that fork(2) made neither reaps nor removes. A pipe that was not
/// taken is closed. The pidfd must not be used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_free(process: *mut ns_process) {
    // SAFETY: NULL, or made by ns_spawn and not freed before, says the header.
    unsafe { free(process) }
}

/// The process id in the caller's pid namespace; -EINVAL for NULL. For signals use ns_process_signal,
/// which cannot hit another process that got the same id later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_pid(process: *const ns_process) -> c_int {
    quiet_boundary(-libc::EINVAL, || {
        // SAFETY: NULL or valid, says the header.
        unsafe { process.as_ref() }.map_or(-libc::EINVAL, |process| process.0.pid())
    })
}

/// The process's pidfd, which stays the process's: poll(2) finds it readable once the program has ended.
/// -EINVAL for NULL. pidfd_open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_pidfd(process: *const ns_process) -> c_int {
    quiet_boundary(-libc::EINVAL, || {
        // SAFETY: NULL or valid, says the header.
        unsafe { process.as_ref() }.map_or(-libc::EINVAL, |process| process.0.pidfd().as_raw_fd())
    })
}

/// Hands out the caller's end of the pipe at the program's descriptor 0, 1 or 2: a descriptor that the
/// caller closes. -EBADF if there is none or it has been taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_take_pipe(
    process: *mut ns_process,
    child_fd: c_int,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let process = unsafe { reference_mut(process, "process") }?;
        let pipe = process.0.take_pipe(child_fd);
        pipe.map(IntoRawFd::into_raw_fd).ok_or_else(|| {
            Error::new(Step::Descriptor, libc::EBADF, format!("the caller's end of descriptor {child_fd}"))
        })
    })
}

/// Hands out the host's end of the program's terminal, ns_spec_pty: a descriptor that the caller closes. -EBADF if there is none or it
/// has been taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_take_pty(process: *mut ns_process, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let process = unsafe { reference_mut(process, "process") }?;
        let pty = process.0.take_pty();
        pty.map(IntoRawFd::into_raw_fd)
            .ok_or_else(|| Error::new(Step::Pty, libc::EBADF, "the host's end of the terminal"))
    })
}

/// Hands out the host's end of ns_spec_seccomp_notify: a descriptor that the caller closes, readable when the program waits for an
/// answer. -EBADF if there is none or it has been taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_take_notify(process: *mut ns_process, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let process = unsafe { reference_mut(process, "process") }?;
        let notify = process.0.take_notify();
        notify
            .map(IntoRawFd::into_raw_fd)
            .ok_or_else(|| Error::new(Step::Seccomp, libc::EBADF, "the host's end of the filter"))
    })
}

/// Waits until the program has ended, `timeout_ns` nanoseconds at most (0: does not wait;
/// negative: no limit), and stores its status in `*out`, which has `size` bytes: pass
/// sizeof(ns_status). -ETIMEDOUT if it still runs. It may be called again, and by many threads: all
/// get the same status. -ECHILD if the status is lost because the caller reaps all children or
/// ignores SIGCHLD and the kernel is older than 6.15.
///
/// A cancellation point while it waits: a thread that pthread_cancel(3) ends there has collected
/// nothing, and the process can still be waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ns_process_wait(
    process: *const ns_process,
    timeout_ns: i64,
    out: *mut ns_status,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    // Nothing that has to be dropped may live here: the thread may end in this call.
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
            Ok(ns) => process.wait_timeout(Duration::from_nanos(ns))?.ok_or_else(|| {
                Error::new(Step::Wait, libc::ETIMEDOUT, format!("process {}", process.pid()))
            })?,
        };
        // SAFETY: `size` bytes, says the header.
        unsafe { store(out, size, &ns_status::from(status)) }?;
        Ok(0)
    })
}

/// Waits until the descriptor is readable or the time, in nanoseconds, is up, and returns what is
/// left of that. A negative time is no limit.
///
/// The thread may be cancelled in here. The C library then unwinds the stack, so that neither this
/// function nor its callers may hold a value that has to be dropped.
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
        // In whole milliseconds, rounded up, so that it does not return before the time.
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

/// Sends a signal; 0 only asks whether it could be sent. -ESRCH once the process has been reaped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_signal(
    process: *const ns_process,
    signal: c_int,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        unsafe { reference(process, "process") }?.0.signal(signal).map(|()| 0)
    })
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
