//! Files by their descriptors: found, looked at, closed.

use std::mem::MaybeUninit;

use libc::{c_char, c_int};

use super::syscall::{Outcome, check};

/// How often a path is looked up that is being changed meanwhile.
const TRIES: usize = 1000;

/// The working directory, where a directory is asked for.
pub(super) const HERE: usize = libc::AT_FDCWD as usize;

/// `struct open_how`.
#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Finds a path from `directory` on, for looking at alone.
///
/// # Safety
/// `path` is a string.
pub(super) unsafe fn find(directory: usize, path: *const c_char) -> Outcome<usize> {
    let flags = (libc::O_PATH | libc::O_CLOEXEC) as usize;
    // SAFETY: the caller's promise.
    unsafe { check(libc::SYS_openat, [directory, path as usize, flags, 0, 0]) }
}

/// Finds a path as if `root` were the root directory, which nothing in there can make lead out of it. `refused`: what must not be on the
/// way besides, `RESOLVE_...`.
///
/// # Safety
/// `path` is a string.
pub(super) unsafe fn find_within(
    root: usize,
    path: *const c_char,
    flags: c_int,
    refused: u64,
) -> Outcome<usize> {
    // SAFETY: the caller's promise.
    unsafe { open_within(root, path, libc::O_PATH | flags, refused) }
}

/// The same for more than looking at.
///
/// # Safety
/// `path` is a string.
pub(super) unsafe fn open_within(
    root: usize,
    path: *const c_char,
    flags: c_int,
    refused: u64,
) -> Outcome<usize> {
    let how = How {
        flags: (libc::O_CLOEXEC | flags) as u64,
        mode: 0,
        resolve: libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS | refused,
    };
    let args = [root, path as usize, &raw const how as usize, size_of::<How>(), 0];
    for _ in 0..TRIES {
        // SAFETY: the caller's promise; the struct has the size given.
        match unsafe { check(libc::SYS_openat2, args) } {
            Err(libc::EAGAIN) => {}
            found => return found,
        }
    }
    Err(libc::EAGAIN)
}

pub(super) fn about(fd: usize) -> Outcome<libc::stat> {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: room for what the kernel writes, which it has written when it says so.
    unsafe {
        check(libc::SYS_fstat, [fd, about.as_mut_ptr() as usize, 0, 0, 0])?;
        Ok(about.assume_init())
    }
}

pub(super) fn is_directory(fd: usize) -> Outcome<bool> {
    Ok(about(fd)?.st_mode & libc::S_IFMT == libc::S_IFDIR)
}

pub(super) fn close(fd: usize) -> Outcome<()> {
    // SAFETY: numbers only.
    unsafe { check(libc::SYS_close, [fd, 0, 0, 0, 0]) }.map(drop)
}
