//! The program's identity: id maps, uid, gid and groups.

use std::ffi::c_int;

use nsiso::IdRange;

use crate::argument::items;
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// Maps the caller's effective uid and gid to 0 in the new user namespace.
///
/// It replaces ns_spec_map_current; ns_spec_map_auto, ns_spec_uid_map and ns_spec_gid_map add
/// further ids. Needs no privilege and a proc file system at /proc. Requests a new user
/// namespace.
///
/// Errors from ns_spawn:
/// - -EPERM at NS_STEP_CLONE: the machine does not let the caller create user namespaces.
/// - -EPERM or -EACCES at NS_STEP_SETGROUPS or NS_STEP_UID_MAP: a security module takes the
///   capabilities of the new user namespace away.
/// - -ENOENT at NS_STEP_SETGROUPS, NS_STEP_UID_MAP or NS_STEP_GID_MAP: no proc file system is
///   mounted at /proc.
///
/// Man page: user_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_root(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.map_root())) }
}

/// Maps the caller's effective uid and gid to themselves in the new user namespace.
///
/// It replaces ns_spec_map_root; ns_spec_map_auto, ns_spec_uid_map and ns_spec_gid_map add
/// further ids. Needs no privilege and a proc file system at /proc. Requests a new user
/// namespace.
///
/// Errors from ns_spawn:
/// - -EPERM at NS_STEP_CLONE: the machine does not let the caller create user namespaces.
/// - -EPERM or -EACCES at NS_STEP_SETGROUPS or NS_STEP_UID_MAP: a security module takes the
///   capabilities of the new user namespace away.
/// - -ENOENT at NS_STEP_SETGROUPS, NS_STEP_UID_MAP or NS_STEP_GID_MAP: no proc file system is
///   mounted at /proc.
///
/// Man page: user_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_current(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.map_current())) }
}

/// Maps the first range of ids that /etc/subuid and /etc/subgid assign to the caller, from id 0
/// on in the new user namespace.
///
/// Ids that other options map are left out of the range. The files are read at ns_spawn. Both
/// must have a line for the caller, also if that is root. A caller that is not root needs
/// newuidmap(1) and newgidmap(1), which ns_spawn runs and waits for. Requests a new user
/// namespace.
///
/// Errors from ns_spawn at NS_STEP_UID_MAP or NS_STEP_GID_MAP:
/// - -EPERM: a file has no line for the caller, or newuidmap or newgidmap is missing or refuses
///   the map.
/// - -ENOENT or -EACCES: a file cannot be read.
///
/// ns_exec takes a caller with one thread, and fails with -EINVAL otherwise.
///
/// Man pages: subuid(5), subgid(5), newuidmap(1).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_auto(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.map_auto())) }
}

/// Maps a range of uids of the new user namespace.
///
/// The `count` uids from `inside` on in the new user namespace are those from `outside` on in
/// its parent: the caller's user namespace, or the one that is joined. Calls add up, to at most
/// 340 ranges. A range of the caller's own effective uid alone needs no privilege. Anything
/// else takes CAP_SETUID in the parent, or newuidmap(1), which ns_spawn runs and waits for, and
/// a line in /etc/subuid. Requests a new user namespace.
///
/// Errors: -EINVAL if `count` is 0, the range goes beyond 4294967294, it overlaps another range
/// on either side, or there are 340 ranges. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: the map has 4096 bytes or more as text.
/// - -EINVAL at NS_STEP_UID_MAP: an id is not mapped in the parent, or ranges overlap.
/// - -EPERM at NS_STEP_UID_MAP: the caller may not map these ids.
///
/// ns_exec takes a caller with one thread for other ids than the caller's own, and fails with
/// -EINVAL otherwise.
///
/// Man page: user_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_uid_map(
    spec: *mut ns_spec,
    inside: u32,
    outside: u32,
    count: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.uid_map(IdRange::new(inside, outside, count)?)) }
}

