//! Descriptors put in their place, and all others closed.

use std::mem::MaybeUninit;

use libc::{c_int, c_uint};

use super::syscall::{Outcome, check};

/// Puts `from` at the number `to`, open over exec.
pub(super) fn place(from: c_int, to: c_int) -> Outcome<()> {
    let (from, to) = (from as usize, to as usize);
    // SAFETY: numbers only.
    unsafe {
        match from == to {
            true => check(libc::SYS_fcntl, [to, libc::F_SETFD as usize, 0, 0, 0])?,
            false => check(libc::SYS_dup3, [from, to, 0, 0, 0])?,
        };
    }
    Ok(())
}

/// Closes the numbers from `first` to `last`.
pub(super) fn close(first: c_uint, last: c_uint) -> Outcome<()> {
    // SAFETY: numbers only.
    match unsafe { check(libc::SYS_close_range, [first as usize, last as usize, 0, 0, 0]) } {
        // A container's filter may not know the call.
        Err(libc::ENOSYS | libc::EPERM) => close_listed(first, last),
        done => done.map(drop),
    }
}

/// The same for hosts whose seccomp filter refuses close_range(2): closes what `/proc/self/fd`
/// lists, again and again until it lists no more of them.
fn close_listed(first: c_uint, last: c_uint) -> Outcome<()> {
    let path = c"/proc/self/fd".as_ptr() as usize;
    let flags = (libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC) as usize;
    // SAFETY: a constant path and numbers; `buffer` is as long as said.
    unsafe {
        let listing = check(libc::SYS_openat, [libc::AT_FDCWD as usize, path, flags, 0, 0])?;
        // Not cleared: that would be a call of memset.
        let mut buffer = MaybeUninit::<Records>::uninit();
        loop {
            let len =
                check(libc::SYS_getdents64, [listing, &raw mut buffer as usize, size_of::<Records>(), 0, 0])?;
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
                    check(libc::SYS_close, [fd, 0, 0, 0, 0])?;
                }
                record = record.add(usize::from(record.add(LENGTH).cast::<u16>().read()));
            }
        }
        check(libc::SYS_close, [listing, 0, 0, 0, 0])?;
    }
    Ok(())
}

/// Room for `struct linux_dirent64`s, aligned as they are.
#[repr(C, align(8))]
struct Records(#[allow(dead_code)] [u8; 2048]);

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
            digit @ b'0'..=b'9' => value = value.wrapping_mul(10).wrapping_add(usize::from(digit - b'0')),
            _ => return None,
        }
        // SAFETY: as above.
        name = unsafe { name.add(1) };
    }
}
