//! The program's file system view: mounts, and files that are created in it.

use std::ffi::{c_char, c_int};

use nsiso::{Error, Mount, Result};

use crate::argument::{descriptor, text};
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// A mount is read-only. A program with CAP_SYS_ADMIN in its user namespace can undo that: with
/// ns_spec_map_root, drop capabilities by ns_spec_caps.
pub const NS_MOUNT_RDONLY: u64 = 1;
/// A bind mount whose source does not exist is skipped; ns_spec_mount_read_only skips a target
/// that does not exist.
pub const NS_MOUNT_IF_EXISTS: u64 = 2;
/// No program on the mount can be executed.
pub const NS_MOUNT_NOEXEC: u64 = 4;
/// Set-user-ID and set-group-ID bits and file capabilities have an effect on the mount. By
/// default they have none.
pub const NS_MOUNT_SUID: u64 = 8;
/// Device files on the mount can be used. By default they cannot.
pub const NS_MOUNT_DEV: u64 = 16;
/// A bind mount without the mounts below its source; ns_spec_mount_read_only without the mounts
/// below its target, which must be a mount point.
pub const NS_MOUNT_NON_RECURSIVE: u64 = 32;
/// A proc file system that shows processes alone and no settings of the machine. Linux 5.8.
pub const NS_MOUNT_SUBSET_PID: u64 = 64;

pub(crate) fn flagged<'a>(mount: Mount<'a>, flags: u64) -> Result<Mount<'a>> {
    type Change<'a> = fn(Mount<'a>) -> Mount<'a>;
    let changes: [(u64, Change<'a>); 6] = [
        (NS_MOUNT_RDONLY, Mount::read_only),
        (NS_MOUNT_IF_EXISTS, Mount::if_exists),
        (NS_MOUNT_NOEXEC, Mount::noexec),
        (NS_MOUNT_SUID, Mount::suid),
        (NS_MOUNT_DEV, Mount::devices),
        (NS_MOUNT_NON_RECURSIVE, Mount::non_recursive),
    ];
    let unknown = changes.iter().fold(flags, |rest, (flag, _)| rest & !flag);
    if unknown != 0 {
        return Err(Error::argument(format!("{unknown:#x} is no flag for this mount")));
    }
    let wanted = changes.iter().filter(|(flag, _)| flags & flag != 0);
    Ok(wanted.fold(mount, |mount, (_, change)| change(mount)))
}

/// Mounts the caller's file or directory `source` at `target`, with all mounts below it.
///
/// `source` is a path as the caller sees it; in a joined mount namespace, as seen there. A
/// relative path is completed now. `target` is an absolute path as the program sees it; it and
/// its directories are created if they do not exist. `flags` is NS_MOUNT_RDONLY,
/// NS_MOUNT_IF_EXISTS, NS_MOUNT_NOEXEC, NS_MOUNT_SUID, NS_MOUNT_DEV and NS_MOUNT_NON_RECURSIVE
/// joined by |, or 0.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives. Before Linux 5.12, or where a seccomp
/// filter refuses mount_setattr(2), mount(2) is used.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or for another flag. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -ENOENT at NS_STEP_MOUNT: `source` does not exist.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing, or the caller may not reach
///   `source`.
/// - -ENOTDIR or -EINVAL at NS_STEP_MOUNT: one of source and target is a directory and the
///   other is not.
/// - -EINVAL at NS_STEP_MOUNT: NS_MOUNT_NON_RECURSIVE in a new user namespace, where files
///   under other mounts would become visible.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
/// - -EOVERFLOW at NS_STEP_MOUNT: the new user namespace does not map the caller's ids; call
///   ns_spec_map_root or ns_spec_map_current.
///
/// Man pages: open_tree(2), mount_setattr(2), pivot_root(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_bind(
    spec: *mut ns_spec,
    source: *const c_char,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.mount(flagged(Mount::bind(text(source, "source")?, text(target, "target")?)?, flags)?))
        })
    }
}

