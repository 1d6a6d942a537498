//! Files, directories and links that are created or changed in the program's file system view.

use std::ffi::{c_char, c_int, c_void};

use nsiso::Mount;

use crate::argument::{items, text};
use crate::error::ns_error;
use crate::mount::flagged;
use crate::spec::{ns_spec, set};

/// Creates a directory at `target`.
///
/// `mode` is its permissions, at most 07777. A directory that exists is not changed. `target`
/// is an absolute path as the program sees it; directories on the way are created.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or `mode` is above 07777. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: the propagation is NS_PROPAGATION_SHARED or
///   NS_PROPAGATION_UNCHANGED, or ns_spec_share shares the mount namespace.
/// - -EROFS at NS_STEP_MAKE: the directory that it would be created in is read-only.
/// - -EOVERFLOW at NS_STEP_MAKE: the new user namespace does not map the caller's ids.
///
/// Man page: mkdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_dir(
    spec: *mut ns_spec,
    target: *const c_char,
    mode: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::dir(text(target, "target")?, mode)?))) }
}

/// Creates a symbolic link to `to` at `target`.
///
/// `to` is the text of the link. `target` is an absolute path as the program sees it;
/// directories on the way are created.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or `to` is empty. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: the propagation is NS_PROPAGATION_SHARED or
///   NS_PROPAGATION_UNCHANGED, or ns_spec_share shares the mount namespace.
/// - -EEXIST at NS_STEP_MAKE: `target` exists.
/// - -EROFS at NS_STEP_MAKE: the directory that it would be created in is read-only.
/// - -EOVERFLOW at NS_STEP_MAKE: the new user namespace does not map the caller's ids.
///
/// Man page: symlink(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_symlink(
    spec: *mut ns_spec,
    to: *const c_char,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| Ok(spec.mount(Mount::symlink(text(to, "to")?, text(target, "target")?)?)))
    }
}

/// Creates a file with these contents at `target`.
///
/// `data` has `size` bytes, which are copied; it may be NULL if `size` is 0. `mode` is the
/// file's permissions, at most 07777. If `target` exists, the new file is mounted over it, and
/// the old one is not changed. It replaces a file of the same path that ns_spec_sandbox
/// creates. `target` is an absolute path as the program sees it; directories on the way are
/// created.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or `mode` is above 07777. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: the propagation is NS_PROPAGATION_SHARED or
///   NS_PROPAGATION_UNCHANGED, or ns_spec_share shares the mount namespace.
/// - -EROFS at NS_STEP_MAKE: the directory that it would be created in is read-only.
/// - -EOVERFLOW at NS_STEP_MAKE: the new user namespace does not map the caller's ids.
///
/// Man page: open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_file(
    spec: *mut ns_spec,
    data: *const c_void,
    size: usize,
    target: *const c_char,
    mode: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let data = items(data.cast::<u8>(), size, "data")?;
            Ok(spec.mount(Mount::file(data, text(target, "target")?, mode)?))
        })
    }
}

/// Hides the file or directory at `target`.
///
/// A directory appears empty; a file reads as /dev/null. Nothing is done if `target` does not
/// exist. `target` is an absolute path as the program sees it.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is "/", is not absolute or contains "..". From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: the propagation is NS_PROPAGATION_SHARED or
///   NS_PROPAGATION_UNCHANGED, or ns_spec_share shares the mount namespace.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing.
///
/// Man page: mount(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_mask(
    spec: *mut ns_spec,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::mask(text(target, "target")?)?))) }
}

/// Makes the file or directory tree at `target` read-only, with all mounts below it.
///
/// `target` is an absolute path as the program sees it. `flags` is NS_MOUNT_IF_EXISTS and
/// NS_MOUNT_NON_RECURSIVE joined by |, or 0. A program with CAP_SYS_ADMIN in its user namespace
/// can undo it.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or for another flag. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: the propagation is NS_PROPAGATION_SHARED or
///   NS_PROPAGATION_UNCHANGED, or ns_spec_share shares the mount namespace.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing.
/// - -ENOENT at NS_STEP_MOUNT: `target` does not exist, and NS_MOUNT_IF_EXISTS is not set.
/// - -EINVAL at NS_STEP_MOUNT: `target` is not a mount point, with NS_MOUNT_NON_RECURSIVE.
///
/// Man page: mount_setattr(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_read_only(
    spec: *mut ns_spec,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(
            spec,
            err,
            |spec| Ok(spec.mount(flagged(Mount::read_only_path(text(target, "target")?)?, flags)?)),
        )
    }
}

/// Changes the permissions of the file or directory at `target`.
///
/// `mode` is at most 07777. `target` is an absolute path as the program sees it; it must exist.
/// The change is made to the file itself, also where it is on a bind mount.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or `mode` is above 07777. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: the propagation is NS_PROPAGATION_SHARED or
///   NS_PROPAGATION_UNCHANGED, or ns_spec_share shares the mount namespace.
/// - -ENOENT at NS_STEP_MAKE: `target` does not exist.
/// - -ELOOP at NS_STEP_MAKE: `target` or a directory on the way is a symbolic link.
/// - -EPERM at NS_STEP_MAKE: the child does not own it.
/// - -EROFS at NS_STEP_MAKE: it is read-only.
///
/// Man page: chmod(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_chmod(
    spec: *mut ns_spec,
    target: *const c_char,
    mode: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::chmod(text(target, "target")?, mode)?))) }
}
