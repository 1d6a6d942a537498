//! Walks and removes trees of cgroups with one or two open directories and without recursion.
//!
//! A program can nest cgroups thousands of levels deep: too deep for the stack, and with paths
//! longer than PATH_MAX. Every step is relative to an open directory. The way back is `..`, which
//! is reliable because a cgroup cannot be moved to another parent.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use nix::NixPath;
use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC);

/// Opens a directory below `at`, or `..`.
pub(super) fn open<P: ?Sized + NixPath>(at: impl AsFd, name: &P) -> nix::Result<OwnedFd> {
    openat(at, name, DIRECTORY | OFlag::O_NOFOLLOW, Mode::empty())
}

/// Opens a directory by a path that the caller trusts.
pub(super) fn open_path(path: &Path) -> nix::Result<OwnedFd> {
    openat(AT_FDCWD, path, DIRECTORY, Mode::empty())
}

/// The names of the cgroups directly below.
pub(super) fn children(directory: &OwnedFd) -> Vec<CString> {
    let Ok(mut directory) = Dir::openat(directory, c".", DIRECTORY, Mode::empty()) else { return Vec::new() };
    let entries = directory.iter().map_while(Result::ok);
    entries
        .filter(|entry| entry.file_type() == Some(Type::Directory))
        .map(|entry| entry.file_name().to_owned())
        .filter(|name| !matches!(name.as_bytes(), b"." | b".."))
        .collect()
}

/// Calls `enter` for a cgroup, which returns the names of its children, and then for each child
/// that `descend` accepts.
pub(super) fn walk(
    top: OwnedFd,
    mut enter: impl FnMut(&OwnedFd) -> Vec<CString>,
    mut descend: impl FnMut(&OwnedFd, &CStr) -> bool,
) {
    let mut here = top;
    let mut rest = vec![enter(&here)];
    while let Some(names) = rest.last_mut() {
        if let Some(name) = names.pop() {
            if descend(&here, &name)
                && let Ok(below) = open(&here, &*name)
            {
                here = below;
                rest.push(enter(&here));
            }
            continue;
        }
        rest.pop();
        if !rest.is_empty() {
            let Ok(above) = open(&here, c"..") else { return };
            here = above;
        }
    }
}

/// The pids of all processes in a cgroup and below it, in the caller's pid namespace.
pub(super) fn processes(directory: &Path) -> Vec<i32> {
    let mut pids = Vec::new();
    let Ok(top) = open_path(directory) else { return pids };
    let enter = |directory: &OwnedFd| {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut text = String::new();
        if let Ok(file) = openat(directory, c"cgroup.procs", flags, Mode::empty()) {
            let _ = File::from(file).read_to_string(&mut text);
        }
        pids.extend(text.lines().filter_map(|line| line.parse().ok()).filter(|pid: &i32| *pid > 0));
        children(directory)
    };
    walk(top, enter, |_, _| true);
    pids
}

/// Removes the cgroup `name` below `at` and all cgroups below it, and returns whether it is gone. A
/// cgroup with a process in it stays, and so do its ancestors.
///
/// It stops at `until`, since a process that keeps creating cgroups could keep it busy for ever.
pub(super) fn remove<P: ?Sized + NixPath>(at: impl AsFd, name: &P, until: Instant) -> bool {
    // Most cgroups have no children, and then no descriptor is needed.
    if rmdir(&at, name) {
        return true;
    }
    let Ok(mut here) = open(&at, name) else { return false };
    // The names from the top to the current directory, and the children still to be removed on each
    // level.
    let mut way: Vec<CString> = Vec::new();
    let mut rest = vec![children(&here)];
    while let Some(names) = rest.last_mut() {
        if Instant::now() > until {
            return false;
        }
        if let Some(child) = names.pop() {
            if !rmdir(&here, &*child)
                && let Ok(below) = open(&here, &*child)
            {
                rest.push(children(&below));
                way.push(child);
                here = below;
            }
            continue;
        }
        rest.pop();
        if let Some(left) = way.pop() {
            let Ok(above) = open(&here, c"..") else { return false };
            here = above;
            rmdir(&here, &*left);
        }
    }
    rmdir(&at, name)
}

/// Removes a cgroup without children, and returns whether it is gone. Needs no descriptor.
pub(super) fn remove_leaf(directory: &Path) -> bool {
    rmdir(AT_FDCWD, directory)
}

/// Removes a cgroup given by its path, as [`remove`] does.
pub(super) fn remove_path(directory: &Path, until: Instant) -> bool {
    remove(AT_FDCWD, directory, until)
}

fn rmdir<P: ?Sized + NixPath>(at: impl AsFd, name: &P) -> bool {
    matches!(unlinkat(at, name, UnlinkatFlags::RemoveDir), Ok(()) | Err(Errno::ENOENT))
}

/// Writes to a file of the cgroup `name` below `at`. Errors are ignored.
pub(super) fn write(at: impl AsFd, name: &CStr, file: &str, text: &str) {
    let path = [name.to_bytes(), b"/", file.as_bytes()].concat();
    let flags = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    if let Ok(file) = openat(at, &*path, flags, Mode::empty()) {
        let _ = File::from(file).write_all(text.as_bytes());
    }
}