/// Mounts the file or directory that `fd` refers to at `target`, with all mounts below it.
///
/// `fd` must stay open until ns_spawn returns; O_PATH suffices. `target` is an absolute path as
/// the program sees it; it and its directories are created if they do not exist. `flags` is
/// NS_MOUNT_RDONLY, NS_MOUNT_IF_EXISTS, NS_MOUNT_NOEXEC, NS_MOUNT_SUID, NS_MOUNT_DEV and
/// NS_MOUNT_NON_RECURSIVE joined by |, or 0.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives. Before Linux 5.12, or where a seccomp
/// filter refuses mount_setattr(2), mount(2) is used.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or for another flag. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -ESTALE at NS_STEP_MOUNT: the file has been moved, or lies in another mount namespace.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing.
/// - -ENOTDIR or -EINVAL at NS_STEP_MOUNT: one of source and target is a directory and the
///   other is not.
/// - -EINVAL at NS_STEP_MOUNT: NS_MOUNT_NON_RECURSIVE in a new user namespace, where files
///   under other mounts would become visible.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
/// - -EOVERFLOW at NS_STEP_MOUNT: the new user namespace does not map the caller's ids; call
///   ns_spec_map_root or ns_spec_map_current.
///
/// Man pages: open_tree(2), mount_setattr(2), pivot_root(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_bind_fd(
    spec: *mut ns_spec,
    fd: c_int,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.mount(flagged(Mount::bind_fd(descriptor(fd)?, text(target, "target")?)?, flags)?))
        })
    }
}

/// Mounts the caller's file or directory `source` at `target`, with its owners mapped by the id
/// map of a user namespace.
///
/// `user_ns` is a descriptor of that user namespace, as ns_open returns it; it must stay open
/// until ns_spawn returns. `source` is a path as the caller sees it. `target` is an absolute
/// path as the program sees it; it and its directories are created if they do not exist.
/// `flags` is NS_MOUNT_RDONLY, NS_MOUNT_IF_EXISTS, NS_MOUNT_NOEXEC, NS_MOUNT_SUID, NS_MOUNT_DEV
/// and NS_MOUNT_NON_RECURSIVE joined by |, or 0.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace.
///
/// Takes Linux 5.12, a file system that supports id-mapped mounts, and CAP_SYS_ADMIN in the
/// user namespace that owns the file system, which a new user namespace does not give.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or for another flag. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -ENOENT at NS_STEP_MOUNT: `source` does not exist.
/// - -EPERM at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing.
/// - -EINVAL at NS_STEP_MOUNT: the file system does not support id-mapped mounts, or the mount
///   is id-mapped already.
/// - -ENOTSUP at NS_STEP_MOUNT: the kernel is older, or a seccomp filter refuses
///   mount_setattr(2).
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
///
/// Man page: mount_setattr(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_bind_idmapped(
    spec: *mut ns_spec,
    source: *const c_char,
    target: *const c_char,
    user_ns: c_int,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.mount(flagged(
                Mount::bind(text(source, "source")?, text(target, "target")?)?.id_map(descriptor(user_ns)?),
                flags,
            )?))
        })
    }
}

/// Mounts a new tmpfs at `target`.
///
/// `size` is the most bytes that it can hold; it then holds at most a file for each KiB of
/// them, and at least 1024. 0: half of the memory. `mode` is the permissions of its root
/// directory, as 0755. `target` is an absolute path as the program sees it; it and its
/// directories are created if they do not exist. `flags` is NS_MOUNT_RDONLY, NS_MOUNT_NOEXEC,
/// NS_MOUNT_SUID and NS_MOUNT_DEV joined by |, or 0.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", or for another flag. From
/// ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
/// - -EOVERFLOW at NS_STEP_MOUNT: the new user namespace does not map the caller's ids; call
///   ns_spec_map_root or ns_spec_map_current.
///
/// Man page: tmpfs(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_tmpfs(
    spec: *mut ns_spec,
    target: *const c_char,
    size: u64,
    mode: u32,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let mut tmpfs = Mount::tmpfs(text(target, "target")?)?.mode(mode)?;
            if size > 0 {
                tmpfs = tmpfs.size(size)?;
            }
            Ok(spec.mount(flagged(tmpfs, flags)?))
        })
    }
}

