//! Builds the file system view below the working directory, while the root is still the caller's.
//!
//! A program in another sandbox may change files in the view at any time. So every target is opened
//! by openat2(2) as if the view were the root already, and new files are changed by descriptor.

use super::files::{HERE, about, close, find, find_within, is_directory, is_same, mode, open_within};
use super::kernel::{self, c_char, c_int};
use super::mount::{self, Options, QUIET};
use super::plan::{Attributes, MountOp, Place, Slot, Table, Text, UPPER, WORK};
use super::syscall::{Outcome, check};
use super::targets::{
    create, forget, is_equal, is_root, make_directory, new_directory, new_file, note_own, parent, resolve,
    restore_umask, target,
};

/// # Safety
/// The references in `op` point into the plan.
pub(super) unsafe fn change(op: &MountOp) -> Outcome<()> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match *op {
            MountOp::Open { source, fd, recursive, optional, slot } => {
                open(source.string(), fd, recursive, optional, slot)
            }
            MountOp::Prepare => mount::prepare(),
            MountOp::Bind { slot, recursive, attributes, at, .. } => match slot.get() {
                // The optional source did not exist.
                ..0 => Ok(()),
                opened => {
                    let mount = mount::mount_of(opened as usize, recursive)?;
                    if attributes.set != 0 || attributes.id_map >= 0 {
                        mount::set(mount, recursive, attributes)?;
                    }
                    attach(mount, is_directory(mount)?, at)
                }
            },
            MountOp::Filesystem { kind, options, attributes, at } => {
                let mount = mount::filesystem(kind.string(), options.into(), attributes)?;
                if is_equal(kind.string(), c"tmpfs".as_ptr()) {
                    note_own(mount)?;
                }
                attach(mount, true, at)
            }
            MountOp::Overlay { lower, options, thrown_away: true, optional, attributes, at } => {
                match find(HERE, lower.string()) {
                    Err(kernel::ENOENT) if optional => Ok(()),
                    lower => throw_away(lower?, options.into(), attributes, at),
                }
            }
            MountOp::Overlay { options, attributes, at, .. } => {
                let mount = mount::filesystem(OVERLAY, options.into(), attributes)?;
                attach(mount, true, at)
            }
            MountOp::Dir { mode, at } => match resolve(at.path, kernel::O_DIRECTORY) {
                Ok(directory) => close(directory),
                Err(kernel::ENOENT) => new_directory(at, mode),
                Err(errno) => Err(errno),
            },
            MountOp::Symlink { to, at } => {
                let (parent, name) = parent(at)?;
                let done = check(kernel::SYS_symlinkat, [to.pointer() as usize, parent.fd, name as usize]);
                parent.close()?;
                done.map(drop)
            }
            MountOp::File { data, mode, at } => match new_file(at, mode) {
                Ok(file) => fill(file, data),
                Err(kernel::EEXIST) => cover(data, mode, at),
                Err(errno) => Err(errno),
            },
            MountOp::Mask { options, at } => mask(options.into(), at),
            MountOp::Chmod { mode, at } => permissions(at, mode),
            MountOp::ReadOnly { recursive, optional, at } => read_only(recursive, optional, at),
            MountOp::Propagation { flag, at } => {
                let target = resolve(at.path, 0)?;
                mount::set_propagation(target, flag)?;
                close(target)
            }
            MountOp::Pivot => pivot(),
            MountOp::Enter { path, optional } => {
                match find_within(HERE, path.string(), kernel::O_DIRECTORY, 0) {
                    Ok(directory) => {
                        check(kernel::SYS_fchdir, [directory])?;
                        close(directory)
                    }
                    Err(_) if optional => Ok(()),
                    Err(errno) => Err(errno),
                }
            }
        }
    }
}

const OVERLAY: *const c_char = c"overlay".as_ptr();

