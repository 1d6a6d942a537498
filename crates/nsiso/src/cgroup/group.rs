//! [`Group`]: the cgroup of a program. It is created, entered, frozen, killed and removed here; the
//! helper moves the program into it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::{v1_name, write};
use super::hierarchy::{Place, Places, enable, is_crowded, of_version_2, usable};
use super::owner::Owner;
use super::sweep::Sweep;
use super::tree;
use crate::spec::{Limits, Setting};
use crate::{Error, Result, Spec, Step};

/// Controllers used wherever they are available, also without a limit: for usage and freezing.
/// Those that a delegation leaves out most often come last.
const WELCOME: [&str; 6] = ["memory", "pids", "cpu", "cpuacct", "freezer", "io"];

/// The controllers of version 1 that a cgroup may be created for.
const USED: [&str; 8] = ["memory", "cpu", "cpuacct", "pids", "freezer", "blkio", "cpuset", "hugetlb"];

/// Version 2 counts processor time in every cgroup, and freezes without a controller.
fn is_v2_name(controller: &str) -> bool {
    !matches!(controller, "cpuacct" | "freezer")
}

/// How long the kernel may take to release a cgroup whose processes have ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the removal of one cgroup with all below it may take: 10,000 levels take a second.
const LONGEST: Duration = Duration::from_secs(10);

/// A cgroup: one directory in each hierarchy that is used. Dropping it removes the directories and
/// kills the processes still in them.
#[derive(Debug)]
pub(crate) struct Group {
    v2: Option<PathBuf>,
    /// The controllers that the directory of version 2 has.
    v2_controllers: Vec<String>,
    v1: Vec<(Vec<String>, PathBuf)>,
}

impl Group {
    /// Creates the cgroup that a spec asks for, with its limits.
    pub fn new(spec: &Spec, limits: &Limits) -> Result<Self> {
        let places = Places::read();
        let owner = Owner::this_process();
        let name = owner.group_name();
        let mut sweep = Sweep::new(owner);
        let mut group = Group { v2: None, v2_controllers: Vec::new(), v1: Vec::new() };
        let needed: Vec<&str> = limits.settings.iter().map(Setting::controller).collect();
        let in_v2 = |controller: &&str| places.v1(v1_name(controller)).is_none();
        let needed_in_v2: Vec<&str> = needed.iter().copied().filter(in_v2).collect();
        let mut refused = None;
        let v2 = match &spec.resources.cgroup_parent {
            Some(parent) => Some(of_version_2(parent)?),
            None => {
                let counted: Vec<&str> =
                    WELCOME.into_iter().filter(|name| is_v2_name(name) && in_v2(name)).collect();
                places.v2.as_ref().map(|place| parent_in(place, &needed_in_v2, &counted)).transpose()?
            }
        };
        if let Some(parent) = &v2 {
            sweep.below(parent);
            enable(parent, &needed_in_v2);
            enable(parent, &WELCOME.map(|name| if is_v2_name(name) && in_v2(&name) { name } else { "" }));
            match make(parent, &name) {
                Ok(directory) => {
                    let text = fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default();
                    group.v2_controllers = text.split_whitespace().map(str::to_owned).collect();
                    group.v2 = Some(directory);
                }
                Err(error) if !needed_in_v2.is_empty() || spec.resources.cgroup_parent.is_some() => {
                    return Err(no_group(parent, &error));
                }
                Err(error) => refused = Some(no_group(parent, &error)),
            }
        }
        for (controllers, place) in &places.v1 {
            let wanted = |name: &String| needed.iter().any(|needed| v1_name(needed) == name);
            // A dead owner may have needed controllers that are not needed now.
            if controllers.iter().any(|name| USED.contains(&name.as_str())) {
                sweep.below(&place.group);
            }
            let required =
                controllers.iter().any(wanted) && !controllers.iter().all(|name| group.has_v2(name));
            let freezes = group.v2.is_some();
            let welcome = controllers.iter().any(|name| {
                WELCOME.iter().any(|known| v1_name(known) == name) && (name != "freezer" || !freezes)
            });
            if !required && !welcome {
                continue;
            }
            match make(&place.group, &name) {
                Ok(directory) => group.v1.push((controllers.clone(), directory)),
                Err(error) if required => return Err(no_group(&place.group, &error)),
                Err(error) => refused = refused.or_else(|| Some(no_group(&place.group, &error))),
            }
        }
        if group.directories().next().is_none() {
            return Err(refused.unwrap_or_else(none_mounted));
        }
        group.set(limits)?;
        group.seat_cpuset();
        Ok(group)
    }

