//! What is run: the program, its arguments, environment, directory, descriptors, session and terminal.

use std::ffi::{c_char, c_int};

use nsiso::{Error, Stdio};

use crate::argument::{descriptor, text, texts};
use crate::error::ns_error;
use crate::kinds::*;
use crate::spec::{ns_spec, set};

/// The program and its arguments, a table that ends with NULL and is copied. argv[0] without a slash is
/// looked for in the PATH of the environment that the program gets, as execvp(3) does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_argv(
    spec: *mut ns_spec,
    argv: *const *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.argv(texts(argv, "argv")?)) }
}

/// The file to execute in place of argv[0]; argv[0] stays what the program sees as its name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_program(
    spec: *mut ns_spec,
    program: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.program(text(program, "program")?)) }
}

/// Start with an empty environment; later ns_spec_env_set add to it. By default the program gets the
/// caller's environment at the time of ns_spawn, which must not run while another thread calls setenv(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_env_clear(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.env_clear())) }
}

/// Sets one environment variable.
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

/// Removes one environment variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_env_unset(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.env_remove(text(name, "name")?)) }
}

/// The working directory; the caller's by default. A relative program is looked for in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cwd(spec: *mut ns_spec, path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.cwd(text(path, "path")?)) }
}

/// Where the program's descriptor 0, 1 or 2 leads to: NS_STDIO_*.
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

/// Passes `fd` to the program, where its number is `child_fd`. `fd` is borrowed: it must be open now and
/// at each ns_spawn. Numbers may be permuted. Descriptors from 3 on that are not passed are closed.
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

/// Runs the program in a session of its own, setsid(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_new_session(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.new_session())) }
}

/// Sets every signal to its default in the program, also those that the caller ignores. Without it
/// the program ignores what the caller ignores, as after execve(2), but SIGPIPE and SIGXFSZ are at
/// their default. ns_spec_sandbox brings it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_reset_signals(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.reset_signals())) }
}

/// Gives the program a pseudo-terminal of its own with this many rows and columns, as controlling terminal and as its descriptors 0, 1 and 2, unless these
/// are given. ns_process_take_pty hands out the other end. pty(7).
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
