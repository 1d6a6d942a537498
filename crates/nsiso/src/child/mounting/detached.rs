//! Mounts that are mounted nowhere yet: open_tree(2), fsopen(2), mount_setattr(2), move_mount(2), Linux 5.12.

use libc::c_char;

use crate::child::files::{HERE, close};
use crate::child::syscall::{Outcome, check};
use crate::plan::Attributes;

fn empty() -> usize {
    c"".as_ptr() as usize
}

/// # Safety
/// `source` is a string.
pub(super) unsafe fn copy(directory: usize, source: *const c_char, recursive: bool) -> Outcome<usize> {
    let flags = (libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC) as usize | libc::AT_EMPTY_PATH as usize;
    // SAFETY: the caller's promise.
    unsafe { check(libc::SYS_open_tree, [directory, source as usize, flags | below(recursive), 0, 0]) }
}

fn below(recursive: bool) -> usize {
    if recursive { libc::AT_RECURSIVE as usize } else { 0 }
}

/// # Safety
/// A string and a table that ends with a NULL name.
pub(super) unsafe fn filesystem(
    kind: *const c_char,
    mut options: *const [*const c_char; 2],
    attributes: u64,
) -> Outcome<usize> {
    // SAFETY: the caller's promise.
    unsafe {
        let context = check(libc::SYS_fsopen, [kind as usize, libc::FSOPEN_CLOEXEC as usize, 0, 0, 0])?;
        while !(*options)[0].is_null() {
            let [name, value] = *options;
            let command = if value.is_null() { libc::FSCONFIG_SET_FLAG } else { libc::FSCONFIG_SET_STRING };
            check(libc::SYS_fsconfig, [context, command as usize, name as usize, value as usize, 0])?;
            options = options.add(1);
        }
        check(libc::SYS_fsconfig, [context, libc::FSCONFIG_CMD_CREATE as usize, 0, 0, 0])?;
        let flags = libc::FSMOUNT_CLOEXEC as usize;
        let mount = check(libc::SYS_fsmount, [context, flags, attributes as usize, 0, 0])?;
        close(context)?;
        Ok(mount)
    }
}

pub(super) fn set(mount: usize, recursive: bool, attributes: Attributes) -> Outcome<()> {
    let id_map = attributes.id_map >= 0;
    let change = libc::mount_attr {
        attr_set: attributes.set | if id_map { libc::MOUNT_ATTR_IDMAP } else { 0 },
        attr_clr: 0,
        propagation: 0,
        userns_fd: if id_map { attributes.id_map as u64 } else { 0 },
    };
    change_attributes(mount, below(recursive), &change)
}

pub(super) fn set_propagation(mount: usize, flag: u64) -> Outcome<()> {
    let change = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: flag, userns_fd: 0 };
    change_attributes(mount, 0, &change)
}

fn change_attributes(mount: usize, below: usize, change: &libc::mount_attr) -> Outcome<()> {
    let flags = below | libc::AT_EMPTY_PATH as usize;
    let args = [mount, empty(), flags, &raw const *change as usize, size_of::<libc::mount_attr>()];
    // SAFETY: the struct has the size given.
    unsafe { check(libc::SYS_mount_setattr, args) }.map(drop)
}

pub(super) fn attach(mount: usize, target: Option<usize>) -> Outcome<()> {
    const FROM: usize = libc::MOVE_MOUNT_F_EMPTY_PATH as usize;
    const ONTO: usize = libc::MOVE_MOUNT_T_EMPTY_PATH as usize;
    let (target, path, flags) = match target {
        Some(target) => (target, empty(), FROM | ONTO),
        None => (HERE, c"/".as_ptr() as usize, FROM),
    };
    // SAFETY: numbers and constant strings.
    unsafe { check(libc::SYS_move_mount, [mount, empty(), target, path, flags]) }.map(drop)
}
