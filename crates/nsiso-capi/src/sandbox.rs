//! The init process, the deadline, the sandbox, and sharing of namespaces.

use std::ffi::c_int;
use std::time::Duration;

use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// Sets whether an init process is PID 1 in the program's pid namespace, in place of the
/// program.
///
/// 0: none, which is the default; otherwise one. The init process is a small process of the
/// library. It reaps orphans, passes signals to the program, kills everything in the namespace
/// when the program ends, and reports the program's status even if another part of the caller
/// reaps all children. ns_process_pid and ns_process_pidfd are those of the init process.
///
/// It requests a new pid namespace; 0 does not remove that, but undoes ns_spec_wait_for_all and
/// ns_spec_die_with_parent. ns_spec_sandbox sets it.
///
/// Error from ns_spawn: -EINVAL at NS_STEP_ARGUMENT, if ns_spec_share shares the pid namespace,
/// or ns_spec_deadline is set and the init process is off. ns_exec fails with -EINVAL.
///
/// Man page: pid_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_init(spec: *mut ns_spec, on: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.init(on != 0))) }
}

/// Sets whether the init process waits for all descendants of the program.
///
/// 0: the pid namespace ends with the program, which is the default; otherwise it ends when all
/// processes in it have ended. It sets ns_spec_init, if `on` is not 0.
///
/// Error from ns_spawn: -EINVAL at NS_STEP_ARGUMENT, if ns_spec_share shares the pid namespace.
/// ns_exec fails with -EINVAL.
///
/// Man page: pid_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_wait_for_all(spec: *mut ns_spec, on: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.wait_for_all(on != 0))) }
}

/// Sets whether everything in the program's pid namespace is killed when the calling process
/// has ended.
///
/// 0: it continues to run, which is the default; otherwise it is killed. The end of the calling
/// thread does not count. It sets ns_spec_init, if `on` is not 0. ns_spec_sandbox sets it.
///
/// Error from ns_spawn: -EINVAL at NS_STEP_ARGUMENT, if ns_spec_share shares the pid namespace.
/// ns_exec fails with -EINVAL.
///
/// Man page: pid_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_die_with_parent(spec: *mut ns_spec, on: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.die_with_parent(on != 0))) }
}

/// Sets a time limit, in nanoseconds, after which everything in the program's pid namespace is
/// killed.
///
/// The time runs on CLOCK_MONOTONIC from the start of the init process. The field `timed_out`
/// of ns_status is 1 if it has expired. If the program hinders the init process, ns_process_wait
/// kills everything one second later. It sets ns_spec_init. Default: no limit.
///
/// Errors: -EINVAL if `nanoseconds` is 0 or more than 270 years. Error from ns_spawn: -EINVAL
/// at NS_STEP_ARGUMENT, if ns_spec_init is set to 0 later or ns_spec_share shares the pid
/// namespace. ns_exec fails with -EINVAL.
///
/// Man page: pid_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_deadline(spec: *mut ns_spec, nanoseconds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.deadline(Duration::from_nanos(nanoseconds))) }
}

/// Isolates a program that is not trusted.
///
/// It sets these options:
/// - All kinds of namespace are new. There is no network but loopback. The host name is
///   "sandbox".
/// - The root directory shows the caller's /usr read-only, a new /proc, /dev and /tmp, a few
///   files in /etc, and nothing else of the caller's file system. The working directory is
///   /tmp.
/// - The environment has PATH, HOME and LANG alone.
/// - The program has no capabilities and cannot gain any, and cannot create user namespaces.
///   ns_spec_landlock, as far as the kernel supports it, and ns_spec_seccomp are set.
/// - ns_spec_init, ns_spec_die_with_parent, ns_spec_new_session and ns_spec_reset_signals are
///   set.
/// - Files take 64 MiB at most in each of /tmp, /dev/shm and the rest. There are at most 512
///   processes, 64 KiB of locked memory, 1024 pending signals and 256 KiB of POSIX message
///   queues; lower limits of the caller stay.
/// - There are no core dumps, also where the machine pipes them to a program: the limit is 1,
///   see core(5). If the caller's hard limit is 0, it stays 0, and such a program is started.
///
/// If the caller is root, the program runs as nobody, where the caller's user namespace maps
/// that id.
///
/// Later options add to it, and mounts that are added may be written unless they are read-only.
/// Names and resource limits that were set before stay. These options loosen it: ns_spec_share;
/// ns_spec_landlock with NULL; ns_spec_seccomp, ns_spec_init and ns_spec_die_with_parent with
/// 0; ns_spec_new_privs and ns_spec_user_namespaces with 1.
///
/// It needs no privilege where the machine lets the caller create user namespaces.
///
/// Errors from ns_spawn:
/// - -EPERM or -EACCES at NS_STEP_CLONE: the machine does not let the caller create user
///   namespaces.
/// - -EPERM or -EACCES at NS_STEP_MOUNT_PROC: the caller's own /proc is partly covered by other
///   mounts, as in a container.
/// - -EACCES, -EROFS or -ENOENT at NS_STEP_USER_NAMESPACES: /proc/sys cannot be written.
/// - -EINVAL at NS_STEP_ARGUMENT: the caller is root, and a user namespace is joined.
///
/// ns_exec fails with -EINVAL.
///
/// Man pages: namespaces(7), landlock(7), seccomp(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_sandbox(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.sandbox()) }
}

/// Shares namespaces of these kinds with the caller, whatever requested new ones before.
///
/// `kinds` is NS_NET, NS_PID, ... joined by |. A later option that needs a kind requests a new
/// namespace again. The host and domain name of ns_spec_sandbox are removed with the UTS
/// namespace.
///
/// Errors: -EINVAL for a bit that is not in NS_ALL. Error from ns_spawn: -EINVAL at
/// NS_STEP_ARGUMENT, if another option needs a new namespace of the kind, such as
/// ns_spec_hostname or a mount.
///
/// Man page: namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_share(spec: *mut ns_spec, kinds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.share(crate::argument::kinds(kinds)?))) }
}
