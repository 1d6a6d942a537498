//! Files by their descriptors: found, looked at, closed.

use core::mem::MaybeUninit;

use super::kernel::{self, c_char, c_int};
use super::syscall::{Outcome, check};

/// How often a path is looked up that is being changed meanwhile.
const TRIES: usize = 1000;

/// The working directory, where a directory is asked for.
pub(super) const HERE: usize = kernel::AT_FDCWD as usize;

/// `struct open_how`.
#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens a path from `directory` on with O_PATH.
///
/// # Safety
/// `path` is a string.
pub(super) unsafe fn find(directory: usize, path: *const c_char) -> Outcome<usize> {
    let flags = (kernel::O_PATH | kernel::O_CLOEXEC) as usize;
    // SAFETY: the caller's promise.
    unsafe { check(kernel::SYS_openat, [directory, path as usize, flags]) }
}

/// Opens a path with O_PATH as if `root` were the root directory, so that no symbolic link leads
/// out of it. `refused`: what must not be on the way besides, `RESOLVE_...`.
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
    unsafe { open_within(root, path, kernel::O_PATH | flags, refused) }
}

/// Opens a path with `flags` as if `root` were the root directory.
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
        flags: (kernel::O_CLOEXEC | flags) as u64,
        mode: 0,
        resolve: kernel::RESOLVE_IN_ROOT | kernel::RESOLVE_NO_MAGICLINKS | refused,
    };
    let args = [root, path as usize, &raw const how as usize, size_of::<How>()];
    for _ in 0..TRIES {
        // SAFETY: the caller's promise; the struct has the size given.
        match unsafe { check(kernel::SYS_openat2, args) } {
            Err(kernel::EAGAIN) => {}
            found => return found,
        }
    }
    Err(kernel::EAGAIN)
}

/// What statx(2) tells of an open file.
pub(super) fn about(fd: usize, mask: u32) -> Outcome<kernel::statx> {
    let mut about = MaybeUninit::<kernel::statx>::uninit();
    let flags = (kernel::AT_EMPTY_PATH | kernel::AT_STATX_DONT_SYNC) as usize;
    let (path, place) = (c"".as_ptr() as usize, about.as_mut_ptr() as usize);
    // SAFETY: room for what the kernel writes, which it has written when it says so.
    unsafe {
        check(kernel::SYS_statx, [fd, path, flags, mask as usize, place])?;
        Ok(about.assume_init())
    }
}

pub(super) fn mode(fd: usize) -> Outcome<u32> {
    Ok(u32::from(about(fd, kernel::STATX_BASIC_STATS)?.stx_mode))
}

pub(super) fn is_directory(fd: usize) -> Outcome<bool> {
    Ok(mode(fd)? & kernel::S_IFMT == kernel::S_IFDIR)
}

pub(super) fn is_same(one: usize, other: usize) -> Outcome<bool> {
    let (one, other) = (about(one, kernel::STATX_BASIC_STATS)?, about(other, kernel::STATX_BASIC_STATS)?);
    let file = |about: &kernel::statx| (about.stx_dev_major, about.stx_dev_minor, about.stx_ino);
    Ok(file(&one) == file(&other))
}

pub(super) fn close(fd: usize) -> Outcome<()> {
    // SAFETY: numbers only.
    unsafe { check(kernel::SYS_close, [fd]) }.map(drop)
}
