//! Mounts by file descriptor: made detached by open_tree(2) or fsopen(2), changed by
//! mount_setattr(2), attached by move_mount(2). Linux 5.12.

use super::super::files::{HERE, close};
use super::super::kernel::{self, c_char};
use super::super::plan::{Attributes, Text};
use super::super::syscall::{Outcome, check};

fn empty() -> usize {
    c"".as_ptr() as usize
}

/// # Safety
/// `source` is a NUL-terminated string.
pub(super) unsafe fn copy(directory: usize, source: *const c_char, recursive: bool) -> Outcome<usize> {
    let flags =
        (kernel::OPEN_TREE_CLONE | kernel::OPEN_TREE_CLOEXEC) as usize | kernel::AT_EMPTY_PATH as usize;
    // SAFETY: guaranteed by the caller.
    unsafe { check(kernel::SYS_open_tree, [directory, source as usize, flags | below(recursive)]) }
}

fn below(recursive: bool) -> usize {
    if recursive { kernel::AT_RECURSIVE as usize } else { 0 }
}

/// # Safety
/// `kind` is a NUL-terminated string; `options` ends with a name of none.
pub(super) unsafe fn filesystem(
    kind: *const c_char,
    mut options: *const [Text; 2],
    attributes: u64,
) -> Outcome<usize> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let context = check(kernel::SYS_fsopen, [kind as usize, kernel::FSOPEN_CLOEXEC as usize])?;
        while !(*options)[0].is_none() {
            let [name, value] = (*options).map(Text::pointer);
            let command =
                if value.is_null() { kernel::FSCONFIG_SET_FLAG } else { kernel::FSCONFIG_SET_STRING };
            check(kernel::SYS_fsconfig, [context, command as usize, name as usize, value as usize])?;
            options = options.add(1);
        }
        check(kernel::SYS_fsconfig, [context, kernel::FSCONFIG_CMD_CREATE as usize])?;
        let flags = kernel::FSMOUNT_CLOEXEC as usize;
        let mount = check(kernel::SYS_fsmount, [context, flags, attributes as usize])?;
        close(context)?;
        Ok(mount)
    }
}

pub(super) fn set(mount: usize, recursive: bool, attributes: Attributes) -> Outcome<()> {
    let id_map = attributes.id_map >= 0;
    let change = kernel::mount_attr {
        attr_set: attributes.set | if id_map { kernel::MOUNT_ATTR_IDMAP } else { 0 },
        attr_clr: 0,
        propagation: 0,
        userns_fd: if id_map { attributes.id_map as u64 } else { 0 },
    };
    change_attributes(mount, below(recursive), &change)
}

pub(super) fn set_propagation(mount: usize, flag: u64) -> Outcome<()> {
    let change = kernel::mount_attr { attr_set: 0, attr_clr: 0, propagation: flag, userns_fd: 0 };
    change_attributes(mount, 0, &change)
}

fn change_attributes(mount: usize, below: usize, change: &kernel::mount_attr) -> Outcome<()> {
    let flags = below | kernel::AT_EMPTY_PATH as usize;
    let args = [mount, empty(), flags, &raw const *change as usize, size_of::<kernel::mount_attr>()];
    // SAFETY: the struct has the size passed.
    unsafe { check(kernel::SYS_mount_setattr, args) }.map(drop)
}

pub(super) fn attach(mount: usize, target: Option<usize>) -> Outcome<()> {
    const FROM: usize = kernel::MOVE_MOUNT_F_EMPTY_PATH as usize;
    const ONTO: usize = kernel::MOVE_MOUNT_T_EMPTY_PATH as usize;
    let (target, path, flags) = match target {
        Some(target) => (target, empty(), FROM | ONTO),
        None => (HERE, c"/".as_ptr() as usize, FROM),
    };
    // SAFETY: integers and constant strings.
    unsafe { check(kernel::SYS_move_mount, [mount, empty(), target, path, flags]) }.map(drop)
}
