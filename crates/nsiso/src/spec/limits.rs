//! [`Limits`]: limits on the program and its descendants together, `cgroups(7)`. The `cgroup`
//! module creates the cgroup and enforces them.

use std::ffi::CString;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Spec;
use crate::{Error, Result, Step};

/// Resource limits for the program and its descendants, enforced by a cgroup created for it.
///
/// By default nothing is limited. Each limit is enforced by version 1 or 2 of cgroups, whichever
/// has its controller on this machine. [`Spec::spawn`] fails with ENOTSUP if neither can enforce
/// it. A limit that is set again replaces the former value.
///
/// ```
/// use nsiso::{Limits, Spec};
///
/// let limits = Limits::new().memory(256 << 20).cpu(0.5)?.pids(50);
/// let mut spec = Spec::new("make")?;
/// spec.limits(limits);
/// # Ok::<(), nsiso::Error>(())
/// ```
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
    /// The major and minor number of the device, and its limits.
    Io(u32, u32, Io),
    /// The page size, such as `2MB`, and bytes.
    HugePages(String, u64),
}

/// Limits of a block device, per second. `None` means no limit; 0 is refused, see [`Limits::io`].
///
/// ```
/// use nsiso::{Io, Limits};
///
/// // The disk with this major and minor number.
/// let limits = Limits::new().io("8:0", Io { wbps: Some(10 << 20), ..Io::default() })?;
/// let error = Limits::new().io("8:0", Io { riops: Some(0), ..Io::default() }).unwrap_err();
/// assert_eq!(error.errno(), libc::EINVAL);
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes read per second.
    pub rbps: Option<u64>,
    /// Bytes written per second.
    pub wbps: Option<u64>,
    /// Read operations per second.
    pub riops: Option<u64>,
    /// Write operations per second.
    pub wiops: Option<u64>,
}

impl Limits {
    /// Makes limits that limit nothing.
    pub fn new() -> Self {
        Limits::default()
    }

    pub(crate) fn memory_limit(&self) -> Option<u64> {
        self.settings.iter().find_map(|setting| match setting {
            Setting::Memory(bytes) => Some(*bytes),
            _ => None,
        })
    }

    /// Limits memory, in bytes.
    ///
    /// When the cgroup reaches the limit and the kernel cannot reclaim memory, the OOM killer kills
    /// a process in it: see [`Status::out_of_memory`](crate::Status::out_of_memory). Controller:
    /// memory.
    pub fn memory(self, bytes: u64) -> Self {
        self.with(Setting::Memory(bytes))
    }

    /// Slows the processes down when they use more memory than this, in bytes.
    ///
    /// The kernel reclaims memory of the cgroup, but does not kill. Version 2 only: ENOTSUP at the
    /// spawn on version 1. Controller: memory.
    pub fn memory_high(self, bytes: u64) -> Self {
        self.with(Setting::MemoryHigh(bytes))
    }

    /// Protects this much memory from reclaim for other cgroups, in bytes.
    ///
    /// Version 2 only: ENOTSUP at the spawn on version 1. Controller: memory.
    pub fn memory_low(self, bytes: u64) -> Self {
        self.with(Setting::MemoryLow(bytes))
    }

    /// Limits swap, in bytes.
    ///
    /// Version 1 limits memory and swap together, so [`Limits::memory`] must be set too: ENOTSUP at
    /// the spawn otherwise. ENOENT at the spawn: the kernel does not account swap (version 1 needs
    /// `swapaccount=1`). Controller: memory.
    pub fn swap(self, bytes: u64) -> Self {
        self.with(Setting::Swap(bytes))
    }

    /// Limits processor time, in processors: 0.5 is half of one, 2.0 is two.
    ///
    /// The limit applies to each period of 100 ms. The kernel takes at least 1 ms of a period, so
    /// values below 0.01 act as 0.01. EINVAL: the value is not in the range 0.001 to 100,000.
    /// Controller: cpu.
    pub fn cpu(self, processors: f64) -> Result<Self> {
        match processors {
            0.001..=100_000.0 => Ok(self.with(Setting::Cpu((processors * 1000.0).round() as u64))),
            _ => Err(Error::argument(format!("{processors} is no share of processors: 0.001 to 100000"))),
        }
    }

