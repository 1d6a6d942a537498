//! Finds the mounted cgroup hierarchies, the caller's cgroup in each, and the cgroups below which
//! new ones can be created. All is read from /proc/self/cgroup and mountinfo, nothing is assumed.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::{AccessFlags, access};

use super::files::write;
use crate::{Error, Result, Step};

/// One hierarchy: its mount point and the directory of the caller's cgroup in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub mount: PathBuf,
    pub group: PathBuf,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub v2: Option<Place>,
    /// Each hierarchy of version 1 with its controllers.
    pub v1: Vec<(Vec<String>, Place)>,
}

impl Places {
    pub fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Places::parse(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo"))
    }

    fn parse(groups: &str, mounts: &str) -> Self {
        let mut places = Places::default();
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let controllers: Vec<String> =
                controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            let Some(place) = find(mounts, &controllers, path) else { continue };
            match controllers.is_empty() {
                true => places.v2 = Some(place),
                false => places.v1.push((controllers, place)),
            }
        }
        places
    }

    /// The hierarchy of version 1 that has a controller.
    pub fn v1(&self, controller: &str) -> Option<&Place> {
        self.v1.iter().find(|(names, _)| names.iter().any(|name| name == controller)).map(|(_, place)| place)
    }
}

/// Finds the mount of the hierarchy with these controllers (none: version 2), and the cgroup at
/// `path` in it.
fn find(mounts: &str, controllers: &[String], path: &str) -> Option<Place> {
    mounts.lines().find_map(|line| {
        let (place, about) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, mount) = (place.next()?, place.next()?);
        let mut about = about.split(' ');
        let fits = match about.next()? {
            "cgroup2" => controllers.is_empty(),
            "cgroup" => {
                let options = about.nth(1)?;
                !controllers.is_empty()
                    && controllers.iter().all(|name| options.split(',').any(|option| option == name))
            }
            _ => false,
        };
        let below = Path::new(path).strip_prefix(root).ok()?;
        fits.then(|| Place { mount: mount.into(), group: Path::new(mount).join(below) })
    })
}

/// Checks that a parent cgroup given by the caller is a directory of a cgroup2.
pub(super) fn of_version_2(parent: &Path) -> Result<PathBuf> {
    let failed = |errno: Errno| {
        Error::new(Step::Cgroup, errno as i32, format!("{} as parent group", parent.display()))
    };
    match statfs(parent).map_err(failed)?.filesystem_type() {
        CGROUP2_SUPER_MAGIC => Ok(parent.to_owned()),
        _ => Err(Error::argument(format!("{} is no directory of a mounted cgroup2", parent.display()))),
    }
}

/// The nearest cgroup, from the caller's own upwards, below which cgroups with these controllers
/// can be created.
pub(super) fn usable(mount: &Path, own: &Path, needed: &[&str]) -> Option<PathBuf> {
    let mut place = own;
    loop {
        let enabled = lists(place, "cgroup.subtree_control", needed);
        if is_writable(place)
            && (enabled || is_divisible(place) && lists(place, "cgroup.controllers", needed))
        {
            return Some(place.to_owned());
        }
        if place == mount {
            return None;
        }
        place = place.parent()?;
    }
}

/// Whether the caller's own cgroup would do if no process were in it.
pub(super) fn is_crowded(own: &Path, needed: &[&str]) -> bool {
    is_writable(own) && !is_divisible(own) && lists(own, "cgroup.controllers", needed)
}

/// Whether a file of a cgroup lists all of these controllers.
fn lists(group: &Path, file: &str, needed: &[&str]) -> bool {
    let text = fs::read_to_string(group.join(file)).unwrap_or_default();
    needed.iter().all(|name| text.split_whitespace().any(|word| word == *name))
}

fn is_writable(group: &Path) -> bool {
    access(&group.join("cgroup.procs"), AccessFlags::W_OK).is_ok()
}

/// Whether controllers can be enabled for the cgroups below: a cgroup with processes in it cannot
/// have any, but for the root, which has no type.
fn is_divisible(group: &Path) -> bool {
    !group.join("cgroup.type").exists()
        || fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|text| text.is_empty())
}

/// Enables controllers that are not enabled yet. An error is ignored: it is reported when the limit
/// is set. In a cgroup with processes the kernel would enable some controllers, after which no
/// process could enter the cgroups below.
pub(super) fn enable(parent: &Path, needed: &[&str]) {
    if !is_divisible(parent) {
        return;
    }
    let control = parent.join("cgroup.subtree_control");
    let on = fs::read_to_string(&control).unwrap_or_default();
    for name in
        needed.iter().filter(|name| !name.is_empty() && !on.split_whitespace().any(|word| word == **name))
    {
        let _ = write(&control, &format!("+{name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /box /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn each_controller_is_found_where_it_is() {
        let places = Places::parse("4:memory:/box/a\n1:cpu,cpuacct:/\n0::/user.slice/x\n", MOUNTS);
        assert_eq!(places.v2.as_ref().unwrap().group, Path::new("/sys/fs/cgroup/unified/user.slice/x"));
        assert_eq!(places.v1("memory").unwrap().group, Path::new("/sys/fs/cgroup/memory/a"));
        assert_eq!(places.v1("cpuacct").unwrap().group, Path::new("/sys/fs/cgroup/cpu"));
        assert_eq!(places.v1("pids"), None);
    }
}
