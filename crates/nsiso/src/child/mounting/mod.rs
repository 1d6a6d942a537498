//! What is done with mounts: by the calls for mounts that are mounted nowhere yet, or by mount(2), where these are missing.
//!
//! Either way a mount is a descriptor while it is made ready, where the program does not see it, and then comes to its place.

mod detached;
mod mountinfo;
mod staged;

use libc::c_char;

use super::files::{HERE, close};
use super::syscall::Outcome;
use crate::plan::{Attributes, Options, Stage};

pub(super) use staged::set_up;

/// With a stage it is mount(2).
#[derive(Clone, Copy)]
pub(super) struct Mounting<'plan>(pub Option<&'plan Stage>);

impl Mounting<'_> {
    /// Finds what is to be mounted elsewhere, now and with the rights of now.
    ///
    /// # Safety
    /// `source` is a string.
    pub unsafe fn open(self, source: *const c_char, recursive: bool) -> Outcome<usize> {
        // SAFETY: the caller's promise.
        unsafe {
            match self.0 {
                None => detached::copy(HERE, source, recursive),
                Some(_) => super::files::find(HERE, source),
            }
        }
    }

    /// A mount of what was found by [`Self::open`], which is used up.
    pub fn mount_of(self, opened: usize, recursive: bool) -> Outcome<usize> {
        match self.0 {
            None => Ok(opened),
            Some(stage) => {
                let mount = staged::copy(stage, opened, recursive)?;
                close(opened)?;
                Ok(mount)
            }
        }
    }

    /// Another mount of what is open.
    pub fn copy(self, opened: usize, recursive: bool) -> Outcome<usize> {
        match self.0 {
            // SAFETY: a constant string.
            None => unsafe { detached::copy(opened, c"".as_ptr(), recursive) },
            Some(stage) => staged::copy(stage, opened, recursive),
        }
    }

    /// A new file system.
    ///
    /// # Safety
    /// `kind` is a string, `options` are valid.
    pub unsafe fn filesystem(self, kind: *const c_char, options: Options, attributes: u64) -> Outcome<usize> {
        // SAFETY: the caller's promise.
        unsafe {
            match self.0 {
                None => detached::filesystem(kind, options.each, attributes),
                Some(stage) => staged::filesystem(stage, kind, options.joined, attributes),
            }
        }
    }

    /// Sets attributes of a mount, with or without all below it; others stay as they are.
    pub fn set(self, mount: usize, recursive: bool, attributes: Attributes) -> Outcome<()> {
        match self.0 {
            None => detached::set(mount, recursive, attributes),
            Some(stage) => staged::set(stage, mount, recursive, attributes),
        }
    }

    pub fn set_propagation(self, mount: usize, flag: u64) -> Outcome<()> {
        match self.0 {
            None => detached::set_propagation(mount, flag),
            Some(_) => staged::set_propagation(mount, flag),
        }
    }

    /// Brings a mount upon `target`, or upon the root directory.
    pub fn attach(self, mount: usize, target: Option<usize>) -> Outcome<()> {
        match self.0 {
            None => detached::attach(mount, target),
            Some(_) => staged::attach(mount, target),
        }
    }
}