/// # Safety
/// `source` is a NUL-terminated string.
unsafe fn open(source: *const c_char, fd: c_int, recursive: bool, optional: bool, slot: Slot) -> Outcome<()> {
    // SAFETY: guaranteed by the caller.
    let opened = match unsafe { mount::open(source, recursive) } {
        Err(kernel::ENOENT) if optional => return Ok(()),
        opened => opened?,
    };
    if fd >= 0 && !is_same(opened, fd as usize)? {
        return Err(kernel::ESTALE);
    }
    slot.set(opened as c_int);
    Ok(())
}

/// Attaches a mount to its target, and closes it. A mount at the root becomes the working
/// directory.
///
/// # Safety
/// `at` is valid.
unsafe fn attach(mount: usize, is_directory: bool, at: Place) -> Outcome<()> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if is_root(at) {
            forget()?;
            mount::attach(mount, None)?;
            check(kernel::SYS_fchdir, [mount])?;
            return close(mount);
        }
        let (target, is_new) = target(at, is_directory)?;
        if is_directory && !is_new {
            forget()?;
        }
        onto(mount, target)
    }
}

/// Mounts an overlay of the open directory `lower` on the tmpfs that is its writable layer, and so
/// hides that tmpfs.
///
/// # Safety
/// `at` is valid.
unsafe fn throw_away(lower: usize, options: Options, attributes: u64, at: Place) -> Outcome<()> {
    // SAFETY: guaranteed by the caller; relative paths are looked up in the tmpfs.
    unsafe {
        let mode = mode(lower)? & 0o7777;
        close(lower)?;
        // The layer must be writable even if the overlay is not.
        let writable = attributes & !kernel::MOUNT_ATTR_RDONLY;
        let layer = mount::filesystem(c"tmpfs".as_ptr(), Options::none(), writable)?;
        // A second descriptor, because `attach` closes the first.
        let tree = find(layer, c".".as_ptr())?;
        let view = find(HERE, c".".as_ptr())?;
        attach(layer, true, at)?;
        check(kernel::SYS_fchdir, [tree])?;
        make_directory(HERE, UPPER.as_ptr(), mode)?;
        make_directory(HERE, WORK.as_ptr(), 0o700)?;
        let mount = mount::filesystem(OVERLAY, options, attributes)?;
        if !is_root(at) {
            check(kernel::SYS_fchdir, [view])?;
        }
        close(view)?;
        close(tree)?;
        attach(mount, true, at)
    }
}

/// Mounts a new file over an existing one, which is not changed. The new file is in a tmpfs of its
/// own, which is attached in the view only until the file is bound.
///
/// # Safety
/// `at` is valid.
unsafe fn cover(data: Table<u8>, mode: u32, at: Place) -> Outcome<()> {
    let name = c"file".as_ptr();
    // SAFETY: guaranteed by the caller; constant strings.
    unsafe {
        let target = resolve(at.path, 0)?;
        if is_directory(target)? {
            return Err(kernel::EISDIR);
        }
        let (directory, _) = parent(at)?;
        let view = find(HERE, c".".as_ptr())?;
        let layer = mount::filesystem(c"tmpfs".as_ptr(), Options::none(), QUIET)?;
        fill(create(layer, name, mode)?, data)?;
        mount::attach(layer, Some(directory.fd))?;
        directory.close()?;
        let file = find(layer, name)?;
        let mount = mount::copy(file, false)?;
        close(file)?;
        check(kernel::SYS_fchdir, [layer])?;
        check(kernel::SYS_umount2, [c".".as_ptr() as usize, kernel::MNT_DETACH as usize])?;
        check(kernel::SYS_fchdir, [view])?;
        close(layer)?;
        close(view)?;
        onto(mount, target)
    }
}

