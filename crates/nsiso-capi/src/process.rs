//! `ns_process`: a started program.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, IntoRawFd};

use nsiso::{Error, Process, Step};

use crate::argument::{reference, reference_mut};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::spec::ns_spec;

/// A started program. Opaque.
///
/// Any number of threads may use it at the same time, but for ns_process_take_pipe,
/// ns_process_take_pty, ns_process_take_notify and ns_process_free.
pub struct ns_process(pub(crate) Process);

/// Starts the program of `spec` and stores the process in `*out`.
///
/// Returns 0 when the program runs. On failure no process is left and `*out` is not changed.
/// Free the process with ns_process_free. Any number of threads may spawn from one spec at the
/// same time. Another thread must not change the environment meanwhile, unless
/// ns_spec_env_clear was called.
///
/// It blocks until the child has executed the program or has failed. In joined namespaces that
/// takes 20 seconds at most; with ns_spec_sync_fds it takes as long as the caller lets the
/// child wait.
///
/// A helper program in memory of its own does the set-up in the child, so a process that may
/// trace the program cannot reach the caller's memory. Where a pid namespace is new or joined,
/// or a cgroup of version 2 is used, the helper creates the program's process as another child
/// of the caller and ends: the caller gets SIGCHLD for each of them.
///
/// Errors (the page of each option lists those of that option):
/// - -EINVAL at NS_STEP_ARGUMENT: options contradict each other.
/// - -EPERM or -EACCES at NS_STEP_CLONE: new namespaces without CAP_SYS_ADMIN and without a new
///   user namespace, or the machine does not let the caller create user namespaces.
/// - -ENOSPC or -EUSERS at NS_STEP_CLONE: a limit in /proc/sys/user is reached, or user or pid
///   namespaces are nested 32 deep.
/// - -EINVAL at NS_STEP_CLONE: the kernel was built without one of the namespaces.
/// - -EAGAIN at NS_STEP_CLONE: RLIMIT_NPROC, pids.max of the cgroup or kernel.pid_max is
///   reached.
/// - -ENOENT at NS_STEP_EXEC: the program or its interpreter does not exist.
/// - -EACCES at NS_STEP_EXEC: the program, its interpreter or a directory may not be executed
///   or searched, or Landlock refuses it.
/// - -EPERM at NS_STEP_EXEC: a seccomp filter of the spec may refuse execve.
/// - -ENOEXEC at NS_STEP_EXEC: the kernel does not know the program's format.
/// - -E2BIG at NS_STEP_EXEC: arguments and environment are too long.
/// - -ENOMEM: the memory limit is too small to start the program.
/// - -EINTR: the child was killed before it executed the program.
///
/// Man pages: clone(2), execve(2), namespaces(7).
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

/// Replaces the calling process by the program of `spec`, as execve(2) does.
///
/// The process keeps its pid, its parent and its terminal; its other threads end. Buffers of
/// stdio are not flushed: call fflush(3) before.
///
///     ns_spec_argv(spec, argv, &err) || ns_spec_map_root(spec, &err) || ns_exec(spec, &err);
///     fprintf(stderr, "%s\n%s\n", err.message, err.hint);
///
/// It returns only if it fails before the process has changed: a negative errno value. Then
/// descriptors and their flags, the signal mask and capabilities are as before, and no child is
/// left.
///
/// If a later step fails, such as a mount or the execution of the program, the process writes
/// the caller's name, the step, the object and the cause to descriptor 2. It exits with 127 if
/// the program is not found, and with 126 otherwise.
///
/// The program gets descriptors 0 to 2 and those of ns_spec_fd. Signals that the caller ignores
/// stay ignored, but for SIGPIPE and SIGXFSZ; all others are at their default, and none is
/// blocked.
///
/// A new or joined pid namespace applies to the program's children: the first one is PID 1
/// there, and the program itself stays in the caller's pid namespace. With ns_spec_limits the
/// cgroup remains when the program has ended; the next call that uses limits removes it and
/// kills the processes that are still in it. The mount of ns_spec_pin remains if a later step
/// fails.
///
/// Id maps of other ids than the caller's own, and ns_spec_pin, take a caller with one thread:
/// a child of it writes the maps, and is reaped before the program is executed.
///
/// It may be called from any thread. Other threads must not change the environment meanwhile.
///
/// Errors:
/// - -EINVAL: an option that needs a parent process: ns_spec_init, ns_spec_wait_for_all,
///   ns_spec_die_with_parent, ns_spec_deadline, ns_spec_sandbox, NS_STDIO_PIPE, ns_spec_pty,
///   ns_spec_link, ns_spec_device, ns_spec_uplink, ns_spec_seccomp_notify or ns_spec_sync_fds.
///   Use ns_spawn.
/// - -EINVAL: a proc file system beside a new pid namespace.
/// - -EINVAL: id maps or pins, as above, in a caller with several threads.
/// - -EPERM at NS_STEP_CLONE: new namespaces without CAP_SYS_ADMIN and without a new user
///   namespace.
/// - -ENOENT at NS_STEP_EXEC: the interpreter of the program does not exist.
/// - -EACCES or -EPERM: the helper program of the library may not be executed.
///
/// Man pages: execve(2), unshare(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_exec(spec: *const ns_spec, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        Err(unsafe { reference(spec, "spec")? }.0.exec())
    })
}

