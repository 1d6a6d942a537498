//! What the child needs where mounts have to be made by mount(2), since the kernel, or a container's filter, has none of the newer calls.

use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use libc::{c_char, c_int};
use nix::errno::Errno;

use super::Plan;

/// Where mounts are made ready.
#[derive(Debug)]
pub(crate) struct Stage {
    root: AtomicI32,
    places: AtomicUsize,
    /// Nothing that the host does to its mounts changes those of the view.
    pub private: bool,
}

impl Stage {
    /// None is needed where all calls for mounts are there: mount_setattr(2) is the youngest.
    pub fn if_needed(private: bool) -> Option<Stage> {
        // SAFETY: the kernel finds arguments of no size invalid, before it looks at any other.
        let answer = unsafe {
            libc::syscall(libc::SYS_mount_setattr, -1, ptr::null::<c_char>(), 0, ptr::null::<u8>(), 0usize)
        };
        match Errno::result(answer) {
            Err(Errno::EINVAL) => None,
            _ => Some(Stage { root: AtomicI32::new(-1), places: AtomicUsize::new(0), private }),
        }
    }

    pub fn set_root(&self, fd: c_int) {
        self.root.store(fd, Ordering::Relaxed);
    }

    pub fn root(&self) -> c_int {
        self.root.load(Ordering::Relaxed)
    }

    /// A number that no other place has.
    pub fn next_place(&self) -> usize {
        self.places.fetch_add(1, Ordering::Relaxed)
    }
}

/// The options of a file system: one by one, a NULL name at the end, and as mount(2) wants them, NULL where it cannot take them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub each: *const [*const c_char; 2],
    pub joined: *const c_char,
}

impl Options {
    pub fn none() -> Self {
        Options { each: &const { [ptr::null(); 2] }, joined: c"".as_ptr() }
    }
}

/// mount(2) takes a page, with its NUL.
const JOINED_MAX: usize = 4095;

impl Plan {
    /// A value with a comma is for overlays alone, which know it with a backslash.
    pub(super) fn options(&mut self, kind: &str, options: &[(&str, Option<&[u8]>)]) -> Options {
        let mut joined = Vec::new();
        let mut each = Vec::new();
        let mut fits = true;
        for (name, value) in options {
            if !joined.is_empty() {
                joined.push(b',');
            }
            joined.extend(name.as_bytes());
            let mut pair = [self.arena.string(name.as_bytes()), ptr::null()];
            if let Some(value) = value {
                joined.push(b'=');
                joined.extend(*value);
                pair[1] = self.arena.string(value);
                fits &= kind == "overlay" || !value.contains(&b',');
            }
            each.push(pair);
        }
        each.push([ptr::null(); 2]);
        fits &= joined.len() <= JOINED_MAX;
        let joined = if fits { self.arena.string(&joined) } else { ptr::null() };
        Options { each: self.arena.copy(&each), joined }
    }
}