/// # Safety
/// `at` is valid.
unsafe fn mask(options: Options, at: Place) -> Outcome<()> {
    const READ_ONLY: u64 = kernel::MOUNT_ATTR_RDONLY;
    // SAFETY: guaranteed by the caller.
    unsafe {
        let target = match resolve(at.path, 0) {
            Err(kernel::ENOENT) => return Ok(()),
            target => target?,
        };
        forget()?;
        let mount = if is_directory(target)? {
            mount::filesystem(c"tmpfs".as_ptr(), options, QUIET | READ_ONLY)?
        } else {
            let null = mount::mount_of(mount::open(c"/dev/null".as_ptr(), false)?, false)?;
            // Not nodev, or it could not be opened. Read-only, because it is the caller's own
            // device file, whose mode could be changed.
            let set = READ_ONLY | kernel::MOUNT_ATTR_NOSUID | kernel::MOUNT_ATTR_NOEXEC;
            mount::set(null, false, Attributes::of(set))?;
            null
        };
        onto(mount, target)
    }
}

/// # Safety
/// `at` is valid.
unsafe fn read_only(recursive: bool, optional: bool, at: Place) -> Outcome<()> {
    let read_only = Attributes::of(kernel::MOUNT_ATTR_RDONLY);
    // SAFETY: guaranteed by the caller.
    let (target, root) = match unsafe { (resolve(at.path, 0), is_root(at)) } {
        (Err(kernel::ENOENT), _) if optional => return Ok(()),
        (target, root) => (target?, root),
    };
    if root || !recursive {
        mount::set(target, recursive, read_only)?;
        return close(target);
    }
    forget()?;
    let copy = mount::copy(target, true)?;
    mount::set(copy, true, read_only)?;
    onto(copy, target)
}

/// Changes the mode of an existing file. A symbolic link on the way is an error, because another
/// program could have put it there.
///
/// # Safety
/// `at` is valid.
unsafe fn permissions(at: Place, mode: u32) -> Outcome<()> {
    const FCHMODAT2: usize = 452;
    const NO_LINKS: u64 = kernel::RESOLVE_NO_SYMLINKS;
    // SAFETY: guaranteed by the caller; constant strings.
    unsafe {
        let path = at.path.string();
        let target = find_within(HERE, path, 0, NO_LINKS)?;
        let here = kernel::AT_EMPTY_PATH as usize;
        // By an O_PATH descriptor, which opens nothing, if the kernel takes one (Linux 6.6).
        let done = check(FCHMODAT2, [target, c"".as_ptr() as usize, mode as usize, here]);
        close(target)?;
        if !matches!(done, Err(kernel::ENOSYS | kernel::EPERM)) {
            return done.map(drop);
        }
        let opened = open_within(HERE, path, kernel::O_RDONLY | kernel::O_NONBLOCK, NO_LINKS)?;
        let done = check(kernel::SYS_fchmod, [opened, mode as usize]);
        close(opened)?;
        done.map(drop)
    }
}

/// Attaches `mount` to the open `target`, and closes both.
fn onto(mount: usize, target: usize) -> Outcome<()> {
    mount::attach(mount, Some(target))?;
    close(target)?;
    close(mount)
}

/// Writes all data, and closes the file.
fn fill(file: usize, data: Table<u8>) -> Outcome<()> {
    let mut rest = data.slice();
    while !rest.is_empty() {
        // SAFETY: the buffer has the size passed.
        let written = unsafe { check(kernel::SYS_write, [file, rest.as_ptr() as usize, rest.len()])? };
        rest = rest.get(written..).unwrap_or(&[]);
    }
    close(file)
}

/// Makes the working directory the root. The old root, with everything mounted on it, is then
/// mounted on top of the new one, and is detached.
fn pivot() -> Outcome<()> {
    forget()?;
    restore_umask()?;
    let here = c".".as_ptr() as usize;
    // SAFETY: constant strings and integers.
    unsafe {
        check(kernel::SYS_pivot_root, [here, here])?;
        loop {
            // If a mount covers the root directory, `..` crosses into it: EXDEV.
            match find_within(HERE, c"..".as_ptr(), 0, kernel::RESOLVE_NO_XDEV) {
                Err(kernel::EXDEV) => check(kernel::SYS_umount2, [here, kernel::MNT_DETACH as usize])?,
                Err(errno) => return Err(errno),
                Ok(root) => {
                    close(root)?;
                    break;
                }
            };
        }
        check(kernel::SYS_chdir, [c"/".as_ptr() as usize])?;
    }
    Ok(())
}
