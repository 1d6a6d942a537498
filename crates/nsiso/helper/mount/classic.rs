//! Mounts by mount(2), prepared in a tmpfs that is mounted on the caller's root directory and lies
//! below the view.
//!
//! mount(2) gets paths of the form /proc/self/fd/N, so that no path is looked up twice.

use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};

use super::super::files::{HERE, about, close, find, find_within, is_directory};
use super::super::kernel::{self, c_char, c_int, c_ulong};
use super::super::plan::{Attributes, Classic};
use super::super::syscall::{Outcome, check};
use super::mountinfo::{Entry, Mounts, room};

static MODE: AtomicU32 = AtomicU32::new(Classic::No as u32);
/// Descriptor plus 1 of the tmpfs in which mounts are prepared; 0 before [`prepare`].
static ROOT: AtomicI32 = AtomicI32::new(0);
static NEXT_PLACE: AtomicUsize = AtomicUsize::new(0);

pub(in super::super) fn set_classic(mode: Classic) {
    MODE.store(mode as u32, Ordering::Relaxed);
}

pub(super) fn mode() -> Classic {
    const YES: u32 = Classic::Yes as u32;
    const PRIVATE: u32 = Classic::Private as u32;
    match MODE.load(Ordering::Relaxed) {
        YES => Classic::Yes,
        PRIVATE => Classic::Private,
        _ => Classic::No,
    }
}

fn root() -> usize {
    (ROOT.load(Ordering::Relaxed) - 1) as usize
}

/// Mount attributes have the same values as the flags of mount(2) and of statfs(2).
const FLAGS: c_ulong = kernel::MS_RDONLY | kernel::MS_NOSUID | kernel::MS_NODEV | kernel::MS_NOEXEC;
const ST_NOSYMFOLLOW: c_ulong = 0x2000;
/// PROC_SUPER_MAGIC, `statfs(2)`.
const PROC: c_ulong = 0x9FA0;

/// Mounts the tmpfs in which mounts are prepared. Fails with ENOENT without /proc.
pub(in super::super) fn prepare() -> Outcome<()> {
    let tmpfs = c"tmpfs".as_ptr();
    // SAFETY: constant strings.
    unsafe {
        let links = find(HERE, c"/proc/self/fd".as_ptr())?;
        if FileSystem::of(links)?.kind != PROC {
            return Err(kernel::ENOENT);
        }
        close(links)?;
        mount(tmpfs, c"/".as_ptr(), tmpfs, FLAGS & !kernel::MS_RDONLY, c"mode=700".as_ptr())?;
        // `/..` leads to the topmost mount on the root directory.
        let root = find(HERE, c"/..".as_ptr())?;
        // Copies of the caller's tree leave out unbindable mounts.
        mount(ptr::null(), Link::to(root).path(), ptr::null(), kernel::MS_UNBINDABLE, ptr::null())?;
        ROOT.store(root as c_int + 1, Ordering::Relaxed);
    }
    Ok(())
}

pub(super) fn copy(of: usize, recursive: bool) -> Outcome<usize> {
    let flags = kernel::MS_BIND | if recursive { kernel::MS_REC } else { 0 };
    let place = Place::new(is_directory(of)?)?;
    // SAFETY: NUL-terminated strings, or NULL where mount(2) takes none.
    unsafe { mount(Link::to(of).path(), Link::to(place.fd).path(), ptr::null(), flags, ptr::null())? };
    place.mounted()
}

/// # Safety
/// `kind` is a NUL-terminated string; `options` is another, or NULL if mount(2) cannot take them.
pub(super) unsafe fn filesystem(
    kind: *const c_char,
    options: *const c_char,
    attributes: u64,
) -> Outcome<usize> {
    if options.is_null() {
        return Err(kernel::EINVAL);
    }
    let place = Place::new(true)?;
    let link = Link::to(place.fd);
    // Only the mount becomes read-only, not the file system, which others may share.
    let flags = attributes & !kernel::MS_RDONLY;
    // SAFETY: guaranteed by the caller.
    unsafe {
        match mount(kind, link.path(), kind, flags, options) {
            // If the caller has it read-only, the kernel allows only read-only mounts.
            Err(kernel::EPERM) if attributes != flags => mount(kind, link.path(), kind, attributes, options)?,
            done => done?,
        }
    }
    let mounted = place.mounted()?;
    if attributes != flags {
        remount(mounted, attributes)?;
    }
    Ok(mounted)
}

/// Sets attributes. Each mount of a tree is opened and changed by itself, so renames do not matter.
pub(super) fn set(mount: usize, recursive: bool, attributes: Attributes) -> Outcome<()> {
    if attributes.id_map >= 0 {
        return Err(kernel::ENOTSUP);
    }
    // Nothing is mounted below a file.
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
            // A hidden mount need not be changed: a process that could uncover it could also change
            // it. But if mounts propagate, the caller's namespace could uncover it.
            None if mode() == Classic::Private => {}
            None => return Err(kernel::EBUSY),
        }
    }
    mounts.close()
}

