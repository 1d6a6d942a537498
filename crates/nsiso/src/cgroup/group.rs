//! The group itself: made, limited, frozen, killed, removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::files::{v1_name, write};
use super::places::{Places, enable, of_version_2, usable};
use crate::handle::own_inode;
use crate::kind;
use crate::spec::{Limits, Setting};
use crate::{Error, Result, Spec, Step};

/// What is used where it is there, without a limit: to count, to freeze.
const WELCOME: [&str; 6] = ["memory", "cpu", "cpuacct", "pids", "freezer", "io"];

/// Version 2 counts processor time in every group, and freezes without a controller.
fn is_v2_name(controller: &str) -> bool {
    !matches!(controller, "cpuacct" | "freezer")
}

/// How long the kernel may take to let go of a group whose processes have ended.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the kernel may need for a program that has not begun, and how long that may take.
const ENOUGH: u64 = 2 << 20;
const MOMENT: Duration = Duration::from_millis(50);

/// One directory for each hierarchy that is used. Removed when dropped; what is left in it is killed.
#[derive(Debug)]
pub(crate) struct Group {
    v2: Option<PathBuf>,
    /// The controllers that the directory of version 2 has.
    v2_controllers: Vec<String>,
    v1: Vec<(Vec<String>, PathBuf)>,
    /// It was killed here because it used more memory than it may, and not by the kernel.
    overrun: AtomicBool,
}

