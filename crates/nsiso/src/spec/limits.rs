//! What the program and all its descendants may use together: `cgroups(7)`.

use std::ffi::CString;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Spec;
use crate::{Error, Result, Step};

/// Limits of a control group of the program's own. Nothing is limited at first.
///
/// Each is enforced, by version 1 or 2 of cgroups, whichever has its controller on this machine, or the spawn fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    pub(crate) settings: Vec<Setting>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Setting {
    Memory(u64),
    MemoryHigh(u64),
    MemoryLow(u64),
    Swap(u64),
    /// Thousandths of a processor.
    Cpu(u64),
    CpuWeight(u64),
    Cpus(String),
    Pids(u64),
    /// Of a device, by its numbers.
    Io(u32, u32, Io),
    /// Of one size of pages, such as `2MB`.
    HugePages(String, u64),
}

/// The most that is done per second on a device; None for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes read.
    pub read_bytes: Option<u64>,
    /// Bytes written.
    pub write_bytes: Option<u64>,
    /// Read operations.
    pub reads: Option<u64>,
    /// Write operations.
    pub writes: Option<u64>,
}

impl Limits {
    /// No limits yet.
    pub fn new() -> Self {
        Limits::default()
    }

    pub(crate) fn memory_limit(&self) -> Option<u64> {
        self.settings.iter().find_map(|setting| match setting {
            Setting::Memory(bytes) => Some(*bytes),
            _ => None,
        })
    }

    /// Bytes of memory: beyond them something in the group is killed.
    pub fn memory(self, bytes: u64) -> Self {
        self.with(Setting::Memory(bytes))
    }

    /// Bytes of memory beyond which the group is slowed down. Version 2.
    pub fn memory_high(self, bytes: u64) -> Self {
        self.with(Setting::MemoryHigh(bytes))
    }

    /// Bytes of memory that are not taken from the group for others. Version 2.
    pub fn memory_low(self, bytes: u64) -> Self {
        self.with(Setting::MemoryLow(bytes))
    }

    /// Bytes of swap. On version 1 [`Limits::memory`] goes with it.
    pub fn swap(self, bytes: u64) -> Self {
        self.with(Setting::Swap(bytes))
    }

    /// Processors' worth of time: 0.5 is half of one, 2.0 is two.
    pub fn cpu(self, processors: f64) -> Result<Self> {
        match processors {
            0.001..=100_000.0 => Ok(self.with(Setting::Cpu((processors * 1000.0).round() as u64))),
            _ => Err(Error::argument(format!("{processors} is no share of processors: 0.001 to 100000"))),
        }
    }

    /// The share of time against others that want it, too: 1 to 10000, 100 is usual.
    pub fn cpu_weight(self, weight: u64) -> Result<Self> {
        match weight {
            1..=10_000 => Ok(self.with(Setting::CpuWeight(weight))),
            _ => Err(Error::argument(format!("{weight} is no weight: 1 to 10000"))),
        }
    }

    /// The processors it runs on, as a list like `0-2,7`, `cpuset(7)`.
    pub fn cpus(self, list: &str) -> Result<Self> {
        match list.is_empty()
            || list.contains(|letter: char| !letter.is_ascii_digit() && !",-".contains(letter))
        {
            true => Err(Error::argument(format!("{list:?} is no list of processors, like 0-2,7"))),
            false => Ok(self.with(Setting::Cpus(list.into()))),
        }
    }

    /// Processes and threads.
    pub fn pids(self, count: u64) -> Self {
        self.with(Setting::Pids(count))
    }

    /// What is done on a block device, given by its file (`/dev/vda`) or by a file or directory on it. That of a partition is its disk.
    pub fn io(self, device: impl AsRef<Path>, io: Io) -> Result<Self> {
        let path = device.as_ref();
        if [io.read_bytes, io.write_bytes, io.reads, io.writes].contains(&Some(0)) {
            return Err(Error::argument(
                "0 per second is no limit of a disk: version 1 of cgroups takes it for none",
            ));
        }
        let about =
            std::fs::metadata(path).map_err(|error| Error::from_io(Step::Limit, path.display(), &error))?;
        let is_device = about.st_mode() & libc::S_IFMT == libc::S_IFBLK;
        let number = if is_device { about.st_rdev() } else { about.st_dev() };
        let device = (libc::major(number), libc::minor(number));
        if device.0 == 0 {
            return Err(Error::argument(format!("{} is on no block device", path.display())));
        }
        let (major, minor) = disk_of(device).unwrap_or(device);
        Ok(self.with(Setting::Io(major, minor, io)))
    }

    /// Bytes of huge pages of one size: `2MB`, `1GB`.
    pub fn huge_pages(self, size: &str, bytes: u64) -> Result<Self> {
        match size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            true => Err(Error::argument(format!("{size:?} is no size of huge pages, like 2MB"))),
            false => Ok(self.with(Setting::HugePages(size.into(), bytes))),
        }
    }

    fn with(mut self, setting: Setting) -> Self {
        self.settings.retain(|other| !same_kind(other, &setting));
        self.settings.push(setting);
        self
    }
}

/// The disk that a partition is on: the kernel limits whole disks alone.
fn disk_of((major, minor): (u32, u32)) -> Option<(u32, u32)> {
    let place = format!("/sys/dev/block/{major}:{minor}");
    Path::new(&place).join("partition").exists().then_some(())?;
    let text = std::fs::read_to_string(format!("{place}/../dev")).ok()?;
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn same_kind(one: &Setting, other: &Setting) -> bool {
    match (one, other) {
        (Setting::Io(a, b, _), Setting::Io(c, d, _)) => (a, b) == (c, d),
        (Setting::HugePages(a, _), Setting::HugePages(b, _)) => a == b,
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Resources {
    pub limits: Option<Limits>,
    pub cgroup_parent: Option<PathBuf>,
    pub rlimits: Vec<(u32, libc::rlimit64)>,
    /// Bounds on terminals and inotify, which all processes of the user share on the whole host.
    pub few_user_resources: bool,
}

impl Spec<'_> {
    /// Puts the program into a control group of its own, with these limits. It is removed when the process has ended and been waited
    /// for; what is left in it then is killed.
    ///
    /// The group is made below the nearest group of the caller's that can be used (root's own, or one that is delegated to the
    /// user, `Delegate=yes` of `systemd.resource-control(5)`), or below [`Spec::cgroup_parent`].
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.resources.limits = Some(limits);
        self
    }

    /// The group of version 2 below which the program's group is made: a directory of a mounted cgroup2.
    pub fn cgroup_parent(&mut self, path: impl AsRef<Path>) -> Result<&mut Self> {
        let path: &Path = path.as_ref();
        CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| Error::argument("the path of the parent group has a NUL byte in it"))?;
        self.resources.cgroup_parent = Some(PathBuf::from(path));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_limited_on_its_disk() {
        for entry in std::fs::read_dir("/sys/dev/block").into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let (major, minor) = name.split_once(':').unwrap();
            let disk = disk_of((major.parse().unwrap(), minor.parse().unwrap()));
            assert_eq!(disk.is_some(), entry.path().join("partition").exists(), "{name}");
            assert_eq!(disk.and_then(disk_of), None, "{name}");
        }
    }
}
