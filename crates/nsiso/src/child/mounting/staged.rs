//! The same by mount(2): mounts are made ready on a stage, a small file system upon the host's root directory, below the view.
//!
//! Places are told to mount(2) by links of the host's /proc to open files, so that no path is looked up twice.

use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_char, c_int, c_ulong};

use super::mountinfo::{Entry, Mounts, room};
use crate::child::files::{HERE, close, find, find_within, is_directory};
use crate::child::syscall::{Outcome, check};
use crate::plan::{Attributes, Stage};

/// Attributes have the same numbers as flags of mount(2) and as those that statfs(2) tells.
const FLAGS: c_ulong = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
const ST_NOSYMFOLLOW: c_ulong = 0x2000;
/// What statfs(2) says of a proc.
const PROC: c_ulong = 0x9FA0;

/// Its descriptor is kept. Fails with ENOENT without /proc.
pub(in crate::child) fn set_up(stage: &Stage) -> Outcome<()> {
    let tmpfs = c"tmpfs".as_ptr();
    // SAFETY: constant strings.
    unsafe {
        let links = find(HERE, c"/proc/self/fd".as_ptr())?;
        if FileSystem::of(links)?.kind != PROC {
            return Err(libc::ENOENT);
        }
        close(links)?;
        mount(tmpfs, c"/".as_ptr(), tmpfs, FLAGS & !libc::MS_RDONLY, c"mode=700".as_ptr())?;
        // What is above the root directory is what is mounted on it.
        let root = find(HERE, c"/..".as_ptr())?;
        // So that it is in no copy of the host's tree.
        mount(ptr::null(), Link::to(root).path(), ptr::null(), libc::MS_UNBINDABLE, ptr::null())?;
        stage.set_root(root as c_int);
    }
    Ok(())
}

pub(super) fn copy(stage: &Stage, of: usize, recursive: bool) -> Outcome<usize> {
    let flags = libc::MS_BIND | if recursive { libc::MS_REC } else { 0 };
    let place = Place::new(stage, is_directory(of)?)?;
    // SAFETY: strings.
    unsafe { mount(Link::to(of).path(), Link::to(place.fd).path(), ptr::null(), flags, ptr::null())? };
    place.mounted(stage)
}

/// # Safety
/// `kind` is a string; `options` are one, or NULL for what mount(2) cannot take.
pub(super) unsafe fn filesystem(
    stage: &Stage,
    kind: *const c_char,
    options: *const c_char,
    attributes: u64,
) -> Outcome<usize> {
    if options.is_null() {
        return Err(libc::EINVAL);
    }
    let place = Place::new(stage, true)?;
    let link = Link::to(place.fd);
    // The mount is made read-only, not the file system, which others may have, too.
    let flags = attributes & !libc::MS_RDONLY;
    // SAFETY: the caller's promise.
    unsafe {
        match mount(kind, link.path(), kind, flags, options) {
            // Unless the host has it read-only itself: then the kernel gives no other.
            Err(libc::EPERM) if attributes != flags => mount(kind, link.path(), kind, attributes, options)?,
            done => done?,
        }
    }
    let mounted = place.mounted(stage)?;
    if attributes != flags {
        remount(mounted, attributes)?;
    }
    Ok(mounted)
}

/// Each mount of a tree is changed by itself, whatever its place is called meanwhile.
pub(super) fn set(stage: &Stage, mount: usize, recursive: bool, attributes: Attributes) -> Outcome<()> {
    if attributes.id_map >= 0 {
        return Err(libc::ENOTSUP);
    }
    // Below a file there is nothing.
    if !recursive || !is_directory(mount)? {
        return remount(mount, attributes.set);
    }
    let (mut chunk, mut path) = (room(), room());
    let (mut mounts, mut entry) = (Mounts::of(mount, &mut chunk)?, Entry::new(&mut path));
    while mounts.next(&mut entry)? {
        match reach(mount, &entry)? {
            Some(found) => {
                remount(found, attributes.set)?;
                close(found)?;
            }
            // Whoever can take away what hides it could change it, too; unless it is the host.
            None if stage.private => {}
            None => return Err(libc::EBUSY),
        }
    }
    mounts.close()
}

pub(super) fn set_propagation(target: usize, flag: u64) -> Outcome<()> {
    // SAFETY: strings.
    unsafe { mount(ptr::null(), Link::to(target).path(), ptr::null(), flag as c_ulong, ptr::null()) }
}

pub(super) fn attach(mounted: usize, target: Option<usize>) -> Outcome<()> {
    let from = Link::to(mounted);
    let move_to = |path| {
        // SAFETY: strings.
        unsafe { mount(from.path(), path, ptr::null(), libc::MS_MOVE, ptr::null()) }
    };
    match target {
        Some(target) => move_to(Link::to(target).path()),
        None => move_to(c"/".as_ptr()),
    }
}

/// The mount of the tree, if it is not hidden by another.
fn reach(tree: usize, entry: &Entry) -> Outcome<Option<usize>> {
    // SAFETY: a string.
    let failed = match unsafe { find_within(tree, entry.path(), 0, libc::RESOLVE_NO_SYMLINKS) } {
        Ok(found) if mount_id(found)? == entry.id => return Ok(Some(found)),
        // Somebody renames directories.
        Ok(other) => close(other).and(Err(libc::EAGAIN)),
        Err(errno) => Err(errno),
    };
    if is_hidden(tree, entry)? { Ok(None) } else { failed }
}

