//! Overlays of the program's file system view.

use std::ffi::{OsStr, c_char, c_int};

use nsiso::{Error, Mount, Result};

use crate::argument::{text, texts};
use crate::error::ns_error;
use crate::mount::flagged;
use crate::spec::{ns_spec, set};

/// Mounts a writable overlay over the directory `lower` at `target`.
///
/// If `upper` and `work` are NULL, the changes are lost when the program has ended. `lower` may
/// then be "/" and contain mounts, each of which gets an overlay of its own; proc, sysfs,
/// devices and the like are read-only. Files in a directory with a mount below it cannot have
/// an overlay: the caller's own are copied, up to 1 MiB each and 16 MiB in all, and the others
/// are read-only.
///
/// Otherwise the directory `upper` keeps the changes; `work` is an empty directory of the same
/// file system, for the kernel's use. Mounts below `lower` are not visible.
///
/// `lower`, `upper` and `work` are paths as the caller sees them. `target` is an absolute path
/// as the program sees it; it and its directories are created if they do not exist. `flags` is
/// NS_MOUNT_RDONLY, NS_MOUNT_NOEXEC, NS_MOUNT_SUID and NS_MOUNT_DEV joined by |, or 0.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives. In a new user namespace it takes Linux
/// 5.11.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", for another flag, or if one of
/// `upper` and `work` is NULL. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -ENOENT at NS_STEP_MOUNT: one of the directories does not exist.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing, or the kernel is older.
/// - -EINVAL at NS_STEP_MOUNT: `upper` and `work` are not on one writable file system, or that
///   is an overlay.
/// - -ENODEV at NS_STEP_MOUNT: the kernel has no overlay file system.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
/// - -EOVERFLOW at NS_STEP_MOUNT: the new user namespace does not map the caller's ids; call
///   ns_spec_map_root or ns_spec_map_current.
///
/// Man page: mount(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_overlay(
    spec: *mut ns_spec,
    lower: *const c_char,
    upper: *const c_char,
    work: *const c_char,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.mount(flagged(overlay(text(lower, "lower")?, upper, work, target)?, flags)?))
        })
    }
}

/// Mounts an overlay over several directories at `target`.
///
/// `lower` is a table of paths that ends with NULL, the uppermost first. A file of a directory
/// is visible where those before it in the table have none. Mounts below the directories are
/// not visible. The directory `upper` keeps the changes; `work` is an empty directory of the
/// same file system, for the kernel's use. If both are NULL, the changes are lost when the
/// program has ended; with NS_MOUNT_RDONLY and more than one directory there is then no
/// writable layer.
///
/// `lower`, `upper` and `work` are paths as the caller sees them. `target` is an absolute path
/// as the program sees it; it and its directories are created if they do not exist. `flags` is
/// NS_MOUNT_RDONLY, NS_MOUNT_NOEXEC, NS_MOUNT_SUID and NS_MOUNT_DEV joined by |, or 0.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives. In a new user namespace it takes Linux
/// 5.11.
///
/// Errors: -EINVAL if `lower` has no path, `target` is not absolute or contains "..", for
/// another flag, or if one of `upper` and `work` is NULL. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -ENOENT at NS_STEP_MOUNT: one of the directories does not exist.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing, or the kernel is older.
/// - -EINVAL at NS_STEP_MOUNT: `upper` and `work` are not on one writable file system, or that
///   is an overlay.
/// - -ENODEV at NS_STEP_MOUNT: the kernel has no overlay file system.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
/// - -EOVERFLOW at NS_STEP_MOUNT: the new user namespace does not map the caller's ids; call
///   ns_spec_map_root or ns_spec_map_current.
///
/// Man page: mount(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_overlay_trees(
    spec: *mut ns_spec,
    lower: *const *const c_char,
    upper: *const c_char,
    work: *const c_char,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let lower = texts(lower, "lower")?;
            let [first, rest @ ..] = lower.as_slice() else {
                return Err(Error::argument("an overlay needs a lower tree"));
            };
            let mut overlay = overlay(first, upper, work, target)?;
            for tree in rest {
                overlay = overlay.lower(tree)?;
            }
            Ok(spec.mount(flagged(overlay, flags)?))
        })
    }
}

/// # Safety
/// The pointers are NULL or valid.
unsafe fn overlay(
    lower: &OsStr,
    upper: *const c_char,
    work: *const c_char,
    target: *const c_char,
) -> Result<Mount<'static>> {
    // SAFETY: the caller's promise.
    unsafe {
        let target = text(target, "target")?;
        match upper.is_null() && work.is_null() {
            true => Mount::overlay(lower, target),
            false => Mount::overlay_kept(lower, text(upper, "upper")?, text(work, "work")?, target),
        }
    }
}
