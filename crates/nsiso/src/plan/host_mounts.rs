//! Reads the caller's mount table, so that an overlay of a directory can include all mounts below
//! it. `overlay.rs` decides what is mounted.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// File systems that store no files of users. They are bound as they are in place of an overlay.
const NO_STORE: [&str; 14] = [
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "mqueue",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "configfs",
    "fusectl",
    "autofs",
];

/// The mount points in the caller's mount namespace, each with its file system type.
pub(super) struct HostMounts(Vec<(PathBuf, String)>);

impl HostMounts {
    pub fn read() -> Self {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        HostMounts(
            text.lines()
                .filter_map(|line| {
                    let (place, about) = line.split_once(" - ")?;
                    let point = unescaped(place.split(' ').nth(4)?);
                    Some((point, about.split(' ').next()?.to_owned()))
                })
                .collect(),
        )
    }

    pub fn any_below(&self, path: &Path) -> bool {
        self.0.iter().any(|(point, _)| point != path && point.starts_with(path))
    }

    pub fn is_mount_point(&self, path: &Path) -> bool {
        self.0.iter().any(|(point, _)| point == path)
    }

    pub fn is_no_store(&self, path: &Path) -> bool {
        self.kind_at(path).is_some_and(|kind| NO_STORE.contains(&kind))
    }

    /// The directories below `path` where a tmpfs is mounted that has no other mount below it.
    /// `path` is a mount of a file system in [`NO_STORE`]. Containers also mount single files of a
    /// tmpfs there, to hide others.
    pub fn plain_stores_below(&self, path: &Path) -> Vec<PathBuf> {
        let mut points: Vec<_> = self.0.iter().map(|(point, _)| point).collect();
        points.sort();
        points.dedup();
        let plain = |point: &&PathBuf| {
            point.starts_with(path)
                && self.kind_at(point) == Some("tmpfs")
                && !self.any_below(point)
                && point.is_dir()
        };
        points.into_iter().filter(plain).cloned().collect()
    }

    /// The type of the file system at a mount point. The last mount hides the earlier ones there.
    fn kind_at(&self, path: &Path) -> Option<&str> {
        self.0.iter().rev().find(|(point, _)| point == path).map(|(_, kind)| kind.as_str())
    }
}

/// Decodes a path of mountinfo, where the kernel writes blanks and backslashes as octal numbers.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).and_then(|digits| {
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok().filter(|_| *first == b'\\')
        });
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_as_the_kernel_writes_them() {
        assert_eq!(unescaped("/a\\040b\\134c"), Path::new("/a b\\c"));
        assert_eq!(unescaped("/plain"), Path::new("/plain"));
    }
}