/// Frees the handle of a process; NULL is allowed.
///
/// It neither kills the process nor waits for it. A process that has ended is reaped. A process
/// that still runs is detached: it continues to run, in its cgroup. When it has ended, the next
/// ns_spawn, the next ns_process_wait that returns a status or the next ns_process_free reaps
/// it and removes its cgroup; processes still in that cgroup are killed. Until then it is a
/// zombie, and the library keeps a descriptor of it. If the caller ends first, init(1) reaps
/// it. A copy of the caller made by fork(2) neither reaps nor removes.
///
/// Pipes and other descriptors that were not taken are closed. The pidfd must not be used after
/// this call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_free(process: *mut ns_process) {
    // SAFETY: NULL, or made by ns_spawn and not freed before, says the header.
    unsafe { free(process) }
}

/// Returns the process's id in the caller's pid namespace.
///
/// With ns_spec_init it is the id of the init process. Send signals with ns_process_signal,
/// which cannot reach another process that got the same id later.
///
/// Errors: -EINVAL if `process` is NULL.
///
/// Man page: pid_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_pid(process: *const ns_process) -> c_int {
    quiet_boundary(-libc::EINVAL, || {
        // SAFETY: NULL or valid, says the header.
        unsafe { process.as_ref() }.map_or(-libc::EINVAL, |process| process.0.pid())
    })
}

/// Returns the process's pidfd.
///
/// The descriptor belongs to the process: do not close it. It is valid until ns_process_free.
/// poll(2) reports it as readable when the process has ended. With ns_spec_init it refers to
/// the init process.
///
/// Errors: -EINVAL if `process` is NULL.
///
/// Man page: pidfd_open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_pidfd(process: *const ns_process) -> c_int {
    quiet_boundary(-libc::EINVAL, || {
        // SAFETY: NULL or valid, says the header.
        unsafe { process.as_ref() }.map_or(-libc::EINVAL, |process| process.0.pidfd().as_raw_fd())
    })
}

/// Returns the caller's end of the pipe at the program's descriptor 0, 1 or 2.
///
/// The caller owns the descriptor and closes it. It is for writing if `child_fd` is 0, else for
/// reading: read it to its end before ns_process_wait, or the program may block in a full pipe.
/// ns_spec_stdio with NS_STDIO_PIPE creates the pipe. The call must not run while another thread
/// uses `process`.
///
/// Errors: -EBADF if there is no such pipe or it has been taken.
///
/// Man page: pipe(2).
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

/// Returns the master side of the program's pseudo-terminal, ns_spec_pty.
///
/// The caller owns the descriptor and closes it. The call must not run while another thread
/// uses `process`.
///
/// Errors: -EBADF if there is no pseudo-terminal or it has been taken.
///
/// Man page: pty(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_take_pty(process: *mut ns_process, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let process = unsafe { reference_mut(process, "process") }?;
        let pty = process.0.take_pty();
        pty.map(IntoRawFd::into_raw_fd)
            .ok_or_else(|| Error::new(Step::Pty, libc::EBADF, "the caller's end of the terminal"))
    })
}

/// Returns the listener of the seccomp filter of ns_spec_seccomp_notify.
///
/// The caller owns the descriptor and closes it. It is readable when a process of the program
/// waits for an answer. The call must not run while another thread uses `process`.
///
/// Errors: -EBADF if there is no listener or it has been taken.
///
/// Man page: seccomp_unotify(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_process_take_notify(process: *mut ns_process, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let process = unsafe { reference_mut(process, "process") }?;
        let notify = process.0.take_notify();
        notify
            .map(IntoRawFd::into_raw_fd)
            .ok_or_else(|| Error::new(Step::Seccomp, libc::EBADF, "the caller's end of the filter"))
    })
}

/// Sends a signal to the process.
///
/// `signal` is 1 to 64; 0 only checks whether a signal could be sent. With ns_spec_init the
/// init process passes the signal to the program, but for SIGKILL and SIGSTOP, which act on
/// itself: SIGKILL ends everything in the pid namespace.
///
/// Errors:
/// - -ESRCH: the process has ended and its status was collected.
/// - -EPERM: the process runs as another user, and the caller lacks CAP_KILL.
/// - -EINVAL: there is no such signal.
///
/// Man page: pidfd_send_signal(2).
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