impl Group {
    /// Makes the group that a spec asks for, with its limits.
    pub fn new(spec: &Spec, limits: &Limits) -> Result<Self> {
        let places = Places::read();
        let name = name();
        let mut group =
            Group { v2: None, v2_controllers: Vec::new(), v1: Vec::new(), overrun: AtomicBool::new(false) };
        let needed: Vec<&str> = limits.settings.iter().map(Setting::controller).collect();
        let in_v2 = |controller: &&str| places.v1(v1_name(controller)).is_none();
        let needed_in_v2: Vec<&str> = needed.iter().copied().filter(in_v2).collect();
        let mut refused = None;
        let v2 = match &spec.cgroup_parent {
            Some(parent) => Some(of_version_2(parent)?),
            None => places.v2.as_ref().map(|place| {
                // Best where all is counted, too; where nothing fits, the error says why.
                let counted = WELCOME.iter().filter(|name| is_v2_name(name) && in_v2(name)).copied();
                let all: Vec<&str> = needed_in_v2.iter().copied().chain(counted).collect();
                usable(&place.mount, &place.group, &all)
                    .or_else(|| usable(&place.mount, &place.group, &needed_in_v2))
                    .unwrap_or_else(|| place.group.clone())
            }),
        };
        if let Some(parent) = &v2 {
            enable(parent, &needed_in_v2);
            enable(parent, &WELCOME.map(|name| if is_v2_name(name) && in_v2(&name) { name } else { "" }));
            match make(parent, &name) {
                Ok(directory) => {
                    let text = fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default();
                    group.v2_controllers = text.split_whitespace().map(str::to_owned).collect();
                    group.v2 = Some(directory);
                }
                Err(error) if !needed_in_v2.is_empty() || spec.cgroup_parent.is_some() => {
                    return Err(no_group(parent, &error));
                }
                Err(error) => refused = Some(no_group(parent, &error)),
            }
        }
        for (controllers, place) in &places.v1 {
            let wanted = |name: &String| needed.iter().any(|needed| v1_name(needed) == name);
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
            return Err(refused.unwrap_or_else(|| {
                Error::new(Step::Cgroup, libc::ENOTSUP, "a control group")
                    .with_hint("no cgroups are mounted here")
            }));
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

    /// Writes limits; also of a group that is in use.
    pub fn set(&self, limits: &Limits) -> Result<()> {
        let memory = limits.settings.iter().find_map(|setting| match setting {
            Setting::Memory(bytes) => Some(*bytes),
            _ => None,
        });
        let mut changed: Vec<(PathBuf, String)> = Vec::new();
        for setting in &self.ordered(limits) {
            let controller = setting.controller();
            let Some((directory, is_v2)) = self.directory(controller) else {
                return Err(Error::new(Step::Limit, libc::ENOTSUP, controller).with_hint(format!(
                    "the controller {controller} is mounted nowhere, is not delegated to this group, or limited nothing when the program was started: \
                     run as root, or in a unit with Delegate=yes (systemd-run --user --scope -p Delegate=yes ...)"
                )));
            };
            let written = if is_v2 { Some(setting.v2()) } else { setting.v1(memory) };
            let Some(written) = written else {
                let place = directory.parent().unwrap_or(directory).display();
                return Err(Error::new(Step::Limit, libc::ENOTSUP, setting.name()).with_hint(match setting {
                    Setting::Swap(_) => format!("version 1 of cgroups, where memory is here ({place}), limits swap with memory: give a limit of memory, too"),
                    _ => format!("version 1 of cgroups, where {controller} is here ({place}), does not have it"),
                }));
            };
            for (file, text) in written {
                let path = directory.join(file);
                let before = value_before(&path, &text);
                write(&path, &text).map_err(|error| {
                    // All or nothing.
                    for (path, text) in changed.drain(..).rev() {
                        let _ = write(&path, &text);
                    }
                    Error::from_io(Step::Limit, format!("{text:?} to {}", path.display()), &error).with_hint(
                        match error.raw_os_error() {
                            Some(libc::ENOENT) => "this kernel's controller does not have it (swap accounting needs swapaccount=1 on version 1)".into(),
                            Some(libc::EINVAL | libc::ERANGE | libc::ENODEV) => match setting {
                                Setting::Cpus(_) => format!("processors are {} here", there_are("/sys/devices/system/cpu/online")),
                                Setting::Pids(_) => format!("at most {} here", there_are("/proc/sys/kernel/pid_max")),
                                _ => "the value is out of range here, or the device does not exist".into(),
                            },
                            Some(libc::EBUSY) => "more is in use, and cannot be taken away".into(),
                            _ => String::new(),
                        },
                    )
                })?;
                changed.extend(before.map(|text| (path, text)));
            }
        }
        Ok(())
    }

    /// Writes limits of memory to a group whose program runs already, and is killed if it uses more.
    ///
    /// The kernel tells of exec a moment before the program has a memory of its own. All that is used by then is what the kernel itself needs, so a limit
    /// that is not much larger comes somewhat later still.
    pub fn set_late(&self, limits: &Limits) -> Result<()> {
        let memory = limits.settings.iter().find_map(|setting| match setting {
            Setting::Memory(bytes) => Some(*bytes),
            _ => None,
        });
        let short = || self.resources().memory.is_some_and(|used| used + ENOUGH > memory.unwrap_or(u64::MAX));
        let begun = Instant::now();
        while short() && begun.elapsed() < MOMENT && !self.pids().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        match self.set(limits) {
            // Version 2 kills by itself.
            Err(error) if error.errno() == libc::EBUSY => {
                self.overrun.store(true, Ordering::Relaxed);
                self.kill()
            }
            set => set,
        }
    }

    pub fn has_overrun(&self) -> bool {
        self.overrun.load(Ordering::Relaxed)
    }

    /// Takes the limit of memory away, for the time being.
    pub fn lift_memory(&self) -> Result<()> {
        let Some((directory, is_v2)) = self.directory("memory") else { return Ok(()) };
        let files: &[(&str, &str)] = match is_v2 {
            true => &[("memory.max", "max")],
            false => &[("memory.memsw.limit_in_bytes", "-1"), ("memory.limit_in_bytes", "-1")],
        };
        for (file, text) in files {
            let path = directory.join(file);
            if let Err(error) = write(&path, text)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(Error::from_io(Step::Limit, path.display(), &error));
            }
        }
        Ok(())
    }

    /// Version 1 limits memory and memory with swap: the sum has to go first where it grows, and moves with memory where swap is to stay.
    fn ordered(&self, limits: &Limits) -> Vec<Setting> {
        let mut settings = limits.settings.clone();
        let Some((directory, false)) = self.directory("memory") else { return settings };
        let read = |file: &str| -> Option<u64> {
            fs::read_to_string(directory.join(file)).ok()?.trim().parse().ok()
        };
        let memory = settings.iter().find_map(|setting| match setting {
            Setting::Memory(bytes) => Some(*bytes),
            _ => None,
        });
        let (Some(memory), Some(before)) = (memory, read("memory.limit_in_bytes")) else { return settings };
        let swap = settings.iter().position(|setting| matches!(setting, Setting::Swap(_)));
        let swap = match (swap, read("memory.memsw.limit_in_bytes")) {
            (Some(place), _) => Some(settings.remove(place)),
            (None, Some(sum)) if sum < NO_LIMIT => Some(Setting::Swap(sum.saturating_sub(before))),
            _ => None,
        };
        if let Some(swap) = swap {
            settings.insert(if memory > before { 0 } else { settings.len() }, swap);
        }
        settings
    }

    /// On version 1 nothing can join before processors and memory nodes are given.
    fn seat_cpuset(&self) {
        let Some((directory, false)) = self.directory("cpuset") else { return };
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let own = directory.join(file);
            let empty = fs::read_to_string(&own).is_ok_and(|text| text.trim().is_empty());
            let parent = directory.parent().map(|parent| parent.join(file));
            if let (true, Some(text)) = (empty, parent.and_then(|path| fs::read_to_string(path).ok())) {
                let _ = write(&own, text.trim());
            }
        }
    }

