//! Puts file descriptors at their final numbers, and closes all others.

use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicI32, Ordering};

use super::kernel::{self, c_int, c_uint, flock};
use super::syscall::{Outcome, check};

/// Duplicates `from` to the number `to`, without close-on-exec.
pub(super) fn place(from: c_int, to: c_int) -> Outcome<()> {
    let (from, to) = (from as usize, to as usize);
    // SAFETY: integer arguments only.
    unsafe {
        match from == to {
            true => check(kernel::SYS_fcntl, [to, kernel::F_SETFD as usize, 0])?,
            false => check(kernel::SYS_dup3, [from, to, 0])?,
        };
    }
    Ok(())
}

/// Ignores a descriptor that is not open: the action that uses it fails.
pub(super) fn set_close_on_exec(fd: c_int) -> Outcome<()> {
    let args = [fd as usize, kernel::F_SETFD as usize, kernel::FD_CLOEXEC as usize];
    // SAFETY: integer arguments only.
    match unsafe { check(kernel::SYS_fcntl, args) } {
        Err(kernel::EBADF) => Ok(()),
        set => set.map(drop),
    }
}

/// The descriptor that [`lock_until_exec`] keeps, or 0.
static LOCKED: AtomicI32 = AtomicI32::new(0);

/// Locks the file until this process executes the program or ends, since either closes its last
/// descriptor of the file. A forked child does not have the lock. The descriptor gets a number that
/// programs are unlikely to use.
pub(super) fn lock_until_exec(fd: usize) -> Outcome<()> {
    const LIKELY: usize = 200;
    let lock = flock { l_type: kernel::F_WRLCK, ..flock::default() };
    // SAFETY: integers, and a struct that lives until the call returns.
    unsafe {
        let kept = check(kernel::SYS_fcntl, [fd, kernel::F_DUPFD_CLOEXEC as usize, LIKELY])?;
        // Closing any descriptor of the file releases the lock, so close this one first.
        check(kernel::SYS_close, [fd])?;
        check(kernel::SYS_fcntl, [kept, kernel::F_SETLK as usize, &raw const lock as usize])?;
        LOCKED.store(kept as c_int, Ordering::Relaxed);
    }
    Ok(())
}

/// Closes the numbers from `first` to `last`, except the locked file.
pub(super) fn close(first: c_uint, last: c_uint) -> Outcome<()> {
    match LOCKED.load(Ordering::Relaxed) as c_uint {
        locked if locked != 0 && (first..=last).contains(&locked) => {
            if first < locked {
                close_all(first, locked - 1)?;
            }
            close_all(locked + 1, last)
        }
        _ => close_all(first, last),
    }
}

fn close_all(first: c_uint, last: c_uint) -> Outcome<()> {
    // SAFETY: integer arguments only.
    match unsafe { check(kernel::SYS_close_range, [first as usize, last as usize, 0]) } {
        // A container's seccomp filter may not know the call.
        Err(kernel::ENOSYS | kernel::EPERM) if LEFT_MOUNT_NAMESPACE.load(Ordering::Relaxed) == 0 => {
            close_listed(first, last)
        }
        // The /proc of a joined mount namespace cannot be trusted. All descriptors that are open
        // now were kept before, or have one of the lowest free numbers.
        Err(kernel::ENOSYS | kernel::EPERM) => {
            for fd in first..=last.min(first.saturating_add(1 << 16)) {
                // SAFETY: integer arguments only. Most of them are not open.
                let _ = unsafe { check(kernel::SYS_close, [fd as usize]) };
            }
            Ok(())
        }
        done => done.map(drop),
    }
}

/// Nonzero once the helper may have left the caller's mount namespace.
static LEFT_MOUNT_NAMESPACE: AtomicI32 = AtomicI32::new(0);

pub(super) fn leave_mount_namespace() {
    LEFT_MOUNT_NAMESPACE.store(1, Ordering::Relaxed);
}

/// Closes what `/proc/self/fd` lists. For callers whose seccomp filter refuses close_range(2).
fn close_listed(first: c_uint, last: c_uint) -> Outcome<()> {
    let path = c"/proc/self/fd".as_ptr() as usize;
    let flags = (kernel::O_RDONLY | kernel::O_DIRECTORY | kernel::O_CLOEXEC) as usize;
    // SAFETY: a constant path and integers; `buffer` has the size passed.
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

/// Room for `struct linux_dirent64` records, with their alignment.
#[repr(C, align(8))]
struct Records([u8; 2048]);

/// Offsets of a record's length and of its name.
const LENGTH: usize = 16;
const NAME: usize = 19;

/// Parses a file name of digits.
///
/// # Safety
/// `name` is a NUL-terminated string.
unsafe fn number(mut name: *const u8) -> Option<usize> {
    let mut value = 0usize;
    loop {
        // SAFETY: guaranteed by the caller: the NUL ends the loop.
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
