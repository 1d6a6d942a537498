//! The helper's mount operations, by detached mounts (`fd`), or by mount(2) (`classic`) if the
//! newer calls are missing.
//!
//! Either way a mount is a descriptor while it is prepared, hidden from the program, and is then
//! attached to its target.

mod classic;
mod fd;
mod mountinfo;

use super::files::{HERE, close, find};
use super::kernel::{self, c_char};
use super::plan::{Attributes, Classic, Text};
use super::syscall::Outcome;

pub(super) use classic::{prepare, set_classic};

/// `plan::Options` as pointers. `joined` is NULL if mount(2) cannot take these options.
#[derive(Clone, Copy)]
pub(super) struct Options {
    pub each: *const [Text; 2],
    pub joined: *const c_char,
}

impl Options {
    pub fn none() -> Self {
        Options { each: &const { [Text::NONE; 2] }, joined: c"".as_ptr() }
    }
}

impl From<super::plan::Options> for Options {
    fn from(options: super::plan::Options) -> Self {
        Options { each: options.each.pointer(), joined: options.joined.string() }
    }
}

fn by_fd() -> bool {
    classic::mode() == Classic::No
}

/// Opens the source of a later mount, with the present credentials.
///
/// # Safety
/// `source` is a NUL-terminated string.
pub(super) unsafe fn open(source: *const c_char, recursive: bool) -> Outcome<usize> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match by_fd() {
            true => fd::copy(HERE, source, recursive),
            false => find(HERE, source),
        }
    }
}

/// Makes a mount of what [`open`] has opened, and consumes that descriptor.
pub(super) fn mount_of(opened: usize, recursive: bool) -> Outcome<usize> {
    if by_fd() {
        return Ok(opened);
    }
    let mount = classic::copy(opened, recursive)?;
    close(opened)?;
    Ok(mount)
}

/// Makes another mount of what is open.
pub(super) fn copy(opened: usize, recursive: bool) -> Outcome<usize> {
    match by_fd() {
        // SAFETY: a constant string.
        true => unsafe { fd::copy(opened, c"".as_ptr(), recursive) },
        false => classic::copy(opened, recursive),
    }
}

/// Makes a new file system.
///
/// # Safety
/// `kind` is a NUL-terminated string, `options` are valid.
pub(super) unsafe fn filesystem(kind: *const c_char, options: Options, attributes: u64) -> Outcome<usize> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match by_fd() {
            true => fd::filesystem(kind, options.each, attributes),
            false => classic::filesystem(kind, options.joined, attributes),
        }
    }
}

/// Adds attributes to a mount and, if `recursive`, to all mounts below it.
pub(super) fn set(mount: usize, recursive: bool, attributes: Attributes) -> Outcome<()> {
    match by_fd() {
        true => fd::set(mount, recursive, attributes),
        false => classic::set(mount, recursive, attributes),
    }
}

pub(super) fn set_propagation(mount: usize, flag: u64) -> Outcome<()> {
    match by_fd() {
        true => fd::set_propagation(mount, flag),
        false => classic::set_propagation(mount, flag),
    }
}

/// Attaches a mount to `target`, or to the root directory.
pub(super) fn attach(mount: usize, target: Option<usize>) -> Outcome<()> {
    match by_fd() {
        true => fd::attach(mount, target),
        false => classic::attach(mount, target),
    }
}

/// Attributes of mounts that hold neither programs nor devices.
pub(super) const QUIET: u64 =
    kernel::MOUNT_ATTR_NOSUID | kernel::MOUNT_ATTR_NODEV | kernel::MOUNT_ATTR_NOEXEC;
