//! What to do about a refused part of the view.

use std::ffi::CStr;

use crate::plan::{Action, Change, Op};

/// EPERM or EACCES.
pub(super) fn denied(op: &Op) -> String {
    match filesystem(op) {
        Some("sysfs") => "sysfs needs a new network namespace beside the new user namespace, and a host's /sys that is fully visible",
        Some("mqueue") => "mqueue needs a new ipc namespace beside the new user namespace",
        Some("cgroup2") => "cgroup2 needs a new cgroup namespace beside the new user namespace",
        _ => match op.action {
            Action::View(Change::Open { attributes, .. }) if attributes.id_map >= 0 => {
                "a bind with other owners takes root of the host, without a new user namespace"
            }
            Action::View(Change::Open { .. }) => {
                "the caller lacks permission on the way to the source, or, without CAP_SYS_ADMIN, a new user namespace: add the kind user"
            }
            _ => "without CAP_SYS_ADMIN mounts need a new user namespace: add the kind user, or run as root",
        },
    }
    .into()
}

/// EINVAL.
pub(super) fn invalid(op: &Op) -> String {
    match op.action {
        Action::View(Change::Open { attributes, .. }) if attributes.id_map >= 0 => {
            "the file system does not know other owners, or the mount has some already"
        }
        Action::View(Change::Open { recursive: false, .. }) => {
            "in a user namespace a bind alone would bring to light what is mounted over: leave out alone()"
        }
        Action::View(Change::Bind { .. }) => "a directory is mounted on a directory, a file on a file",
        Action::View(Change::Overlay { .. }) => {
            "overlay wants a directory without mounts below it, and upper and work on one writable file system that is no overlay"
        }
        Action::View(Change::Propagation { .. }) => "there is no mount at this path",
        _ => "an option is not known, or out of range",
    }
    .into()
}

/// ENOENT.
pub(super) fn missing(op: &Op) -> String {
    match op.action {
        Action::View(Change::ReadOnly { .. } | Change::Propagation { .. }) => {
            "it must exist, as the program sees it (use if_exists where it need not)"
        }
        Action::View(Change::Overlay { upper, .. }) if !upper.is_null() => {
            "all three directories of a kept overlay must exist: lower, upper and work"
        }
        _ => "the source must exist, as the caller sees it (use if_exists where it need not)",
    }
    .into()
}

fn filesystem(op: &Op) -> Option<&str> {
    match op.action {
        // SAFETY: a string that lives as long as the plan.
        Action::View(Change::Filesystem { kind, .. }) => unsafe { CStr::from_ptr(kind) }.to_str().ok(),
        _ => None,
    }
}
