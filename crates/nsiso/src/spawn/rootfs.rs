//! Hints for refused operations on the file system view.

use crate::helper::plan::{Action, MountOp};
use crate::plan::{Op, Plan};

/// The hint for EPERM or EACCES.
pub(super) fn denied(plan: &Plan, op: &Op) -> String {
    match filesystem(plan, op) {
        Some("sysfs") => "sysfs needs a new network namespace beside the new user namespace, and a /sys of the caller that is fully visible",
        Some("mqueue") => "mqueue needs a new ipc namespace beside the new user namespace",
        Some("cgroup2") => "cgroup2 needs a new cgroup namespace beside the new user namespace",
        _ => match op.action {
            Action::Rootfs(MountOp::Bind { attributes, .. }) if attributes.id_map >= 0 => {
                "a bind with other owners takes root of the machine, without a new user namespace"
            }
            Action::Rootfs(MountOp::Overlay { .. }) => {
                "without CAP_SYS_ADMIN mounts need a new user namespace, and overlays Linux 5.11 in there: add the kind user, or run as root"
            }
            Action::Rootfs(MountOp::Open { .. }) => {
                "the caller lacks permission on the way to the source, or, without CAP_SYS_ADMIN, a new user namespace: add the kind user"
            }
            _ => "without CAP_SYS_ADMIN mounts need a new user namespace: add the kind user, or run as root",
        },
    }
    .into()
}

/// The hint for EINVAL.
pub(super) fn invalid(op: &Op) -> String {
    match op.action {
        Action::Rootfs(MountOp::Bind { attributes, .. }) if attributes.id_map >= 0 => {
            "the file system does not know other owners, or the mount has some already"
        }
        Action::Rootfs(MountOp::Open { recursive: false, .. }) => {
            "in a user namespace a non-recursive bind would uncover what a mount hides: leave out the option non_recursive"
        }
        Action::Rootfs(MountOp::Bind { recursive: false, .. }) => {
            "a directory is mounted on a directory, a file on a file; and in a user namespace a non-recursive bind would uncover what a mount hides: leave out the option non_recursive"
        }
        Action::Rootfs(MountOp::Bind { .. }) => "a directory is mounted on a directory, a file on a file",
        Action::Rootfs(MountOp::Overlay { .. }) => {
            "overlay wants a directory without mounts below it, and upper and work on one writable file system that is no overlay"
        }
        Action::Rootfs(MountOp::Propagation { .. } | MountOp::ReadOnly { .. }) => "there is no mount at this path",
        _ => "an option is not known, or out of range",
    }
    .into()
}

/// Hints for openat2(2), which has no replacement, and for mount(2) where newer calls are missing.
pub(super) fn by_mount(op: &Op, errno: i32) -> Option<String> {
    let hint = match (op.action, errno) {
        (Action::Rootfs(_), libc::ENOSYS) => {
            "targets are found by openat2(2) alone: a seccomp filter must not refuse it"
        }
        (Action::Rootfs(MountOp::Prepare), libc::ENOENT | libc::ENOTDIR) => {
            "without mount_setattr(2), which is missing before Linux 5.12 or refused by a container's filter, mounts take a proc at /proc that shows this process"
        }
        (Action::Rootfs(MountOp::Bind { attributes, .. }), libc::ENOTSUP) if attributes.id_map >= 0 => {
            "a bind with other owners takes mount_setattr(2): Linux 5.12, and a container's filter that lets it through"
        }
        (Action::Rootfs(MountOp::Bind { .. } | MountOp::ReadOnly { .. }), libc::EACCES) => {
            "the caller lacks permission on the way to the target or, where mount_setattr(2) is missing (before Linux 5.12, or behind a container's filter), to a mount below the source: bind less"
        }
        (Action::Rootfs(MountOp::Bind { .. } | MountOp::ReadOnly { .. }), libc::EBUSY) => {
            "a mount below is hidden by another, which the caller could take away: without mount_setattr(2) (Linux 5.12) that takes the propagation private"
        }
        (Action::Rootfs(MountOp::Bind { .. } | MountOp::ReadOnly { .. }), libc::EAGAIN) => {
            "somebody renames directories in there meanwhile: try again"
        }
        _ => return None,
    };
    Some(hint.into())
}

/// The hint for ENOENT.
pub(super) fn missing(op: &Op) -> String {
    match op.action {
        Action::Rootfs(MountOp::ReadOnly { .. } | MountOp::Propagation { .. }) => {
            "it must exist, as the program sees it (use if_exists where it need not)"
        }
        Action::Rootfs(MountOp::Overlay { thrown_away: false, .. }) => {
            "all three directories of a kept overlay must exist: lower, upper and work"
        }
        _ => "the source must exist, as the caller sees it (use if_exists where it need not)",
    }
    .into()
}

fn filesystem<'plan>(plan: &'plan Plan, op: &Op) -> Option<&'plan str> {
    match op.action {
        Action::Rootfs(MountOp::Filesystem { kind, .. }) => plan.text(kind).to_str().ok(),
        _ => None,
    }
}
