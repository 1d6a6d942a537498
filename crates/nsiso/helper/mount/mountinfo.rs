//! Reads `/proc/self/mountinfo` mount by mount. The memory has a fixed size and belongs to the
//! reader, so that nothing large is ever moved.

use core::mem::MaybeUninit;

use super::super::files::{HERE, close, find};
use super::super::kernel::{self, c_char};
use super::super::syscall::{Outcome, check};

/// Room for a path with its NUL.
pub(super) type PathRoom = [MaybeUninit<u8>; kernel::PATH_MAX as usize];
/// Room for one read(2).
pub(super) type Chunk = [MaybeUninit<u8>; 1024];

pub(super) const fn room<const SIZE: usize>() -> [MaybeUninit<u8>; SIZE] {
    [const { MaybeUninit::uninit() }; SIZE]
}

/// One mount. Its path starts at the root of the tree that is read.
pub(super) struct Entry<'room> {
    pub id: u64,
    pub parent: u64,
    /// Followed by a NUL.
    path: &'room mut PathRoom,
    len: usize,
}

impl<'room> Entry<'room> {
    pub fn new(path: &'room mut PathRoom) -> Self {
        Entry { id: 0, parent: 0, path, len: 0 }
    }

    /// A NUL-terminated string.
    pub fn path(&self) -> *const c_char {
        self.path.as_ptr().cast()
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        // SAFETY: that many bytes have been written.
        self.path.iter().take(self.len).map(|byte| unsafe { byte.assume_init() })
    }

    fn set_end(&mut self) -> Outcome<()> {
        self.path.get_mut(self.len).ok_or(kernel::ENAMETOOLONG)?.write(0);
        Ok(())
    }

    fn push(&mut self, byte: u8) -> Outcome<()> {
        self.path.get_mut(self.len).ok_or(kernel::ENAMETOOLONG)?.write(byte);
        self.len = self.len.wrapping_add(1);
        Ok(())
    }

    /// Whether this path is the other's, or a directory on the way to it.
    fn leads_to(&self, other: &Entry) -> bool {
        let mut rest = other.bytes();
        self.len == 1
            || (self.bytes().all(|byte| rest.next() == Some(byte))
                && matches!(rest.next(), None | Some(b'/')))
    }

    /// Whether this mount covers the other, or a directory on the way to it.
    pub fn covers(&self, other: &Entry) -> bool {
        let on_it = self.parent == other.id && self.len == other.len;
        let beside_it = self.parent == other.parent && self.id != other.id;
        (on_it || beside_it) && self.leads_to(other)
    }
}

/// The mounts of a tree, in the kernel's order.
pub(super) struct Mounts<'room> {
    file: usize,
    chunk: &'room mut Chunk,
    next: usize,
    end: usize,
}

impl<'room> Mounts<'room> {
    /// Opens the list of the tree that begins with `mount`. The kernel lists what lies below the
    /// root directory of the process that opens the file, so this changes the root meanwhile.
    pub fn of(mount: usize, chunk: &'room mut Chunk) -> Outcome<Self> {
        // SAFETY: constant strings and integers.
        unsafe {
            let (root, here) = (find(HERE, c"/".as_ptr())?, find(HERE, c".".as_ptr())?);
            let own = find(HERE, c"/proc/self".as_ptr())?;
            change_root(mount)?;
            let flags = (kernel::O_RDONLY | kernel::O_CLOEXEC) as usize;
            let file = check(kernel::SYS_openat, [own, c"mountinfo".as_ptr() as usize, flags])?;
            change_root(root)?;
            check(kernel::SYS_fchdir, [here])?;
            close(own)?;
            close(here)?;
            close(root)?;
            Ok(Mounts::in_file(file, chunk))
        }
    }

    fn in_file(file: usize, chunk: &'room mut Chunk) -> Self {
        Mounts { file, chunk, next: 0, end: 0 }
    }

    pub fn close(self) -> Outcome<()> {
        close(self.file)
    }

    pub fn rewind(&mut self) -> Outcome<()> {
        (self.next, self.end) = (0, 0);
        // SAFETY: integer arguments only.
        unsafe { check(kernel::SYS_lseek, [self.file, 0, kernel::SEEK_SET as usize]) }.map(drop)
    }

