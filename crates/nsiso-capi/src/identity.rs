//! Who the program is: id maps, uid, gid, groups.

use std::ffi::c_int;

use nsiso::IdRange;

use crate::argument::items;
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// The caller is root inside: its effective uid and gid are mapped to 0. Asks for a new user namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_root(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.map_root())) }
}

/// The caller keeps its effective uid and gid inside. Asks for a new user namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_current(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.map_current())) }
}

/// The caller's first block of ids in /etc/subuid and /etc/subgid is laid out from 0 inside, leaving out
/// the ids that are mapped otherwise. Asks for a new user namespace; an ordinary caller needs newuidmap(1).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_auto(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.map_auto())) }
}

/// Maps `count` uids that start at `inside` in the new user namespace and at `outside` in the caller's;
/// may be called again for more ranges, up to 340. Other ids than one's own take root or newuidmap(1) and a
/// line in /etc/subuid. Asks for a new user namespace. user_namespaces(7).
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

/// The same for gids.
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

/// Whether (not 0) setgroups(2) stays allowed in the new user namespace. By default it is denied when
/// the caller's own gid alone is mapped, as the kernel demands of an ordinary caller. Asks for a new user namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_setgroups(spec: *mut ns_spec, allow: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.setgroups(allow != 0))) }
}

/// The uid to run as, as seen inside. By default the caller's; where a new user namespace does not map
/// that, 0, or the lowest uid that is mapped. Supplementary groups are dropped with the caller's identity,
/// unless ns_spec_groups gave some.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_uid(spec: *mut ns_spec, uid: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.uid(uid)) }
}

/// The gid to run as, as seen inside; the default is as for ns_spec_uid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_gid(spec: *mut ns_spec, gid: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.gid(gid)) }
}

/// The supplementary groups, as seen inside: `count` gids, copied; none if `count` is 0.
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

/// Keeps the capabilities of the new user namespace over exec as ambient capabilities, also for a program
/// that is not root inside. capabilities(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_keep_caps(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| Ok(spec.keep_caps())) }
}
