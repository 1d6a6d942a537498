//! The view of the file system, built below the working directory, while the root is still the host's.
//!
//! Whoever may write in there could put symbolic links in the way: every target is found by openat2(2) as if the view were the root
//! already, and what is mounted there is mounted on what was found.

use libc::{c_char, c_int};

use super::files::{HERE, about, close, find, find_within, is_directory, open_within};
use super::mounting::{self, Mounting};
use super::syscall::{Outcome, check};
use crate::plan::{Attributes, Change, Options, Place, Slot, Stage, UPPER, WORK};

/// # Safety
/// The pointers in `change` are valid.
pub(super) unsafe fn make(change: &Change, stage: Option<&Stage>) -> Outcome<()> {
    let mounts = Mounting(stage);
    // SAFETY: the caller's promise is handed on.
    unsafe {
        match *change {
            Change::Open { source, fd, recursive, optional, slot } => {
                open(mounts, source, fd, recursive, optional, slot)
            }
            Change::Stage => stage.map_or(Ok(()), mounting::set_up),
            Change::Bind { slot, recursive, attributes, at, .. } => match slot.get() {
                // It did not exist, and need not.
                ..0 => Ok(()),
                opened => {
                    let mount = mounts.mount_of(opened as usize, recursive)?;
                    if attributes.set != 0 || attributes.id_map >= 0 {
                        mounts.set(mount, recursive, attributes)?;
                    }
                    attach(mounts, mount, is_directory(mount)?, at)
                }
            },
            Change::Filesystem { kind, options, attributes, at } => {
                let mount = mounts.filesystem(kind, options, attributes)?;
                attach(mounts, mount, true, at)
            }
            Change::Overlay { lower, options, thrown_away: true, attributes, at } => {
                throw_away(mounts, lower, options, attributes, at)
            }
            Change::Overlay { options, attributes, at, .. } => {
                let mount = mounts.filesystem(OVERLAY, options, attributes)?;
                attach(mounts, mount, true, at)
            }
            Change::Directory { mode, at } => match resolve(at.path, libc::O_DIRECTORY) {
                Ok(directory) => close(directory),
                Err(libc::ENOENT) => new_directory(at, mode),
                Err(errno) => Err(errno),
            },
            Change::Symlink { to, at } => {
                let (parent, name) = parent(at)?;
                let done = check(libc::SYS_symlinkat, [to as usize, parent, name as usize, 0, 0]);
                close(parent)?;
                done.map(drop)
            }
            Change::File { data, len, mode, at } => match new_file(at, mode) {
                Ok(file) => fill(file, data, len),
                Err(libc::EEXIST) => cover(mounts, data, len, mode, at),
                Err(errno) => Err(errno),
            },
            Change::Mask { options, at } => mask(mounts, options, at),
            Change::Permissions { mode, at } => permissions(at, mode),
            Change::ReadOnly { recursive, optional, at } => read_only(mounts, recursive, optional, at),
            Change::Propagation { flag, at } => {
                let target = resolve(at.path, 0)?;
                mounts.set_propagation(target, flag)?;
                close(target)
            }
            Change::Pivot => pivot(),
            Change::Enter { path, optional } => match resolve(path, libc::O_DIRECTORY) {
                Ok(directory) => {
                    check(libc::SYS_fchdir, [directory, 0, 0, 0, 0])?;
                    close(directory)
                }
                Err(_) if optional => Ok(()),
                Err(errno) => Err(errno),
            },
        }
    }
}

const OVERLAY: *const c_char = c"overlay".as_ptr();
/// Of mounts with nothing to run in them.
const QUIET: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;

/// # Safety
/// `source` is a string.
unsafe fn open(
    mounts: Mounting,
    source: *const c_char,
    fd: c_int,
    recursive: bool,
    optional: bool,
    slot: Slot,
) -> Outcome<()> {
    // SAFETY: the caller's promise.
    let opened = match unsafe { mounts.open(source, recursive) } {
        Err(libc::ENOENT) if optional => return Ok(()),
        opened => opened?,
    };
    if fd >= 0 {
        let (found, wanted) = (about(opened)?, about(fd as usize)?);
        if (found.st_dev, found.st_ino) != (wanted.st_dev, wanted.st_ino) {
            return Err(libc::ESTALE);
        }
    }
    slot.set(opened as c_int);
    Ok(())
}

/// Brings a mount to its place, and closes it. At the root of the view the working directory goes there.
///
/// # Safety
/// `at` is valid.
unsafe fn attach(mounts: Mounting, mount: usize, is_directory: bool, at: Place) -> Outcome<()> {
    // SAFETY: the caller's promise.
    unsafe {
        if at.is_root() {
            mounts.attach(mount, None)?;
            check(libc::SYS_fchdir, [mount, 0, 0, 0, 0])?;
            return close(mount);
        }
        let target = target(at, is_directory)?;
        onto(mounts, mount, target)
    }
}