    /// Sets the share of processor time relative to other cgroups that compete for it.
    ///
    /// Default: 100. EINVAL: the weight is not in the range 1 to 10,000. Controller: cpu.
    pub fn cpu_weight(self, weight: u64) -> Result<Self> {
        match weight {
            1..=10_000 => Ok(self.with(Setting::CpuWeight(weight))),
            _ => Err(Error::argument(format!("{weight} is no weight: 1 to 10000"))),
        }
    }

    /// Limits the processors to run on, given as a list such as `0-2,7`, `cpuset(7)`.
    ///
    /// EINVAL: the text is not such a list, or, at the spawn, it names a processor that does not
    /// exist. Controller: cpuset.
    pub fn cpus(self, list: &str) -> Result<Self> {
        match list.is_empty()
            || list.contains(|letter: char| !letter.is_ascii_digit() && !",-".contains(letter))
        {
            true => Err(Error::argument(format!("{list:?} is no list of processors, like 0-2,7"))),
            false => Ok(self.with(Setting::Cpus(list.into()))),
        }
    }

    /// Limits the number of processes and threads.
    ///
    /// Beyond the limit `fork(2)` fails with EAGAIN. Controller: pids.
    pub fn pids(self, count: u64) -> Self {
        self.with(Setting::Pids(count))
    }

    /// Limits the transfer rates of a block device.
    ///
    /// `device` is its device file (`/dev/vda`), or a file or directory on it. A partition stands
    /// for its disk, since the kernel limits whole disks only. EINVAL: a rate is 0 (version 1 takes
    /// 0 for no limit), or `device` is on no block device. ENOENT: it does not exist. Controller:
    /// io, blkio on version 1.
    pub fn io(self, device: impl AsRef<Path>, io: Io) -> Result<Self> {
        let path = device.as_ref();
        if let Some(numbers) = path.to_str().and_then(device_numbers) {
            return self.io_of(numbers, io);
        }
        let about =
            std::fs::metadata(path).map_err(|error| Error::from_io(Step::Limit, path.display(), &error))?;
        let is_device = about.st_mode() & libc::S_IFMT == libc::S_IFBLK;
        let number = if is_device { about.st_rdev() } else { about.st_dev() };
        let device = (libc::major(number), libc::minor(number));
        if device.0 == 0 {
            return Err(Error::argument(format!("{} is on no block device", path.display())));
        }
        self.io_of(disk_of(device).unwrap_or(device), io)
    }

    fn io_of(self, (major, minor): (u32, u32), io: Io) -> Result<Self> {
        if [io.rbps, io.wbps, io.riops, io.wiops].contains(&Some(0)) {
            return Err(Error::argument(
                "0 per second is no limit of a disk: version 1 of cgroups takes it for none",
            ));
        }
        Ok(self.with(Setting::Io(major, minor, io)))
    }

    /// Limits huge pages of one size, such as `2MB` or `1GB`, in bytes.
    ///
    /// EINVAL: `size` is not letters and digits. ENOENT at the spawn: the kernel has no huge pages
    /// of this size. Controller: hugetlb.
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

/// The numbers of a device that is given as `MAJOR:MINOR`.
fn device_numbers(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The disk that a partition is on: the kernel limits whole disks only.
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
    /// Limits terminals and inotify, which all processes of the user share on the whole machine.
    pub few_user_resources: bool,
}

impl Spec<'_> {
    /// Limits the resources of the program and its descendants, by a cgroup created for it.
    ///
    /// The cgroup is removed when the program has been waited for; processes still in it are
    /// killed. A cgroup left behind by a caller that died is removed by the next call that uses
    /// limits.
    ///
    /// The cgroup is created below the nearest one, from the caller's own upwards, that can be
    /// used: any for root, and for an ordinary user one that is delegated (`Delegate=yes`,
    /// `systemd.resource-control(5)`). [`Spec::cgroup_parent`] chooses another parent.
    ///
    /// ENOTSUP at the spawn: no mounted controller enforces a limit, or no cgroups are mounted.
    /// EACCES at the spawn: the caller may not create a cgroup there, or may not move the program
    /// into it.
    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.resources.limits = Some(limits);
        self
    }

    /// Sets the cgroup of version 2 below which the program's cgroup is created.
    ///
    /// `path` is a directory of a mounted cgroup2. By default the parent is found as
    /// [`Spec::limits`] says. Has an effect only with [`Spec::limits`]. EINVAL: the path has a NUL
    /// byte in it, or, at the spawn, is not a directory of a cgroup2.
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
