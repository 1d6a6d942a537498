//! Existing namespaces for a program, and new ones that are kept.

use std::ffi::{c_char, c_int};

use crate::argument::{descriptor, text};
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// Runs the program in the existing namespace `fd`, ns_open(); the descriptor must stay open until
/// the program has been spawned. New namespaces are made inside joined ones. In a joined user
/// namespace the program is root where root is mapped, unless it is given an id or
/// ns_spec_keep_credentials; in a joined mount namespace it begins at the root directory. setns(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_join(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.join(descriptor(fd)?)) }
}

/// The same with namespaces of a process, given by its pidfd, that it is in at the spawn: NS_USER | NS_NET | ..., or
/// NS_ALL. Those that it shares with the caller are left out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_join_process(
    spec: *mut ns_spec,
    pidfd: c_int,
    kinds: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.join_process(descriptor(pidfd)?, crate::argument::kinds(kinds)?)) }
}

/// In a joined user namespace the program keeps the caller's uid, gid and groups, mapped or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_keep_credentials(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.keep_credentials())) }
}

/// The directory `fd` becomes the program's root, chroot(2), after mounts have been joined. Takes CAP_SYS_CHROOT. The
/// descriptor must stay open until the program has been spawned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_root_at(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.root_at(descriptor(fd)?))) }
}

/// The directory `fd` becomes the working directory; it may lie outside the root. fchdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cwd_at(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.cwd_at(descriptor(fd)?))) }
}

/// Keeps the new namespace of one kind at `path`, as ns_pin does, before the program runs. Asks for a new namespace. If the
/// program cannot be started, nothing is kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_pin(
    spec: *mut ns_spec,
    kind: u64,
    path: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.pin(crate::argument::kinds(kind)?, text(path, "path")?)) }
}
