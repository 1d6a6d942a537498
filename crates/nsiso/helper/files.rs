//! Opens, inspects and closes files by descriptor.

use core::mem::MaybeUninit;

use super::kernel::{self, c_char, c_int};
use super::syscall::{Outcome, check};

/// How often a lookup is repeated while other processes change the path.
const TRIES: usize = 1000;

/// The working directory, for arguments that take a directory's descriptor.
pub(super) const HERE: usize = kernel::AT_FDCWD as usize;

/// `struct open_how`.
#[repr(C)]
struct How {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Opens `path`, relative to `directory`, with O_PATH.
///
/// # Safety
/// `path` is a NUL-terminated string.
pub(super) unsafe fn find(directory: usize, path: *const c_char) -> Outcome<usize> {
    let flags = (kernel::O_PATH | kernel::O_CLOEXEC) as usize;
    // SAFETY: guaranteed by the caller.
    unsafe { check(kernel::SYS_openat, [directory, path as usize, flags]) }
}

/// Opens a path with O_PATH as if `root` were the root directory, so that no symbolic link leads
/// out of it. `refused` adds `RESOLVE_...` flags.
///
/// # Safety
/// `path` is a NUL-terminated string.
pub(super) unsafe fn find_within(
    root: usize,
    path: *const c_char,
    flags: c_int,
    refused: u64,
) -> Outcome<usize> {
    // SAFETY: guaranteed by the caller.
    unsafe { open_within(root, path, kernel::O_PATH | flags, refused) }
}

/// Opens a path with `flags` as if `root` were the root directory.
///
/// # Safety
/// `path` is a NUL-terminated string.
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
        // SAFETY: guaranteed by the caller; the struct has the size passed.
        match unsafe { check(kernel::SYS_openat2, args) } {
            Err(kernel::EAGAIN) => {}
            found => return found,
        }
    }
    Err(kernel::EAGAIN)
}

/// Calls statx(2) for an open file.
pub(super) fn about(fd: usize, mask: u32) -> Outcome<kernel::statx> {
    let mut about = MaybeUninit::<kernel::statx>::uninit();
    let flags = (kernel::AT_EMPTY_PATH | kernel::AT_STATX_DONT_SYNC) as usize;
    let (path, place) = (c"".as_ptr() as usize, about.as_mut_ptr() as usize);
    // SAFETY: room for the struct, which the kernel has filled in on success.
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
    // SAFETY: integer arguments only.
    unsafe { check(kernel::SYS_close, [fd]) }.map(drop)
}