pub(super) fn set_propagation(target: usize, flag: u64) -> Outcome<()> {
    // SAFETY: NUL-terminated strings, or NULL where mount(2) takes none.
    unsafe { mount(ptr::null(), Link::to(target).path(), ptr::null(), flag as c_ulong, ptr::null()) }
}

pub(super) fn attach(mounted: usize, target: Option<usize>) -> Outcome<()> {
    let from = Link::to(mounted);
    let move_to = |path| {
        // SAFETY: NUL-terminated strings, or NULL where mount(2) takes none.
        unsafe { mount(from.path(), path, ptr::null(), kernel::MS_MOVE, ptr::null()) }
    };
    match target {
        Some(target) => move_to(Link::to(target).path()),
        None => move_to(c"/".as_ptr()),
    }
}

/// Opens the mount of `entry`. Returns `None` if another mount hides it.
fn reach(tree: usize, entry: &Entry) -> Outcome<Option<usize>> {
    // SAFETY: a NUL-terminated string.
    let failed = match unsafe { find_within(tree, entry.path(), 0, kernel::RESOLVE_NO_SYMLINKS) } {
        Ok(found) if mount_id(found)? == entry.id => return Ok(Some(found)),
        // Another process renames directories.
        Ok(other) => close(other).and(Err(kernel::EAGAIN)),
        Err(errno) => Err(errno),
    };
    if is_hidden(tree, entry)? { Ok(None) } else { failed }
}

/// Whether a mount covers this one, or covers a mount that this one is below.
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

/// Adds flags to a mount. mount(2) replaces all flags, so the present ones are passed again.
fn remount(target: usize, set: u64) -> Outcome<()> {
    if set & !FLAGS != 0 {
        return Err(kernel::EINVAL);
    }
    let has = FileSystem::of(target)?.flags;
    let symlinks = if has & ST_NOSYMFOLLOW != 0 { kernel::MS_NOSYMFOLLOW } else { 0 };
    let flags = kernel::MS_REMOUNT | kernel::MS_BIND | set | (has & FLAGS) | symlinks;
    // SAFETY: NUL-terminated strings, or NULL where mount(2) takes none.
    unsafe { mount(ptr::null(), Link::to(target).path(), ptr::null(), flags, ptr::null()) }
}

/// # Safety
/// The pointers are NUL-terminated strings, or NULL where mount(2) takes none.
unsafe fn mount(
    source: *const c_char,
    target: *const c_char,
    kind: *const c_char,
    flags: c_ulong,
    options: *const c_char,
) -> Outcome<()> {
    let args = [source as usize, target as usize, kind as usize, flags as usize, options as usize];
    // SAFETY: guaranteed by the caller.
    unsafe { check(kernel::SYS_mount, args) }.map(drop)
}

fn mount_id(fd: usize) -> Outcome<u64> {
    let about = about(fd, kernel::STATX_MNT_ID)?;
    match about.stx_mask & kernel::STATX_MNT_ID {
        0 => Err(kernel::ENOSYS),
        _ => Ok(about.stx_mnt_id),
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
        // SAFETY: room for the struct, which the kernel has filled in on success.
        unsafe {
            check(kernel::SYS_fstatfs, [fd, about.as_mut_ptr() as usize])?;
            Ok(about.assume_init())
        }
    }
}

/// A mount point in the tmpfs: its name, a number, and its descriptor before the mount.
struct Place {
    name: [u8; 11],
    fd: usize,
}

impl Place {
    fn new(directory: bool) -> Outcome<Self> {
        let mut name = *b"0000000000\0";
        write_number(&mut name, NEXT_PLACE.fetch_add(1, Ordering::Relaxed));
        let (root, path) = (root(), name.as_ptr() as usize);
        // SAFETY: a NUL-terminated string and integers.
        unsafe {
            match directory {
                true => check(kernel::SYS_mkdirat, [root, path, 0o700])?,
                false => check(kernel::SYS_mknodat, [root, path, kernel::S_IFREG as usize | 0o600])?,
            };
            Ok(Place { name, fd: find(root, name.as_ptr().cast())? })
        }
    }

    /// Opens what is mounted there now.
    fn mounted(self) -> Outcome<usize> {
        close(self.fd)?;
        // SAFETY: a NUL-terminated string.
        unsafe { find(root(), self.name.as_ptr().cast()) }
    }
}

/// The path `/proc/self/fd/N` of an open file.
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

/// Writes the number directly before the NUL at the end.
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
