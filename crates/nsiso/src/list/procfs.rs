//! Reads `/proc` quickly: through one open directory, with short relative paths and without an
//! allocation for each link.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use libc::c_char;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use crate::error::Step;
use crate::{Error, Result};

type Outcome<T> = std::result::Result<T, Errno>;

pub(super) struct Procfs {
    root: OwnedFd,
}

/// What a link in `/proc/PID/fd` refers to, according to its text.
pub(super) enum Target {
    /// A namespace: the index of its kind in [`crate::kind::NAMES`], and its inode.
    Namespace(usize, u64),
    /// A socket, by its inode.
    Socket(u64),
    Other,
}

impl Procfs {
    pub fn open() -> Result<Self> {
        let failed = |errno: i32| {
            Error::new(Step::List, errno, "/proc").with_hint(
                "namespaces are found through the processes in them: mount a proc file system at /proc",
            )
        };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = open(c"/proc", flags, Mode::empty()).map_err(|errno| failed(errno as i32))?;
        match fstatfs(&root) {
            Ok(about) if about.filesystem_type() == PROC_SUPER_MAGIC => Ok(Procfs { root }),
            _ => Err(failed(libc::ENOENT)),
        }
    }

    /// Returns the inode that a namespace link such as `1/ns/net` shows.
    pub fn inode(&self, path: &CStr) -> Outcome<u64> {
        let mut buffer = [0; 64];
        match parse(self.link(path, &mut buffer)?) {
            Target::Namespace(_, inode) => Ok(inode),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Returns what a link such as `1/fd/3` refers to.
    pub fn target(&self, path: &CStr) -> Outcome<Target> {
        let mut buffer = [0; 64];
        self.link(path, &mut buffer).map(parse)
    }

    fn link<'b>(&self, path: &CStr, buffer: &'b mut [u8; 64]) -> Outcome<&'b [u8]> {
        let room: *mut c_char = buffer.as_mut_ptr().cast();
        // SAFETY: the path is a C string, and the buffer is passed with its length.
        let len = unsafe { libc::readlinkat(self.root.as_raw_fd(), path.as_ptr(), room, buffer.len()) };
        Ok(&buffer[..Errno::result(len)? as usize])
    }

    pub fn open_at(&self, path: &CStr, flags: OFlag) -> Outcome<OwnedFd> {
        openat(&self.root, path, flags | OFlag::O_CLOEXEC, Mode::empty())
    }

    pub fn read(&self, path: &CStr) -> Outcome<Vec<u8>> {
        let file = self.open_at(path, OFlag::O_RDONLY)?;
        let mut text = Vec::with_capacity(4096);
        loop {
            let room = text.spare_capacity_mut();
            // SAFETY: the buffer is passed with its length.
            let got = unsafe { libc::read(file.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) };
            let got = Errno::result(got)? as usize;
            if got == 0 {
                return Ok(text);
            }
            // SAFETY: the kernel has written these `got` bytes.
            unsafe { text.set_len(text.len() + got) };
            text.reserve(1024);
        }
    }

    pub fn stat(&self, path: &CStr) -> Outcome<FileStat> {
        fstatat(&self.root, path, AtFlags::empty())
    }

    /// Returns the number that a link such as `self` contains.
    pub fn number(&self, path: &CStr) -> Option<i32> {
        number(self.link(path, &mut [0; 64]).ok()?)
    }

    /// Calls `each` for the entries of a directory whose names are numbers.
    pub fn numbers(&self, path: &CStr, mut each: impl FnMut(i32)) -> Outcome<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut directory = Dir::openat(&self.root, path, flags, Mode::empty())?;
        for entry in directory.iter() {
            if let Some(number) = number(entry?.file_name().to_bytes()) {
                each(number);
            }
        }
        Ok(())
    }
}

fn number(digits: &[u8]) -> Option<i32> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Parses the text of a link: `net:[4026531840]`, `socket:[12345]`.
pub(super) fn parse(link: &[u8]) -> Target {
    let parts = || {
        let (name, rest) = str::from_utf8(link).ok()?.split_once(":[")?;
        Some((name, rest.strip_suffix(']')?.parse().ok()?))
    };
    match parts() {
        Some(("socket", inode)) => Target::Socket(inode),
        Some((name, inode)) => match crate::kind::place(name) {
            Some(kind) => Target::Namespace(kind, inode),
            None => Target::Other,
        },
        None => Target::Other,
    }
}

/// A path relative to `/proc` in a fixed buffer: a stem, and an ending that is overwritten for each
/// use.
pub(super) struct Path {
    text: [u8; 80],
    stem: usize,
}

impl Path {
    /// Creates the stem `PID`.
    pub fn of(pid: i32) -> Self {
        let mut path = Path { text: [0; 80], stem: 0 };
        path.stem = path.write(0, pid);
        path
    }

    /// Creates the stem `PID/task/TID`.
    pub fn of_thread(pid: i32, tid: i32) -> Self {
        let mut path = Path::of(pid);
        path.text[path.stem..path.stem + 6].copy_from_slice(b"/task/");
        path.stem = path.write(path.stem + 6, tid);
        path
    }

    /// Returns the stem followed by `ending`.
    pub fn with(&mut self, ending: &CStr) -> &CStr {
        let ending = ending.to_bytes_with_nul();
        self.text[self.stem..self.stem + ending.len()].copy_from_slice(ending);
        self.whole()
    }

    /// Returns the stem followed by `ending` and a number.
    pub fn with_number(&mut self, ending: &CStr, number: i32) -> &CStr {
        let start = self.stem + ending.count_bytes();
        self.with(ending);
        let end = self.write(start, number);
        self.text[end] = 0;
        self.whole()
    }

    fn whole(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.text).unwrap_or_default()
    }

    /// Writes a non-negative number at `start` and returns the offset after its last digit.
    fn write(&mut self, start: usize, number: i32) -> usize {
        let mut digits = [0; 10];
        let mut first = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let end = start + digits.len() - first;
        self.text[start..end].copy_from_slice(&digits[first..]);
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_over_each_other() {
        let mut path = Path::of(4_194_304);
        assert_eq!(path.with(c"/ns/cgroup"), c"4194304/ns/cgroup");
        assert_eq!(path.with(c"/stat"), c"4194304/stat");
        assert_eq!(path.with_number(c"/fd/", 10), c"4194304/fd/10");
        assert_eq!(path.with_number(c"/fd/", 0), c"4194304/fd/0");
        let mut path = Path::of_thread(i32::MAX, i32::MAX);
        assert_eq!(path.with(c"/ns/time_for_children"), c"2147483647/task/2147483647/ns/time_for_children");
    }

    #[test]
    fn links_are_told_apart() {
        assert!(matches!(parse(b"net:[4026531840]"), Target::Namespace(3, 4_026_531_840)));
        assert!(matches!(parse(b"socket:[77]"), Target::Socket(77)));
        for other in [&b"/dev/null"[..], b"pipe:[3]", b"anon_inode:[eventfd]", b"net:[x]", b"net:[3", b"\xff"]
        {
            assert!(matches!(parse(other), Target::Other));
        }
    }
}