/// An overlay on a tmpfs that lies hidden beneath it.
///
/// # Safety
/// `lower` is a string, `at` is valid.
unsafe fn throw_away(
    mounts: Mounting,
    lower: *const c_char,
    options: Options,
    attributes: u64,
    at: Place,
) -> Outcome<()> {
    // SAFETY: the caller's promise; paths without a slash at the start are found in the tmpfs.
    unsafe {
        let found = find(HERE, lower)?;
        let mode = about(found)?.st_mode as usize & 0o7777;
        close(found)?;
        // It has to be writable, whatever the overlay is.
        let writable = attributes & !libc::MOUNT_ATTR_RDONLY;
        let layer = mounts.filesystem(c"tmpfs".as_ptr(), Options::none(), writable)?;
        // A second descriptor, since the first one is closed when it is mounted.
        let tree = find(layer, c".".as_ptr())?;
        let view = find(HERE, c".".as_ptr())?;
        attach(mounts, layer, true, at)?;
        check(libc::SYS_fchdir, [tree, 0, 0, 0, 0])?;
        for name in [UPPER, WORK] {
            check(libc::SYS_mkdirat, [HERE, name.as_ptr() as usize, 0o700, 0, 0])?;
        }
        check(libc::SYS_fchmodat, [HERE, UPPER.as_ptr() as usize, mode, 0, 0])?;
        let mount = mounts.filesystem(OVERLAY, options, attributes)?;
        if !at.is_root() {
            check(libc::SYS_fchdir, [view, 0, 0, 0, 0])?;
        }
        close(view)?;
        close(tree)?;
        attach(mounts, mount, true, at)
    }
}

/// A file upon one that is there, which is not changed. It lies in a file system of its own, which takes a place in the view only as long as it
/// takes to bind the file.
///
/// # Safety
/// `data` has `len` bytes; `at` is valid.
unsafe fn cover(mounts: Mounting, data: *const u8, len: usize, mode: u32, at: Place) -> Outcome<()> {
    let name = c"file".as_ptr();
    // SAFETY: the caller's promise; constant strings.
    unsafe {
        let target = resolve(at.path, 0)?;
        if is_directory(target)? {
            return Err(libc::EISDIR);
        }
        let (directory, _) = parent(at)?;
        let view = find(HERE, c".".as_ptr())?;
        let layer = mounts.filesystem(c"tmpfs".as_ptr(), Options::none(), QUIET)?;
        fill(create(layer, name, mode)?, data, len)?;
        mounts.attach(layer, Some(directory))?;
        close(directory)?;
        let file = find(layer, name)?;
        let mount = mounts.copy(file, false)?;
        close(file)?;
        check(libc::SYS_fchdir, [layer, 0, 0, 0, 0])?;
        check(libc::SYS_umount2, [c".".as_ptr() as usize, libc::MNT_DETACH as usize, 0, 0, 0])?;
        check(libc::SYS_fchdir, [view, 0, 0, 0, 0])?;
        close(layer)?;
        close(view)?;
        onto(mounts, mount, target)
    }
}

/// # Safety
/// `at` is valid.
unsafe fn mask(mounts: Mounting, options: Options, at: Place) -> Outcome<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let target = match resolve(at.path, 0) {
            Err(libc::ENOENT) => return Ok(()),
            target => target?,
        };
        let mount = if is_directory(target)? {
            mounts.filesystem(c"tmpfs".as_ptr(), options, QUIET | libc::MOUNT_ATTR_RDONLY)?
        } else {
            mounts.mount_of(mounts.open(c"/dev/null".as_ptr(), false)?, false)?
        };
        onto(mounts, mount, target)
    }
}

/// # Safety
/// `at` is valid.
unsafe fn read_only(mounts: Mounting, recursive: bool, optional: bool, at: Place) -> Outcome<()> {
    // SAFETY: the caller's promise.
    let target = match unsafe { resolve(at.path, 0) } {
        Err(libc::ENOENT) if optional => return Ok(()),
        target => target?,
    };
    if at.is_root() || !recursive {
        mounts.set(target, recursive, Attributes::read_only())?;
        return close(target);
    }
    let copy = mounts.copy(target, true)?;
    mounts.set(copy, true, Attributes::read_only())?;
    onto(mounts, copy, target)
}

/// By a descriptor that opens nothing, where the kernel takes one (Linux 6.6).
///
/// # Safety
/// `at` is valid.
unsafe fn permissions(at: Place, mode: u32) -> Outcome<()> {
    const FCHMODAT2: i64 = 452;
    // SAFETY: the caller's promise; constant strings.
    unsafe {
        let target = resolve(at.path, 0)?;
        let here = libc::AT_EMPTY_PATH as usize;
        let done = check(FCHMODAT2, [target, c"".as_ptr() as usize, mode as usize, here, 0]);
        close(target)?;
        if !matches!(done, Err(libc::ENOSYS | libc::EPERM)) {
            return done.map(drop);
        }
        let opened = open_within(HERE, at.path, libc::O_RDONLY | libc::O_NONBLOCK, 0)?;
        let done = check(libc::SYS_fchmod, [opened, mode as usize, 0, 0, 0]);
        close(opened)?;
        done.map(drop)
    }
}

