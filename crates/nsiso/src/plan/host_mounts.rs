//! What is mounted on the host, so that an overlay can show all of it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// File systems that are no store of files: an overlay shows them as they are.
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

/// What is mounted where, in the caller's view.
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

    /// File systems in memory that are mounted below what is no store, and have nothing mounted below them.
    pub fn plain_stores_below(&self, path: &Path) -> Vec<PathBuf> {
        let mut points: Vec<_> = self.0.iter().map(|(point, _)| point).collect();
        points.sort();
        points.dedup();
        let plain = |point: &&PathBuf| {
            point.starts_with(path) && self.kind_at(point) == Some("tmpfs") && !self.any_below(point)
        };
        points.into_iter().filter(plain).cloned().collect()
    }

    /// The last mount on a place is the one that is seen.
    fn kind_at(&self, path: &Path) -> Option<&str> {
        self.0.iter().rev().find(|(point, _)| point == path).map(|(_, kind)| kind.as_str())
    }
}

/// The kernel writes blanks and backslashes as octal numbers.
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
