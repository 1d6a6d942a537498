//! One change of the view of the file system, as the child makes it.

use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_char, c_int};

use super::Options;

/// One change of the view. The pointers are as in an [`Action`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// Open the tree at `source`; where `fd` is not -1, this alone. The slot is for its descriptor.
    Open {
        source: *const c_char,
        fd: c_int,
        recursive: bool,
        optional: bool,
        slot: Slot,
    },
    /// Make the place where mounts are made ready.
    Stage,
    /// Mount what was opened.
    Bind {
        source: *const c_char,
        slot: Slot,
        recursive: bool,
        attributes: Attributes,
        at: Place,
    },
    /// Mount a new file system.
    Filesystem {
        kind: *const c_char,
        options: Options,
        attributes: u64,
        at: Place,
    },
    /// Mount an overlay. If it is thrown away, its layer is [`UPPER`] and [`WORK`] in a new tmpfs.
    Overlay {
        lower: *const c_char,
        options: Options,
        thrown_away: bool,
        attributes: u64,
        at: Place,
    },
    Directory {
        mode: u32,
        at: Place,
    },
    Symlink {
        to: *const c_char,
        at: Place,
    },
    File {
        data: *const u8,
        len: usize,
        mode: u32,
        at: Place,
    },
    /// Hide a directory by an empty tmpfs with these options, a file by `/dev/null`.
    Mask {
        options: Options,
        at: Place,
    },
    Permissions {
        mode: u32,
        at: Place,
    },
    ReadOnly {
        recursive: bool,
        optional: bool,
        at: Place,
    },
    Propagation {
        flag: u64,
        at: Place,
    },
    /// Make the working directory the root, and let go of the old one.
    Pivot,
    /// Go to a directory of the view.
    Enter {
        path: *const c_char,
        optional: bool,
    },
}

/// What `mount_setattr(2)` sets; `id_map` is -1 for none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    pub set: u64,
    pub id_map: c_int,
}

impl Attributes {
    pub fn read_only() -> Self {
        Attributes { set: libc::MOUNT_ATTR_RDONLY, id_map: -1 }
    }
}

/// Where the child keeps a descriptor: -1 until it is open. In the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot(pub(super) *const AtomicI32);

impl Slot {
    fn number(self) -> &'static AtomicI32 {
        // SAFETY: it lives as long as the plan, whose actions alone use it.
        unsafe { &*self.0 }
    }

    pub fn set(self, fd: c_int) {
        self.number().store(fd, Ordering::Relaxed);
    }

    pub fn get(self) -> c_int {
        self.number().load(Ordering::Relaxed)
    }
}

/// A target: its path, and each directory on the way with its last part, itself included, NULL at the end. No part for `/`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub path: *const c_char,
    pub parts: *const [*const c_char; 2],
}

impl Place {
    /// The root of the view.
    pub fn is_root(self) -> bool {
        // SAFETY: a table has one entry at least, its end.
        unsafe { (*self.parts)[0].is_null() }
    }
}

impl Change {
    /// What is changed, for an error message.
    pub fn object(&self) -> String {
        // SAFETY: strings that live as long as the plan.
        let text = |pointer: *const c_char| unsafe { CStr::from_ptr(pointer) }.to_string_lossy();
        match *self {
            Change::Open { source, .. } => text(source).into(),
            Change::Stage => "a place to make mounts ready".into(),
            Change::Bind { source, at, .. } => format!("{} at {}", text(source), text(at.path)),
            Change::Filesystem { kind, at, .. } => match text(kind).as_ref() {
                // The step says so.
                "proc" => text(at.path).into(),
                kind => format!("{kind} at {}", text(at.path)),
            },
            Change::Overlay { lower, at, .. } => {
                format!("an overlay of {} at {}", text(lower), text(at.path))
            }
            Change::Directory { at, .. } | Change::Symlink { at, .. } | Change::File { at, .. } => {
                text(at.path).into()
            }
            Change::Permissions { mode, at } => format!("the permissions {mode:o} of {}", text(at.path)),
            Change::Mask { at, .. } => format!("a mask at {}", text(at.path)),
            Change::ReadOnly { at, .. } => format!("{} read-only", text(at.path)),
            Change::Propagation { at, .. } => text(at.path).into(),
            Change::Pivot => "the new root directory".into(),
            Change::Enter { path, .. } => text(path).into(),
        }
    }
}