    /// What a process writes itself into, for every directory; that of version 2 is the first.
    ///
    /// In version 1 it is `tasks`: a process that moves its only thread there is spared the lock over all processes of the machine
    /// that a write to `cgroup.procs` waits for, 10 ms.
    pub fn entrances(&self) -> Result<Vec<OwnedFd>> {
        let v2 = self.v2.iter().map(|directory| directory.join("cgroup.procs"));
        let v1 = self.v1.iter().map(|(_, directory)| directory.join("tasks"));
        v2.chain(v1).map(|path| open(&path, File::options().write(true))).collect()
    }

    /// The directory of version 2, in which clone3(2) can make a process, without that lock, too.
    pub fn birthplace(&self) -> Result<Option<OwnedFd>> {
        let open = |path: &PathBuf| open(path, File::options().read(true).custom_flags(libc::O_PATH));
        self.v2.as_ref().map(open).transpose()
    }

    /// The directory of version 2, which counts some things without any controller.
    pub fn v2(&self) -> Option<&Path> {
        self.v2.as_deref()
    }

    fn directories(&self) -> impl Iterator<Item = &Path> {
        self.v2.iter().chain(self.v1.iter().map(|(_, directory)| directory)).map(PathBuf::as_path)
    }

    /// Stops everything in the group, or lets it go on. Returns when all have stopped.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let failed = |path: &Path, error: io::Error| Error::from_io(Step::Cgroup, path.display(), &error);
        // What version 2 has frozen can still be killed.
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

    /// Kills everything in the group at once.
    pub fn kill(&self) -> Result<()> {
        if let Some(directory) = &self.v2
            && write(&directory.join("cgroup.kill"), "1").is_ok()
        {
            return Ok(());
        }
        // Nobody may be born meanwhile.
        let frozen = self.freeze(true).is_ok();
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let pids = self.pids();
            if pids.is_empty() {
                break;
            }
            for pid in pids {
                // SAFETY: numbers only. A frozen group's pids are not used again.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            if frozen {
                self.freeze(false)?;
                break;
            }
        }
        Ok(())
    }

    /// Every process in one of the directories.
    fn pids(&self) -> Vec<i32> {
        let Some(directory) = self.directories().next() else { return Vec::new() };
        let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
    }

    fn remove(&self) {
        let start = Instant::now();
        loop {
            let busy = self.directories().filter(|directory| !gone(directory)).count();
            if busy == 0 || start.elapsed() > PATIENCE {
                return;
            }
            let _ = self.kill();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Removes a directory with the groups that the program made in it.
fn gone(directory: &Path) -> bool {
    match fs::remove_dir(directory) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(_) => {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    gone(&entry.path());
                }
            }
            fs::remove_dir(directory).is_ok()
        }
    }
}