/// Brings `mount` upon what is open, and closes both.
fn onto(mounts: Mounting, mount: usize, target: usize) -> Outcome<()> {
    mounts.attach(mount, Some(target))?;
    close(target)?;
    close(mount)
}

/// Opens a path of the view, which nothing in it can make lead out of it.
///
/// # Safety
/// `path` is a string.
unsafe fn resolve(path: *const c_char, flags: c_int) -> Outcome<usize> {
    // SAFETY: the caller's promise.
    unsafe { find_within(HERE, path, flags, 0) }
}

/// Opens the target, made if it is not there.
///
/// # Safety
/// `at` is valid.
unsafe fn target(at: Place, directory: bool) -> Outcome<usize> {
    // SAFETY: the caller's promise.
    unsafe {
        match resolve(at.path, 0) {
            Err(libc::ENOENT) => {}
            found => return found,
        }
        match directory {
            true => new_directory(at, 0o755)?,
            false => close(new_file(at, 0o644)?)?,
        }
        resolve(at.path, 0)
    }
}

/// The directory that the target is in, opened, with those on the way made where they are missing; and the target's name.
///
/// # Safety
/// `at` is valid.
unsafe fn parent(at: Place) -> Outcome<(usize, *const c_char)> {
    if at.is_root() {
        return Err(libc::EEXIST);
    }
    // SAFETY: the table ends with NULL, and there is one part at least.
    unsafe {
        let mut parts = at.parts;
        let mut directory = resolve(c"/".as_ptr(), libc::O_DIRECTORY)?;
        while !(*parts.add(1))[0].is_null() {
            let [path, name] = *parts;
            let next = match resolve(path, libc::O_DIRECTORY) {
                Err(libc::ENOENT) => {
                    match check(libc::SYS_mkdirat, [directory, name as usize, 0o755, 0, 0]) {
                        Ok(_) | Err(libc::EEXIST) => {}
                        Err(errno) => return Err(errno),
                    }
                    resolve(path, libc::O_DIRECTORY)?
                }
                next => next?,
            };
            close(directory)?;
            directory = next;
            parts = parts.add(1);
        }
        Ok((directory, (*parts)[1]))
    }
}

/// # Safety
/// `at` is valid.
unsafe fn new_directory(at: Place, mode: u32) -> Outcome<()> {
    // SAFETY: the caller's promise. The host's umask takes nothing away.
    unsafe {
        let (parent, name) = parent(at)?;
        check(libc::SYS_mkdirat, [parent, name as usize, mode as usize, 0, 0])?;
        check(libc::SYS_fchmodat, [parent, name as usize, mode as usize, 0, 0])?;
        close(parent)
    }
}

/// # Safety
/// `at` is valid.
unsafe fn new_file(at: Place, mode: u32) -> Outcome<usize> {
    // SAFETY: the caller's promise.
    unsafe {
        let (parent, name) = parent(at)?;
        let file = create(parent, name, mode)?;
        close(parent)?;
        Ok(file)
    }
}

/// # Safety
/// `name` is a string.
unsafe fn create(directory: usize, name: *const c_char, mode: u32) -> Outcome<usize> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the caller's promise.
    unsafe {
        let file = check(libc::SYS_openat, [directory, name as usize, flags as usize, 0o600, 0])?;
        check(libc::SYS_fchmod, [file, mode as usize, 0, 0, 0])?;
        Ok(file)
    }
}

/// Writes all of it, and closes the file.
///
/// # Safety
/// `data` has `len` bytes.
unsafe fn fill(file: usize, mut data: *const u8, mut len: usize) -> Outcome<()> {
    while len > 0 {
        // SAFETY: the caller's promise.
        unsafe {
            let written = check(libc::SYS_write, [file, data as usize, len, 0, 0])?;
            data = data.add(written);
            len = len.wrapping_sub(written);
        }
    }
    close(file)
}

/// The new root comes upon the old one, which then lies at the same place, on top, with what it was covered by, and all of that goes.
fn pivot() -> Outcome<()> {
    let here = c".".as_ptr() as usize;
    // SAFETY: constant strings and numbers.
    unsafe {
        check(libc::SYS_pivot_root, [here, here, 0, 0, 0])?;
        loop {
            // Above the root directory is what is mounted on it.
            match find_within(HERE, c"..".as_ptr(), 0, libc::RESOLVE_NO_XDEV) {
                Err(libc::EXDEV) => check(libc::SYS_umount2, [here, libc::MNT_DETACH as usize, 0, 0, 0])?,
                Err(errno) => return Err(errno),
                Ok(root) => {
                    close(root)?;
                    break;
                }
            };
        }
        check(libc::SYS_chdir, [c"/".as_ptr() as usize, 0, 0, 0, 0])?;
    }
    Ok(())
}
