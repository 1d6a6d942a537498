//! Existing namespaces that the program joins, and pins of new ones.

use std::ffi::{c_char, c_int};

use crate::argument::{descriptor, text};
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// Runs the program in the existing namespace `fd`.
///
/// `fd` is a descriptor as ns_open returns it; it must stay open until ns_spawn returns. Calls
/// add up, one namespace of each kind; their order does not matter. New namespaces of the spec
/// are created inside the joined ones. In a joined user namespace the program's uid and gid are
/// 0, unless ns_spec_uid, ns_spec_gid or ns_spec_keep_credentials says otherwise. In a joined
/// mount namespace it begins in the root directory.
///
/// Takes CAP_SYS_ADMIN in the user namespace that owns the joined one. A caller who has it
/// after joining that user namespace joins both. For mount namespaces it also takes
/// CAP_SYS_CHROOT.
///
/// Errors: -EINVAL if `fd` is not a namespace. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `fd` is the caller's own user namespace, two namespaces of
///   one kind differ, or a new pid namespace or a new proc is requested beside a joined pid
///   namespace.
/// - -EPERM at NS_STEP_JOIN: the capability is missing.
/// - -EINVAL at NS_STEP_JOIN: the pid namespace is no descendant of the caller's.
/// - -EBADF at NS_STEP_JOIN: `fd` has been closed.
/// - -ENOMEM: the init process of the pid namespace has ended.
/// - -ETIMEDOUT at NS_STEP_JOIN: the set-up took more than 20 seconds, for example because a
///   process in the namespaces stops or traces the child.
///
/// Man page: setns(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_join(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.join(descriptor(fd)?)) }
}

/// Runs the program in namespaces of an existing process, given by its pidfd.
///
/// `kinds` is NS_USER, NS_NET, ... joined by |, or NS_ALL. The program joins the namespaces
/// that the process is in at ns_spawn; those that it shares with the caller are left out.
/// `pidfd` must stay open until ns_spawn returns. In a joined user namespace the program's uid
/// and gid are 0, unless ns_spec_uid, ns_spec_gid or ns_spec_keep_credentials says otherwise.
/// In a joined mount namespace it begins in the root directory.
///
/// Takes the right to ptrace(2) the process, and CAP_SYS_ADMIN in the user namespaces that own
/// the joined ones.
///
/// Errors: -EINVAL if `kinds` is 0 or has unknown bits or `pidfd` is not a pidfd; -ESRCH if the
/// process has ended. From ns_spawn:
/// - -ESRCH at NS_STEP_OPEN: the process has ended.
/// - -EPERM or -EACCES at NS_STEP_OPEN: the caller may not ptrace the process.
/// - -EINVAL at NS_STEP_ARGUMENT: two namespaces of one kind differ, or a new pid namespace is
///   requested beside a joined one.
/// - -EPERM at NS_STEP_JOIN: CAP_SYS_ADMIN is missing.
/// - -ETIMEDOUT at NS_STEP_JOIN: the set-up took more than 20 seconds.
///
/// Man pages: setns(2), pidfd_open(2).
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

/// Keeps the caller's uid, gid and groups in a joined user namespace, whether it maps them or
/// not.
///
/// Default: uid and gid are 0 there, and the groups are dropped. It has no effect if no user
/// namespace is joined.
///
/// Man page: user_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_keep_credentials(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.keep_credentials())) }
}

/// Makes the directory `fd` the program's root directory.
///
/// The change comes after joins and before new namespaces. The directory is then the working
/// directory, too, unless another option sets that. `fd` must stay open until ns_spawn returns.
/// Takes CAP_SYS_CHROOT in the user namespace that the child is in after joins.
///
/// Errors from ns_spawn:
/// - -EPERM at NS_STEP_ROOT: CAP_SYS_CHROOT is missing.
/// - -ENOTDIR at NS_STEP_ROOT: `fd` is not a directory.
/// - -EBADF at NS_STEP_ROOT: `fd` has been closed.
///
/// Man page: chroot(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_root_at(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.root_at(descriptor(fd)?))) }
}

/// Makes the directory `fd` the program's working directory.
///
/// The change comes after ns_spec_root_at; the directory may lie outside that root.
/// ns_spec_cwd, or mounts of the spec, set the working directory later and win. `fd` must stay
/// open until ns_spawn returns.
///
/// Errors from ns_spawn at NS_STEP_CWD:
/// - -ENOTDIR: `fd` is not a directory.
/// - -EACCES: search permission is missing.
/// - -EBADF: `fd` has been closed.
///
/// Man page: fchdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cwd_at(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.cwd_at(descriptor(fd)?))) }
}

/// Keeps a new namespace of the program alive by a bind mount at `path`.
///
/// `kind` is one kind. The parent makes the mount before the program runs, as ns_pin does; if
/// the program cannot be started, it removes it. `path` is an empty file, created if it does
/// not exist; symbolic links as its last component are not followed. A later call for the same
/// kind replaces the path. ns_unpin removes it. Requests a new namespace of that kind. Takes
/// CAP_SYS_ADMIN in the user namespace that owns the caller's mount namespace.
///
/// Errors: -EINVAL if `kind` is not exactly one kind. From ns_spawn at NS_STEP_PIN:
/// - -EEXIST: the file is not empty, or a namespace is mounted there.
/// - -ENOENT: the directory does not exist.
/// - -ELOOP: `path` is a symbolic link.
/// - -EPERM: CAP_SYS_ADMIN is missing.
/// - -EINVAL: a mount namespace, at a path whose mount propagates.
///
/// ns_exec takes a caller with one thread, fails with -EINVAL otherwise, and leaves the mount
/// if a later step fails.
///
/// Man page: namespaces(7).
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