    /// Reads the next mount. Returns false at the end.
    pub fn next(&mut self, entry: &mut Entry) -> Outcome<bool> {
        (entry.id, entry.parent, entry.len) = (0, 0, 0);
        let mut field = 0u32;
        while let Some(byte) = self.byte()? {
            match (field, byte) {
                (_, b'\n') => return Ok(true),
                (4, b' ') => {
                    entry.set_end()?;
                    field = 5;
                }
                (_, b' ') => field = field.wrapping_add(1),
                (0, digit) => entry.id = shifted(10, entry.id, digit),
                (1, digit) => entry.parent = shifted(10, entry.parent, digit),
                (4, b'\\') => {
                    // Blanks and backslashes are written as three octal digits.
                    let mut code = 0;
                    for _ in 0..3 {
                        code = shifted(8, code, self.byte()?.ok_or(kernel::EIO)?);
                    }
                    entry.push(code as u8)?;
                }
                (4, byte) => entry.push(byte)?,
                _ => {}
            }
        }
        Ok(false)
    }

    fn byte(&mut self) -> Outcome<Option<u8>> {
        if self.next == self.end {
            let (room, size) = (self.chunk.as_mut_ptr() as usize, size_of::<Chunk>());
            // SAFETY: the chunk has this size.
            self.end = unsafe { check(kernel::SYS_read, [self.file, room, size])? };
            self.next = 0;
            if self.end == 0 {
                return Ok(None);
            }
        }
        // SAFETY: the kernel has written up to the end.
        let byte = self.chunk.get(self.next).map(|byte| unsafe { byte.assume_init() });
        self.next = self.next.wrapping_add(1);
        Ok(byte)
    }
}

fn shifted(base: u64, number: u64, digit: u8) -> u64 {
    number.wrapping_mul(base).wrapping_add(u64::from(digit.wrapping_sub(b'0')))
}

fn change_root(directory: usize) -> Outcome<()> {
    // SAFETY: a constant string and integers.
    unsafe {
        check(kernel::SYS_fchdir, [directory])?;
        check(kernel::SYS_chroot, [c".".as_ptr() as usize])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, CString};
    use std::io::{Seek, Write};
    use std::os::fd::AsRawFd;

    use super::*;

    fn read(text: &str) -> Vec<(u64, u64, CString)> {
        let mut file = std::fs::File::from(
            nix::sys::memfd::memfd_create(c"mounts", nix::sys::memfd::MFdFlags::empty()).unwrap(),
        );
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        let (mut chunk, mut path, mut found) = (room(), room(), Vec::new());
        let mut mounts = Mounts::in_file(file.as_raw_fd() as usize, &mut chunk);
        let mut entry = Entry::new(&mut path);
        while mounts.next(&mut entry).unwrap() {
            // SAFETY: a NUL-terminated string.
            found.push((entry.id, entry.parent, unsafe { CStr::from_ptr(entry.path()) }.to_owned()));
        }
        found
    }

    #[test]
    fn mounts_are_read_whatever_their_length() {
        let long = "x".repeat(3000);
        let text = format!(
            "25 1 0:3 / / rw - ext4 /dev/vda rw\n1234567 25 0:4 /a /b\\040c\\134/d ro,nosuid shared:1 - tmpfs a\\040b rw\n7 25 0:5 / /{long} rw - proc proc rw\n"
        );
        let found = read(&text);
        assert_eq!(found[0], (25, 1, c"/".into()));
        assert_eq!(found[1], (1_234_567, 25, c"/b c\\/d".into()));
        assert_eq!((found[2].0, found[2].2.as_bytes().len(), found.len()), (7, 3001, 3));
    }

    #[test]
    fn what_lies_over_a_mount_is_told_from_what_lies_beside_it() {
        fn entry<'room>(id: u64, parent: u64, path: &str, room: &'room mut PathRoom) -> Entry<'room> {
            let mut entry = Entry { id, parent, ..Entry::new(room) };
            path.bytes().for_each(|byte| entry.push(byte).unwrap());
            entry
        }
        let (mut one, mut two) = (room(), room());
        let mount = entry(5, 1, "/a/b", &mut one);
        for (id, parent, path, covers) in [
            (6, 5, "/a/b", true),
            (6, 5, "/a/b/c", false),
            (6, 1, "/a", true),
            (6, 1, "/", true),
            (6, 1, "/a/bc", false),
            (6, 1, "/a/b/c", false),
            (6, 2, "/a", false),
            (5, 1, "/a/b", false),
        ] {
            assert_eq!(entry(id, parent, path, &mut two).covers(&mount), covers, "{id} {parent} {path}");
        }
    }
}
