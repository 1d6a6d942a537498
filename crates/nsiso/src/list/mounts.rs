//! Finds namespaces held by bind mounts (`ip netns add`, `unshare --net=FILE`) in every mount
//! namespace that has a process.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::procfs::{Path, Target, parse};
use super::{Holder, Scan};
use crate::kind::NAMES;

impl Scan {
    pub(super) fn mounts(&mut self) {
        let own = self.proc.inode(c"self/ns/mnt").ok();
        let mut places: Vec<_> = self.mount_namespaces.drain().collect();
        // The caller's own mount namespace comes first, because the caller can use its paths.
        places.sort_by_key(|(inode, pid)| (Some(*inode) != own, *pid));
        for (inode, pid) in places {
            let Ok(text) = self.proc.read(Path::of(pid).with(c"/mountinfo")) else {
                self.gaps.closed += 1;
                continue;
            };
            for (kind, held, place) in text.split(|byte| *byte == b'\n').filter_map(namespace_mount) {
                if self.query.kinds.contains(NAMES[kind].0) {
                    self.mount(kind, held, Holder::Mount { pid, mount_namespace: inode, path: place });
                }
            }
        }
    }

    fn mount(&mut self, kind: usize, inode: u64, holder: Holder) {
        let index = self.table.find_or_add(kind, inode);
        if let Holder::Mount { pid, path, .. } = &holder
            && self.asks_about(index)
            && let Some(place) = self.place(*pid, path)
        {
            self.describe_place(index, &place);
        }
        self.table.hold(index, holder);
    }

    /// Opens a path with O_PATH in the root directory of a process, without following magic links.
    fn place(&self, pid: i32, path: &CStr) -> Option<OwnedFd> {
        let root =
            self.proc.open_at(Path::of(pid).with(c"/root"), OFlag::O_PATH | OFlag::O_DIRECTORY).ok()?;
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let within = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        openat2(root, path, OpenHow::new().flags(flags).resolve(within)).ok()
    }
}

/// Returns the kind, inode and mount point if a line of mountinfo, `proc_pid_mountinfo(5)`, is a
/// mount of a namespace.
fn namespace_mount(line: &[u8]) -> Option<(usize, u64, CString)> {
    let separator = line.windows(NSFS.len()).position(|part| part == NSFS)?;
    let mut fields = line[..separator].split(|byte| *byte == b' ').skip(3);
    let (root, place) = (fields.next()?, fields.next()?);
    match parse(root) {
        Target::Namespace(kind, inode) => Some((kind, inode, CString::new(unescape(place)).ok()?)),
        _ => None,
    }
}

const NSFS: &[u8] = b" - nsfs ";

/// Decodes the three octal digits after a backslash that mountinfo writes for spaces and
/// backslashes.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if first == b'\\' => {
                plain.push(byte);
                rest = &after[3..];
            }
            _ => {
                plain.push(first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_namespace_is_recognized() {
        let line = b"36 28 0:4 net:[4026532177] /run/netns/a\\040b\\134 rw shared:9 - nsfs nsfs rw";
        let found = namespace_mount(line).unwrap();
        assert_eq!(found, (3, 4_026_532_177, CString::new("/run/netns/a b\\").unwrap()));
        assert!(namespace_mount(b"36 28 0:4 / /proc rw - proc proc rw").is_none());
        assert!(namespace_mount(b" - nsfs ").is_none());
    }
}
