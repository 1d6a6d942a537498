//! The program: its arguments, environment, directory, descriptors, session and terminal.

use std::ffi::{c_char, c_int};

use nsiso::{Error, Stdio};

use crate::argument::{descriptor, text, texts};
use crate::error::ns_error;
use crate::kinds::*;
use crate::spec::{ns_spec, set};

/// Sets the program and its arguments.
///
/// `argv` is a table that ends with NULL; it is copied. argv[0] is the program's name for
/// itself and the file to execute, unless ns_spec_program names another file later. A name
/// without a slash is searched for in the PATH of the program's environment, as by execvp(3);
/// without PATH, in /bin and /usr/bin. Default: "sh" without arguments. A table of `char *`, as
/// the argv of main, takes a cast in C: (const char *const *)argv.
///
/// Errors: -EINVAL if `argv` has no element or argv[0] is empty. From ns_spawn at NS_STEP_EXEC:
/// - -ENOENT: the file or its interpreter does not exist.
/// - -EACCES: the file, its interpreter or a directory may not be executed or searched.
/// - -ENOEXEC: the kernel does not know the file's format.
/// - -E2BIG: arguments and environment are too long.
/// - -ETXTBSY: the file is open for writing.
///
/// Man page: execve(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_argv(
    spec: *mut ns_spec,
    argv: *const *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.argv(texts(argv, "argv")?)) }
}

/// Sets the file to execute, while argv[0] stays the program's name for itself.
///
/// `program` is a path as the program sees it. A name without a slash is searched for in the
/// PATH of the program's environment. Default: argv[0]. ns_spec_argv replaces it, so call
/// ns_spec_argv first.
///
/// Errors: -EINVAL if `program` is empty. From ns_spawn at NS_STEP_EXEC:
/// - -ENOENT: the file or its interpreter does not exist.
/// - -EACCES: the file, its interpreter or a directory may not be executed or searched.
/// - -ENOEXEC: the kernel does not know the file's format.
///
/// Man page: execve(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_program(
    spec: *mut ns_spec,
    program: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.program(text(program, "program")?)) }
}

/// Makes the program's environment empty.
///
/// It also removes what ns_spec_env_set and ns_spec_env_unset changed before; later calls of
/// ns_spec_env_set add variables. Default: the caller's environment at the time of ns_spawn,
/// which must not run while another thread calls setenv(3).
///
/// Man page: environ(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_env_clear(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.env_clear())) }
}

/// Sets an environment variable of the program.
///
/// `name` and `value` are copied. A later call for the same name replaces the value.
///
/// Errors: -EINVAL if `name` is empty or contains '='.
///
/// Man page: environ(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_env_set(
    spec: *mut ns_spec,
    name: *const c_char,
    value: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.env(text(name, "name")?, text(value, "value")?)) }
}

/// Removes an environment variable from the program's environment.
///
/// A variable that does not exist is no error.
///
/// Errors: -EINVAL if `name` is empty or contains '='.
///
/// Man page: environ(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_env_unset(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.env_unset(text(name, "name")?)) }
}

/// Sets the program's working directory.
///
/// `path` is a path as the program sees it. A relative path of the program is relative to this
/// directory. Default: the caller's working directory; the root directory where the program
/// does not see the former, and in a joined mount namespace.
///
/// Errors: -EINVAL if `path` is empty. From ns_spawn at NS_STEP_CWD:
/// - -ENOENT or -ENOTDIR: it is not a directory that the program sees.
/// - -EACCES: the program's user lacks search permission.
///
/// Man page: chdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cwd(spec: *mut ns_spec, path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.cwd(text(path, "path")?)) }
}

/// Sets what the program's standard input, output or error is connected to.
///
/// `child_fd` is 0, 1 or 2; `stdio` is one of NS_STDIO_.... It replaces what ns_spec_fd or an
/// earlier call set for that number. Default: NS_STDIO_INHERIT.
///
/// Errors: -EINVAL for another `child_fd` or `stdio`. ns_exec fails with -EINVAL for
/// NS_STDIO_PIPE.
///
/// Man page: stdin(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_stdio(
    spec: *mut ns_spec,
    child_fd: c_int,
    stdio: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            let stdio = match stdio {
                NS_STDIO_INHERIT => Stdio::Inherit,
                NS_STDIO_NULL => Stdio::Null,
                NS_STDIO_PIPE => Stdio::Pipe,
                _ => return Err(Error::argument(format!("{stdio} is none of NS_STDIO_*"))),
            };
            spec.stdio(child_fd, stdio)
        })
    }
}

/// Passes the file descriptor `fd` to the program, where its number is `child_fd`.
///
/// `child_fd` is 0 to 1048576. `fd` is borrowed: it must be open now and at each ns_spawn. It
/// replaces what ns_spec_stdio or an earlier call set for that number. Numbers may be exchanged
/// with each other. Descriptors from 3 on that are not passed are closed in the program.
///
/// Errors: -EINVAL for another `child_fd`. Error from ns_spawn: -EBADF at NS_STEP_DESCRIPTOR,
/// if `fd` has been closed or `child_fd` is beyond RLIMIT_NOFILE.
///
/// Man page: dup(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_fd(
    spec: *mut ns_spec,
    child_fd: c_int,
    fd: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.fd(child_fd, descriptor(fd)?)) }
}

/// Runs the program in a new session.
///
/// The program is the leader of the session and of a process group, and has no controlling
/// terminal unless ns_spec_pty gives it one. Default: the caller's session.
///
/// Man page: setsid(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_new_session(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.new_session())) }
}

/// Sets every signal to its default action in the program.
///
/// Without it the program ignores the signals that the caller ignores, as after execve(2), but
/// for SIGPIPE and SIGXFSZ, which are at their default. No signal is blocked in the program in
/// either case. ns_spec_sandbox sets it.
///
/// Man page: signal(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_reset_signals(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.reset_signals())) }
}

/// Gives the program a new pseudo-terminal as its controlling terminal.
///
/// `rows` and `columns` are its size in characters. The pseudo-terminal is also the program's
/// standard input, output and error, unless ns_spec_stdio or ns_spec_fd sets them. The program
/// gets a new session. ns_process_take_pty returns the other end. Default: no pseudo-terminal.
///
/// Errors from ns_spawn at NS_STEP_PTY:
/// - -ENOENT: the machine has no /dev/ptmx.
/// - -ENOSPC: the limit /proc/sys/kernel/pty/max is reached.
///
/// ns_exec fails with -EINVAL.
///
/// Man page: pty(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_pty(
    spec: *mut ns_spec,
    rows: u16,
    columns: u16,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.pty(rows, columns))) }
}
