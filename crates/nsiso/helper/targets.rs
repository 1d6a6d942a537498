//! Opens the targets of the view, and makes those that are missing.
//!
//! Another program may change files in the view at any time: see `rootfs.rs`.

use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use super::files::{HERE, about, close, find_within};
use super::kernel::{self, c_char, c_int};
use super::plan::{Place, Text};
use super::syscall::{Outcome, check};

/// The caller's umask plus 1, while files are made with exactly the modes of the plan; else 0.
static UMASK: AtomicI32 = AtomicI32::new(0);

/// Opens a path of the view. No symbolic link leads out of the view.
pub(super) fn resolve(path: Text, flags: c_int) -> Outcome<usize> {
    // SAFETY: a NUL-terminated string of the plan.
    unsafe { find_within(HERE, path.string(), flags, 0) }
}

/// Whether the target is the root of the view.
///
/// # Safety
/// `at` is valid.
pub(super) unsafe fn is_root(at: Place) -> bool {
    // SAFETY: guaranteed by the caller: the table has at least its end entry.
    unsafe { (*at.parts.pointer())[0].is_none() }
}

/// Opens the target, and makes it if it is missing. Also returns whether it was made.
///
/// # Safety
/// `at` is valid.
pub(super) unsafe fn target(at: Place, directory: bool) -> Outcome<(usize, bool)> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        // Where no other process makes files, the target is probably missing.
        let alone = kept(at).is_some();
        if !alone {
            match resolve(at.path, 0) {
                Err(kernel::ENOENT) => {}
                found => return Ok((found?, false)),
            }
        }
        let made = match directory {
            true => new_directory(at, 0o755),
            false => new_file(at, 0o644).and_then(close),
        };
        match made {
            Err(kernel::EEXIST) if alone => Ok((resolve(at.path, 0)?, false)),
            made => {
                made?;
                let found = match kept(at) {
                    Some((parent, name)) => {
                        let flags = kernel::O_PATH | kernel::O_NOFOLLOW | kernel::O_CLOEXEC;
                        check(kernel::SYS_openat, [parent, name as usize, flags as usize])
                    }
                    None => resolve(at.path, 0),
                };
                Ok((found?, true))
            }
        }
    }
}

/// Device numbers of the tmpfs file systems made here, all different; 0 marks a free entry. Other
/// processes cannot reach their contents until the program runs, so no name can be swapped.
static OWN: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
/// A directory in one of these, kept open for the next files: its descriptor plus 1, or 0.
/// `KEPT_PATH` is its path. No mount may cover it or a directory above it while it is kept, because
/// the path would then lead elsewhere.
static KEPT: AtomicI32 = AtomicI32::new(0);
static KEPT_PATH: AtomicUsize = AtomicUsize::new(0);

fn device(fd: usize) -> Outcome<u64> {
    let about = about(fd, kernel::STATX_BASIC_STATS)?;
    Ok(u64::from(about.stx_dev_major) << 32 | u64::from(about.stx_dev_minor))
}

pub(super) fn note_own(mount: usize) -> Outcome<()> {
    if let Some(free) = OWN.iter().find(|device| device.load(Ordering::Relaxed) == 0) {
        free.store(device(mount)?, Ordering::Relaxed);
    }
    Ok(())
}

/// The target's directory, if it is the one kept open, and the target's name.
///
/// # Safety
/// `at` is valid.
unsafe fn kept(at: Place) -> Option<(usize, *const c_char)> {
    let fd = (KEPT.load(Ordering::Relaxed) as usize).checked_sub(1)?;
    // SAFETY: the table ends with an entry of none; NUL-terminated strings of the plan.
    unsafe {
        if is_root(at) {
            return None;
        }
        let (mut parts, mut path) = (at.parts.pointer(), c"/".as_ptr());
        while !(*parts.add(1))[0].is_none() {
            path = (*parts)[0].string();
            parts = parts.add(1);
        }
        let same = is_equal(path, KEPT_PATH.load(Ordering::Relaxed) as *const c_char);
        same.then(|| (fd, (*parts)[1].string()))
    }
}

/// Closes the directory that is kept open, if there is one.
pub(super) fn forget() -> Outcome<()> {
    match KEPT.swap(0, Ordering::Relaxed) {
        0 => Ok(()),
        after => close(after as usize - 1),
    }
}

/// # Safety
/// Both are NUL-terminated strings.
pub(super) unsafe fn is_equal(mut one: *const c_char, mut other: *const c_char) -> bool {
    // SAFETY: guaranteed by the caller: neither pointer goes past its NUL.
    unsafe {
        while *one == *other {
            if *one == 0 {
                return true;
            }
            (one, other) = (one.add(1), other.add(1));
        }
    }
    false
}