/// Mounts a new proc file system of the program's pid namespace at `target`.
///
/// `hidepid` selects the processes of other users that it shows: "off", "noaccess", "invisible"
/// or "ptraceable"; NULL is the kernel's default, "off". `target` is an absolute path as the
/// program sees it; it and its directories are created if they do not exist. `flags` is
/// NS_MOUNT_SUBSET_PID, NS_MOUNT_RDONLY, NS_MOUNT_SUID and NS_MOUNT_DEV joined by |, or 0; no
/// program on it can be executed.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives. NS_MOUNT_SUBSET_PID and the names of
/// `hidepid` take Linux 5.8.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..", for another flag, or for
/// another `hidepid`. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, ns_spec_share shares
///   the mount namespace, or the spec joins a pid namespace.
/// - -EPERM or -EACCES at NS_STEP_MOUNT_PROC: CAP_SYS_ADMIN is missing, there is a new user
///   namespace without a new pid namespace, or the caller's own /proc is partly covered by
///   other mounts, as in a container.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
///
/// ns_exec fails with -EINVAL if the spec has a new pid namespace.
///
/// Man page: proc(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_procfs(
    spec: *mut ns_spec,
    target: *const c_char,
    hidepid: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let mut proc = Mount::procfs(text(target, "target")?)?;
            if !hidepid.is_null() {
                proc = proc.hidepid(&text(hidepid, "hidepid")?.to_string_lossy())?;
            }
            if flags & NS_MOUNT_SUBSET_PID != 0 {
                proc = proc.subset_pid();
            }
            Ok(spec.mount(flagged(proc, flags & !NS_MOUNT_SUBSET_PID)?))
        })
    }
}

/// Mounts a small /dev at `target`.
///
/// It contains null, zero, full, random, urandom and tty of the caller's /dev, a new devpts
/// with ptmx, a tmpfs shm, and the links fd, stdin, stdout and stderr. With ns_spec_pty it
/// contains console, which is the program's pseudo-terminal. `target` is an absolute path as
/// the program sees it; it and its directories are created if they do not exist.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..". From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -ENOENT at NS_STEP_MOUNT: one of the devices does not exist in the caller's /dev.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
/// - -EOVERFLOW at NS_STEP_MOUNT: the new user namespace does not map the caller's ids; call
///   ns_spec_map_root or ns_spec_map_current.
///
/// Man page: pts(4).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_dev(
    spec: *mut ns_spec,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::dev(text(target, "target")?)?))) }
}

/// Mounts a new, read-only sysfs of the program's network namespace at `target`.
///
/// `target` is an absolute path as the program sees it; it and its directories are created if
/// they do not exist.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..". From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing, there is a new user
///   namespace without a new network namespace, or the caller's own /sys is partly covered by
///   other mounts.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
///
/// Man page: sysfs(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_sysfs(
    spec: *mut ns_spec,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::sysfs(text(target, "target")?)?))) }
}

/// Mounts the POSIX message queues of the program's IPC namespace at `target`.
///
/// `target` is an absolute path as the program sees it; it and its directories are created if
/// they do not exist.
///
/// The mounts of a spec are made in the order of the calls, each on top of those before it. The
/// program sees the caller's whole file system and these mounts; if the target of the first is
/// "/", it sees that mount and the later ones alone. Requests a new mount namespace. Takes
/// CAP_SYS_ADMIN, which a new user namespace gives.
///
/// Errors: -EINVAL if `target` is not absolute or contains "..". From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: `target` is "/" and the mount is not the first of the spec,
///   the propagation is NS_PROPAGATION_SHARED or NS_PROPAGATION_UNCHANGED, or ns_spec_share
///   shares the mount namespace.
/// - -EPERM or -EACCES at NS_STEP_MOUNT: CAP_SYS_ADMIN is missing, or there is a new user
///   namespace without a new IPC namespace.
/// - -EROFS at NS_STEP_MOUNT: `target` does not exist, and the directory that it would be
///   created in is read-only.
///
/// Man page: mq_overview(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_mqueue(
    spec: *mut ns_spec,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::mqueue(text(target, "target")?)?))) }
}