/// Whether something is mounted over it, or over a mount that it is below.
fn is_hidden(tree: usize, entry: &Entry) -> Outcome<bool> {
    let (mut chunk, mut upper, mut other) = (room(), room(), room());
    let mut mounts = Mounts::of(tree, &mut chunk)?;
    let (mut upper, mut other) = (Entry::new(&mut upper), Entry::new(&mut other));
    let mut id = entry.id;
    let hidden = 'up: loop {
        mounts.rewind()?;
        while upper.id != id {
            if !mounts.next(&mut upper)? {
                break 'up false;
            }
        }
        mounts.rewind()?;
        while mounts.next(&mut other)? {
            if other.covers(&upper) {
                break 'up true;
            }
        }
        id = upper.parent;
    };
    mounts.close()?;
    Ok(hidden)
}

/// Adds to the flags of a mount; the kernel wants all of them anew.
fn remount(target: usize, set: u64) -> Outcome<()> {
    if set & !FLAGS != 0 {
        return Err(libc::EINVAL);
    }
    let has = FileSystem::of(target)?.flags;
    let symlinks = if has & ST_NOSYMFOLLOW != 0 { libc::MS_NOSYMFOLLOW } else { 0 };
    let flags = libc::MS_REMOUNT | libc::MS_BIND | set | (has & FLAGS) | symlinks;
    // SAFETY: strings.
    unsafe { mount(ptr::null(), Link::to(target).path(), ptr::null(), flags, ptr::null()) }
}

/// # Safety
/// Strings, or NULL where mount(2) wants none.
unsafe fn mount(
    source: *const c_char,
    target: *const c_char,
    kind: *const c_char,
    flags: c_ulong,
    options: *const c_char,
) -> Outcome<()> {
    let args = [source as usize, target as usize, kind as usize, flags as usize, options as usize];
    // SAFETY: the caller's promise.
    unsafe { check(libc::SYS_mount, args) }.map(drop)
}

fn mount_id(fd: usize) -> Outcome<u64> {
    let mut about = MaybeUninit::<libc::statx>::uninit();
    let flags = (libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC) as usize;
    let (mask, room) = (libc::STATX_MNT_ID, about.as_mut_ptr() as usize);
    // SAFETY: room for what the kernel writes, which it has written when it says so.
    unsafe {
        check(libc::SYS_statx, [fd, c"".as_ptr() as usize, flags, mask as usize, room])?;
        match (*about.as_ptr()).stx_mask & mask {
            0 => Err(libc::ENOSYS),
            _ => Ok((*about.as_ptr()).stx_mnt_id),
        }
    }
}

/// `struct statfs`.
#[repr(C)]
struct FileSystem {
    kind: c_ulong,
    sizes: [c_ulong; 6],
    id: [c_int; 2],
    name: c_ulong,
    fragment: c_ulong,
    flags: c_ulong,
    spare: [c_ulong; 4],
}

impl FileSystem {
    fn of(fd: usize) -> Outcome<Self> {
        let mut about = MaybeUninit::<Self>::uninit();
        // SAFETY: room for what the kernel writes, which it has written when it says so.
        unsafe {
            check(libc::SYS_fstatfs, [fd, about.as_mut_ptr() as usize, 0, 0, 0])?;
            Ok(about.assume_init())
        }
    }
}

/// Where a mount is made on the stage: a number for a name, and what is there before.
struct Place {
    name: [u8; 11],
    fd: usize,
}

impl Place {
    fn new(stage: &Stage, directory: bool) -> Outcome<Self> {
        let mut name = *b"0000000000\0";
        write_number(&mut name, stage.next_place());
        let (root, path) = (stage.root() as usize, name.as_ptr() as usize);
        // SAFETY: a string and numbers.
        unsafe {
            match directory {
                true => check(libc::SYS_mkdirat, [root, path, 0o700, 0, 0])?,
                false => check(libc::SYS_mknodat, [root, path, libc::S_IFREG as usize | 0o600, 0, 0])?,
            };
            Ok(Place { name, fd: find(root, name.as_ptr().cast())? })
        }
    }

    /// What is there now.
    fn mounted(self, stage: &Stage) -> Outcome<usize> {
        close(self.fd)?;
        // SAFETY: a string.
        unsafe { find(stage.root() as usize, self.name.as_ptr().cast()) }
    }
}

/// The path of an open file, by number.
struct Link([u8; 25]);

impl Link {
    fn to(fd: usize) -> Self {
        let mut link = *b"/proc/self/fd///////////\0";
        write_number(&mut link, fd);
        Link(link)
    }

    fn path(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

/// Before the NUL at the end.
fn write_number(text: &mut [u8], mut number: usize) {
    for digit in text.iter_mut().rev().skip(1) {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_the_text_does() {
        assert_eq!(&Link::to(0).0, b"/proc/self/fd//////////0\0");
        assert_eq!(&Link::to(1_234_567_890).0, b"/proc/self/fd/1234567890\0");
    }
}