    fn has_v2(&self, v1_controller: &str) -> bool {
        self.v2_controllers.iter().any(|name| v1_name(name) == v1_controller)
    }

    /// The directory that has a controller, and whether it is of version 2.
    pub fn directory(&self, controller: &str) -> Option<(&Path, bool)> {
        if self.v2_controllers.iter().any(|name| name == controller) {
            return self.v2.as_deref().map(|directory| (directory, true));
        }
        let v1 = v1_name(controller);
        let found = self.v1.iter().find(|(controllers, _)| controllers.iter().any(|name| name == v1));
        found.map(|(_, directory)| (directory.as_path(), false))
    }

    /// Opens the file of each directory by which a process enters it; version 2 comes first.
    ///
    /// In version 1 this is `tasks`. A write to `cgroup.procs` waits 10 ms for a lock over all
    /// processes of the machine; a process that moves its only thread through `tasks` does not take
    /// it.
    pub fn entrances(&self) -> Result<Vec<OwnedFd>> {
        let v2 = self.v2.iter().map(|directory| directory.join("cgroup.procs"));
        let v1 = self.v1.iter().map(|(_, directory)| directory.join("tasks"));
        v2.chain(v1).map(|path| open(&path, File::options().write(true))).collect()
    }

    /// Opens the directory of version 2, in which clone3(2) can create a process, also without that
    /// lock.
    pub fn cgroup_for_clone(&self) -> Result<Option<OwnedFd>> {
        let open = |path: &PathBuf| open(path, File::options().read(true).custom_flags(libc::O_PATH));
        self.v2.as_ref().map(open).transpose()
    }

    /// The directory of version 2, which counts some resources without a controller.
    pub fn v2(&self) -> Option<&Path> {
        self.v2.as_deref()
    }

    fn directories(&self) -> impl Iterator<Item = &Path> {
        self.v2.iter().chain(self.v1.iter().map(|(_, directory)| directory)).map(PathBuf::as_path)
    }