/// An open directory in which files are made.
pub(super) struct Directory {
    pub fd: usize,
    kept: bool,
}

impl Directory {
    pub fn close(self) -> Outcome<()> {
        if self.kept { Ok(()) } else { close(self.fd) }
    }
}

/// Opens the target's directory, and makes missing directories on the way. Also returns the
/// target's name.
///
/// # Safety
/// `at` is valid.
pub(super) unsafe fn parent(at: Place) -> Outcome<(Directory, *const c_char)> {
    // SAFETY: the table ends with an entry of none, and has at least one part.
    unsafe {
        if is_root(at) {
            return Err(kernel::EEXIST);
        }
        if let Some((fd, name)) = kept(at) {
            return Ok((Directory { fd, kept: true }, name));
        }
        let mut parts = at.parts.pointer();
        let mut so_far = c"/".as_ptr();
        let mut directory = find_within(HERE, c"/".as_ptr(), kernel::O_DIRECTORY, 0)?;
        while !(*parts.add(1))[0].is_none() {
            let [path, name] = *parts;
            let next = match resolve(path, kernel::O_DIRECTORY) {
                Err(kernel::ENOENT) => {
                    match make_directory(directory, name.string(), 0o755) {
                        Ok(()) | Err(kernel::EEXIST) => {}
                        Err(errno) => return Err(errno),
                    }
                    resolve(path, kernel::O_DIRECTORY)?
                }
                next => next?,
            };
            close(directory)?;
            directory = next;
            so_far = path.string();
            parts = parts.add(1);
        }
        let device = device(directory)?;
        let kept = OWN.iter().any(|own| own.load(Ordering::Relaxed) == device);
        if kept {
            forget()?;
            KEPT.store(directory as c_int + 1, Ordering::Relaxed);
            KEPT_PATH.store(so_far as usize, Ordering::Relaxed);
        }
        Ok((Directory { fd: directory, kept }, (*parts)[1].string()))
    }
}

/// # Safety
/// `at` is valid.
pub(super) unsafe fn new_directory(at: Place, mode: u32) -> Outcome<()> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let (parent, name) = parent(at)?;
        make_directory(parent.fd, name, mode)?;
        parent.close()
    }
}

/// # Safety
/// `at` is valid.
pub(super) unsafe fn new_file(at: Place, mode: u32) -> Outcome<usize> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let (parent, name) = parent(at)?;
        let file = create(parent.fd, name, mode)?;
        parent.close()?;
        Ok(file)
    }
}

/// # Safety
/// `name` is a NUL-terminated string.
pub(super) unsafe fn make_directory(parent: usize, name: *const c_char, mode: u32) -> Outcome<()> {
    clear_umask()?;
    // SAFETY: guaranteed by the caller.
    unsafe {
        check(kernel::SYS_mkdirat, [parent, name as usize, mode as usize])?;
        if mode & SET_IDS == 0 {
            return Ok(());
        }
        // mkdir(2) ignores these bits. Another program may have put a link there meanwhile.
        let flags = kernel::O_RDONLY | kernel::O_DIRECTORY | kernel::O_NOFOLLOW | kernel::O_CLOEXEC;
        let made = check(kernel::SYS_openat, [parent, name as usize, flags as usize])?;
        check(kernel::SYS_fchmod, [made, mode as usize])?;
        close(made)
    }
}

/// # Safety
/// `name` is a NUL-terminated string.
pub(super) unsafe fn create(directory: usize, name: *const c_char, mode: u32) -> Outcome<usize> {
    clear_umask()?;
    let flags = kernel::O_WRONLY | kernel::O_CREAT | kernel::O_EXCL | kernel::O_CLOEXEC;
    // SAFETY: guaranteed by the caller.
    unsafe { check(kernel::SYS_openat, [directory, name as usize, flags as usize, mode as usize]) }
}

/// Set-user-ID and set-group-ID.
const SET_IDS: u32 = 0o6000;

/// Clears the umask, so that files get their modes when they are made. A later change by name could
/// change the mode of another file.
fn clear_umask() -> Outcome<()> {
    if UMASK.load(Ordering::Relaxed) == 0 {
        // SAFETY: an integer argument only.
        let umask = unsafe { check(kernel::SYS_umask, [0])? };
        UMASK.store(umask as i32 + 1, Ordering::Relaxed);
    }
    Ok(())
}

pub(super) fn restore_umask() -> Outcome<()> {
    let after = UMASK.swap(0, Ordering::Relaxed);
    if after > 0 {
        // SAFETY: an integer argument only.
        unsafe { check(kernel::SYS_umask, [after as usize - 1])? };
    }
    Ok(())
}