fn open(path: &Path, options: &OpenOptions) -> Result<OwnedFd> {
    let opened = options.open(path);
    opened.map(OwnedFd::from).map_err(|error| {
        Error::from_io(Step::Cgroup, path.display(), &error).with_hint(crate::rlimit::descriptor_hint(&error))
    })
}

/// What version 1 says where there is none, give or take a page.
/// What is to be written to take back what will be written. Files about devices have a line for each.
fn value_before(path: &Path, text: &str) -> Option<String> {
    let now = fs::read_to_string(path).ok()?;
    match text.split_once(' ') {
        Some((device, _)) if device.contains(':') => {
            let line = now.lines().find(|line| line.split(' ').next() == Some(device));
            Some(line.map_or_else(
                || match path.ends_with("io.max") {
                    true => format!("{device} rbps=max wbps=max riops=max wiops=max"),
                    false => format!("{device} 0"),
                },
                str::to_owned,
            ))
        }
        _ => Some(now.trim().to_owned()),
    }
}

const NO_LIMIT: u64 = 1 << 62;

fn there_are(file: &str) -> String {
    fs::read_to_string(file).map_or_else(|_| "others".into(), |text| text.trim().to_owned())
}

fn no_group(parent: &Path, error: &io::Error) -> Error {
    Error::from_io(Step::Cgroup, format!("a group in {}", parent.display()), error).with_hint(
        "the group must be yours: run as root, or in a unit with Delegate=yes (systemd-run --user --scope -p Delegate=yes ...); \
         without any, rlimits and the sizes of tmpfs still limit",
    )
}

/// Makes the directory, and takes away those of hosts that have died.
fn make(parent: &Path, name: &str) -> io::Result<PathBuf> {
    sweep(parent);
    let directory = parent.join(name);
    fs::create_dir(&directory)?;
    Ok(directory)
}

const PREFIX: &str = "nsiso-";

/// The owner's pid, the time it was started and the pid namespace that both are of, so that whoever comes later can tell whether it is alive;
/// and what is ours alone.
fn name() -> String {
    let pid = std::process::id();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    // SAFETY: no arguments.
    let thread = unsafe { libc::gettid() };
    format!("{PREFIX}{pid}.{}.{}-{now:x}-{thread}", started(pid).unwrap_or(0), pid_namespace().unwrap_or(0))
}

fn pid_namespace() -> Option<u64> {
    own_inode(kind::PID).ok()
}

fn started(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may have anything in it.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some([pid, start, namespace]) = name.to_str().and_then(owner) else { continue };
        // Nothing is known of those in other pid namespaces.
        if pid_namespace() == Some(namespace) && started(pid as u32) != Some(start) && !gone(&entry.path()) {
            // Whoever still runs in it keeps it; but nobody is left to thaw it.
            let _ = write(&entry.path().join("cgroup.freeze"), "0");
            let _ = write(&entry.path().join("freezer.state"), "THAWED");
        }
    }
}

/// The numbers of whoever made a group.
fn owner(name: &str) -> Option<[u64; 3]> {
    let mut numbers = name.strip_prefix(PREFIX)?.split_once('-')?.0.split('.').map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let own = owner(&name()).unwrap();
        assert_eq!(own[0], u64::from(std::process::id()));
        assert_eq!((Some(own[1]), Some(own[2])), (started(std::process::id()), pid_namespace()));
        for other in ["nsiso-", "nsiso-x.1.2-3", "nsiso-1.2-3", "docker-1.2.3-4"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }
}