    /// Freezes or thaws all processes in the cgroup. Returns once the kernel reports the new state.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let failed = |path: &Path, error: io::Error| Error::from_io(Step::Cgroup, path.display(), &error);
        // Version 2 is preferred: processes that it has frozen can still be killed.
        let (path, text, state, wanted) = match (&self.v2, self.directory("freezer")) {
            (Some(directory), _) => {
                let digit = if frozen { "1" } else { "0" };
                (
                    directory.join("cgroup.freeze"),
                    digit,
                    directory.join("cgroup.events"),
                    format!("frozen {digit}"),
                )
            }
            (None, Some((directory, _))) => {
                let word = if frozen { "FROZEN" } else { "THAWED" };
                (directory.join("freezer.state"), word, directory.join("freezer.state"), word.to_owned())
            }
            (None, None) => {
                return Err(Error::new(Step::Cgroup, libc::ENOTSUP, "freezing")
                    .with_hint("neither version 2 nor the freezer of version 1 can be used here"));
            }
        };
        write(&path, text).map_err(|error| failed(&path, error))?;
        let start = Instant::now();
        loop {
            let now = fs::read_to_string(&state).map_err(|error| failed(&state, error))?;
            if now.lines().any(|line| line == wanted) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(Error::new(Step::Cgroup, libc::ETIMEDOUT, path.display())
                    .with_hint("a process cannot be stopped at the moment, as one that waits for a disk"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills all processes in the cgroup.
    pub fn kill(&self) -> Result<()> {
        if let Some(directory) = &self.v2
            && write(&directory.join("cgroup.kill"), "1").is_ok()
        {
            return Ok(());
        }
        // While they are frozen, no process can fork.
        let frozen = self.freeze(true).is_ok();
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let pids = self.pids();
            if pids.is_empty() {
                break;
            }
            for pid in pids {
                // SAFETY: numbers only. A frozen cgroup's pids are not reused.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            if frozen {
                self.freeze(false)?;
                break;
            }
        }
        Ok(())
    }

    /// The pids of all processes in the cgroup and below it, read in the first directory.
    pub(super) fn pids(&self) -> Vec<i32> {
        self.directories().next().map(tree::processes).unwrap_or_default()
    }

    fn remove(&self) {
        let start = Instant::now();
        while self.directories().any(|directory| !tree::remove_leaf(directory)) {
            if start.elapsed() > PATIENCE {
                return;
            }
            // Killed before the removal, so that no process creates cgroups faster than they are
            // removed.
            let _ = self.kill();
            let until = Instant::now() + LONGEST;
            if self.directories().filter(|directory| !tree::remove_path(directory, until)).count() == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.remove();
    }
}

fn open(path: &Path, options: &OpenOptions) -> Result<OwnedFd> {
    let opened = options.open(path);
    opened.map(OwnedFd::from).map_err(|error| Error::no_descriptor(Step::Cgroup, path.display(), &error))
}

/// Whether a cgroup with a limit of processes can be made, for the caller to know. Enables no
/// controller.
pub(crate) fn can_be_made() -> Result<()> {
    const CONTROLLER: &str = "pids";
    let places = Places::read();
    let parent = match (places.v1(CONTROLLER), &places.v2) {
        (Some(place), _) => place.group.clone(),
        (None, Some(place)) => parent_in(place, &[CONTROLLER], &[])?,
        (None, None) => return Err(none_mounted()),
    };
    let made =
        make(&parent, &Owner::this_process().group_name()).map_err(|error| no_group(&parent, &error))?;
    let _ = fs::remove_dir(made);
    Ok(())
}

/// Chooses the cgroup of version 2 in which to create one. A parent whose other controllers count
/// usage, too, is best. If no parent fits, the caller's own cgroup is tried for its error.
fn parent_in(place: &Place, needed: &[&str], counted: &[&str]) -> Result<PathBuf> {
    let fits = |some: usize| usable(&place.mount, &place.group, &[needed, &counted[..some]].concat());
    let found = (0..=counted.len()).rev().find_map(fits);
    if found.is_none() && is_crowded(&place.group, needed) {
        let group = place.group.display();
        return Err(Error::new(Step::Cgroup, libc::EBUSY, format!("a cgroup in {group}")).with_hint(format!(
            "a cgroup that has processes cannot limit {} for cgroups below it, cgroups(7): move its processes first, such as by \
             mkdir {group}/main; echo PID > {group}/main/cgroup.procs",
            needed.join(", ")
        )));
    }
    Ok(found.unwrap_or_else(|| place.group.clone()))
}

fn none_mounted() -> Error {
    Error::new(Step::Cgroup, libc::ENOTSUP, "a cgroup").with_hint("no cgroups are mounted here")
}

fn no_group(parent: &Path, error: &io::Error) -> Error {
    let hint = match error.raw_os_error() {
        Some(libc::EROFS) => {
            "the file system of cgroups is read-only here, as in a container: mount a writable one"
        }
        _ => {
            "the caller may not write to it: run as root, or in a delegated cgroup (systemd-run --user --scope -p Delegate=yes ...); \
             without a cgroup, use rlimits and the size of tmpfs mounts"
        }
    };
    Error::from_io(Step::Cgroup, format!("a cgroup in {}", parent.display()), error).with_hint(hint)
}

fn make(parent: &Path, name: &str) -> io::Result<PathBuf> {
    let directory = parent.join(name);
    fs::create_dir(&directory)?;
    Ok(directory)
}
