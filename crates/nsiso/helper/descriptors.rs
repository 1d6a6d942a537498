//! Descriptors put in their place, and all others closed.

use core::mem::MaybeUninit;

use super::kernel::{self, c_int, c_uint};
use super::syscall::{Outcome, check};

/// Puts `from` at the number `to`, open over exec.
pub(super) fn place(from: c_int, to: c_int) -> Outcome<()> {
    let (from, to) = (from as usize, to as usize);
    // SAFETY: numbers only.
    unsafe {
        match from == to {
            true => check(kernel::SYS_fcntl, [to, kernel::F_SETFD as usize, 0])?,
            false => check(kernel::SYS_dup3, [from, to, 0])?,
        };
    }
    Ok(())
}

/// What is not open fails where it is used.
pub(super) fn set_close_on_exec(fd: c_int) -> Outcome<()> {
    let args = [fd as usize, kernel::F_SETFD as usize, kernel::FD_CLOEXEC as usize];
    // SAFETY: numbers only.
    match unsafe { check(kernel::SYS_fcntl, args) } {
        Err(kernel::EBADF) => Ok(()),
        set => set.map(drop),
    }
}

/// Closes the numbers from `first` to `last`.
pub(super) fn close(first: c_uint, last: c_uint) -> Outcome<()> {
    // SAFETY: numbers only.
    match unsafe { check(kernel::SYS_close_range, [first as usize, last as usize, 0]) } {
        // A container's filter may not know the call.
        Err(kernel::ENOSYS | kernel::EPERM) => close_listed(first, last),
        done => done.map(drop),
    }
}

/// Closes what `/proc/self/fd` lists, again and again until it lists no more of them. For hosts whose
/// seccomp filter refuses close_range(2).
fn close_listed(first: c_uint, last: c_uint) -> Outcome<()> {
    let path = c"/proc/self/fd".as_ptr() as usize;
    let flags = (kernel::O_RDONLY | kernel::O_DIRECTORY | kernel::O_CLOEXEC) as usize;
    // SAFETY: a constant path and numbers; `buffer` is as long as said.
    unsafe {
        let listing = check(kernel::SYS_openat, [kernel::AT_FDCWD as usize, path, flags])?;
        let mut buffer = MaybeUninit::<Records>::uninit();
        loop {
            let room = [listing, buffer.as_mut_ptr() as usize, size_of::<Records>()];
            let len = check(kernel::SYS_getdents64, room)?;
            if len == 0 {
                break;
            }
            let mut record = buffer.as_ptr().cast::<u8>();
            let end = record.add(len);
            while record < end {
                if let Some(fd) = number(record.add(NAME))
                    && (first as usize..=last as usize).contains(&fd)
                    && fd != listing
                {
                    check(kernel::SYS_close, [fd])?;
                }
                record = record.add(usize::from(record.add(LENGTH).cast::<u16>().read()));
            }
        }
        check(kernel::SYS_close, [listing])?;
    }
    Ok(())
}

/// Room for `struct linux_dirent64`s, aligned as they are.
#[repr(C, align(8))]
struct Records([u8; 2048]);

/// Where a record has its own length, and where its name.
const LENGTH: usize = 16;
const NAME: usize = 19;

/// A file name of digits.
///
/// # Safety
/// `name` is a string.
unsafe fn number(mut name: *const u8) -> Option<usize> {
    let mut value = 0usize;
    loop {
        // SAFETY: the caller's promise: the NUL comes first.
        match unsafe { name.read() } {
            0 => return Some(value),
            digit @ b'0'..=b'9' => {
                value = value.wrapping_mul(10).wrapping_add(usize::from(digit.wrapping_sub(b'0')));
            }
            _ => return None,
        }
        // SAFETY: as above.
        name = unsafe { name.add(1) };
    }
}