/// Maps a range of gids of the new user namespace.
///
/// The `count` gids from `inside` on in the new user namespace are those from `outside` on in
/// its parent: the caller's user namespace, or the one that is joined. Calls add up, to at most
/// 340 ranges. A range of the caller's own effective gid alone needs no privilege. Anything
/// else takes CAP_SETGID in the parent, or newgidmap(1), which ns_spawn runs and waits for, and
/// a line in /etc/subgid. Requests a new user namespace.
///
/// Errors: -EINVAL if `count` is 0, the range goes beyond 4294967294, it overlaps another range
/// on either side, or there are 340 ranges. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: the map has 4096 bytes or more as text.
/// - -EINVAL at NS_STEP_GID_MAP: an id is not mapped in the parent, or ranges overlap.
/// - -EPERM at NS_STEP_GID_MAP: the caller may not map these ids.
///
/// ns_exec takes a caller with one thread for other ids than the caller's own, and fails with
/// -EINVAL otherwise.
///
/// Man page: user_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_gid_map(
    spec: *mut ns_spec,
    inside: u32,
    outside: u32,
    count: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.gid_map(IdRange::new(inside, outside, count)?)) }
}

/// Sets whether setgroups(2) is allowed in the new user namespace.
///
/// 0: it is denied; otherwise it is allowed. Default: denied if the map contains the caller's
/// own gid alone, which the kernel requires of a caller without CAP_SETGID; otherwise allowed.
/// Requests a new user namespace.
///
/// Error from ns_spawn: -EPERM at NS_STEP_GID_MAP, if a caller without CAP_SETGID allows it and
/// maps its own gid alone.
///
/// Man page: user_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_setgroups(spec: *mut ns_spec, allow: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.setgroups(allow != 0))) }
}

/// Sets the uid that the program runs as.
///
/// `uid` is a uid of the program's user namespace. Default: the caller's uid; if a new user
/// namespace does not map that, the lowest uid that it maps; in a joined user namespace 0, if
/// that maps it. The caller's supplementary groups are dropped with its identity where
/// setgroups(2) is possible, unless ns_spec_groups sets others.
///
/// Errors: -EINVAL for 4294967295. From ns_spawn at NS_STEP_UID:
/// - -EINVAL: the user namespace does not map the uid.
/// - -EPERM: the caller lacks CAP_SETUID, and there is no new user namespace.
/// - -EAGAIN: that user has reached RLIMIT_NPROC.
///
/// Man page: setresuid(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_uid(spec: *mut ns_spec, uid: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.uid(uid)) }
}

/// Sets the gid that the program runs as.
///
/// `gid` is a gid of the program's user namespace. Default: the caller's gid; if a new user
/// namespace does not map that, the lowest gid that it maps; in a joined user namespace 0, if
/// that maps it. The caller's supplementary groups are dropped with its identity where
/// setgroups(2) is possible, unless ns_spec_groups sets others.
///
/// Errors: -EINVAL for 4294967295. From ns_spawn at NS_STEP_GID:
/// - -EINVAL: the user namespace does not map the gid.
/// - -EPERM: the caller lacks CAP_SETGID, and there is no new user namespace.
///
/// Man page: setresgid(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_gid(spec: *mut ns_spec, gid: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.gid(gid)) }
}

/// Sets the program's supplementary groups.
///
/// `gids` has `count` gids of the program's user namespace, which are copied. If `count` is 0,
/// the program has none, and `gids` may be NULL. Default: the caller's groups, which are
/// dropped when the program's uid or gid changes.
///
/// Errors: -EINVAL for the gid 4294967295. From ns_spawn at NS_STEP_GROUPS:
/// - -EPERM: setgroups(2) is denied in the user namespace, that has no gid map, or the caller
///   lacks CAP_SETGID.
/// - -EINVAL: the user namespace does not map a gid.
///
/// Man page: setgroups(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_groups(
    spec: *mut ns_spec,
    gids: *const u32,
    count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.groups(items(gids, count, "gids")?)) }
}

/// Keeps the program's capabilities across execve(2), as ambient capabilities.
///
/// In a new user namespace these are all capabilities, also if the program's uid is not 0.
/// Default: a program whose uid is not 0 loses them. ns_spec_caps keeps only some of them.
///
/// Errors from ns_spawn:
/// - -EPERM at NS_STEP_CAPABILITIES: a securebit forbids ambient capabilities.
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_user_namespaces with 0, unless ns_spec_caps leaves
///   CAP_SYS_RESOURCE out.
///
/// Man page: capabilities(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_keep_caps(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.keep_caps())) }
}
