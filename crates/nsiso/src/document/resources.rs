//! Resource limits of a spec document, those of the cgroup and those of the process.

use std::collections::BTreeMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Size;
use super::{At, ByteString};
use crate::spec::Setting;
use crate::{Io, Limits, Result, Spec, UNLIMITED};

/// Limits of the program and its descendants together, enforced by a cgroup. cgroups(7).
///
/// ```
/// use nsiso::Limits;
/// use nsiso::document::LimitsOption;
///
/// let option = LimitsOption::from_value(&serde_json::json!({"memory": "256M", "pids": 50}))?;
/// assert_eq!(option.limits()?, Limits::new().memory(256 << 20).pids(50));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub struct LimitsOption {
    /// Memory; beyond it the kernel kills a process of the cgroup.
    pub memory: Option<Size>,
    /// Memory beyond which the cgroup is slowed down. Version 2.
    pub memory_high: Option<Size>,
    /// Memory that the kernel does not reclaim for others. Version 2.
    pub memory_low: Option<Size>,
    /// Swap space. On version 1 it needs `memory`.
    pub swap: Option<Size>,
    /// Processor time in processors: 0.5 is half of one.
    pub cpu: Option<f64>,
    /// The share of processor time against other cgroups: 1 to 10000, 100 is usual.
    pub cpu_weight: Option<u64>,
    /// The processors that it runs on, as a list such as "0-2,7". cpuset(7).
    pub cpus: Option<String>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Limits of block devices, by device file, by a path on the device, or as "MAJOR:MINOR".
    pub io: Option<BTreeMap<String, IoOption>>,
    /// Huge pages in bytes, by page size such as "2MB".
    pub huge_pages: Option<BTreeMap<String, Size>>,
    /// The cgroup of version 2 in which the program's is made.
    pub parent: Option<ByteString>,
}

/// The most that is done on a block device in a second.
///
/// ```
/// use nsiso::document::{IoOption, LimitsOption, Size};
///
/// let slow = IoOption { wbps: Some(Size(10 << 20)), ..IoOption::default() };
/// let io = Some([("8:0".into(), slow)].into());
/// let limits = LimitsOption { io, ..LimitsOption::default() }.limits()?;
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub struct IoOption {
    /// Bytes read.
    pub rbps: Option<Size>,
    /// Bytes written.
    pub wbps: Option<Size>,
    /// Read operations.
    pub riops: Option<u64>,
    /// Write operations.
    pub wiops: Option<u64>,
}

impl LimitsOption {
    /// Reads limits from an object. EINVAL as for [`super::Document::from_value`].
    pub fn from_value(value: &serde_json::Value) -> Result<Self> {
        super::json::from_value(value)
    }

    /// The limits, without the parent of the cgroup. EINVAL for a value that is not possible.
    pub fn limits(&self) -> Result<Limits> {
        let bytes = |size: Option<Size>| size.map(|size| size.0);
        let mut limits = Limits::new();
        type Setter = fn(Limits, u64) -> Limits;
        let plain: [(Option<u64>, Setter); 5] = [
            (bytes(self.memory), Limits::memory),
            (bytes(self.memory_high), Limits::memory_high),
            (bytes(self.memory_low), Limits::memory_low),
            (bytes(self.swap), Limits::swap),
            (self.pids, Limits::pids),
        ];
        for (value, set) in plain {
            if let Some(value) = value {
                limits = set(limits, value);
            }
        }
        if let Some(processors) = self.cpu {
            limits = limits.cpu(processors).at("cpu")?;
        }
        if let Some(weight) = self.cpu_weight {
            limits = limits.cpu_weight(weight).at("cpu_weight")?;
        }
        if let Some(cpus) = &self.cpus {
            limits = limits.cpus(cpus).at("cpus")?;
        }
        for (device, io) in self.io.iter().flatten() {
            let io = Io { rbps: bytes(io.rbps), wbps: bytes(io.wbps), riops: io.riops, wiops: io.wiops };
            limits = limits.io(device, io).at("io")?;
        }
        for (size, most) in self.huge_pages.iter().flatten() {
            limits = limits.huge_pages(size, most.0).at("huge_pages")?;
        }
        Ok(limits)
    }

    pub(super) fn put(&self, spec: &mut Spec<'static>) -> Result<()> {
        spec.limits(self.limits()?);
        if let Some(parent) = &self.parent {
            spec.cgroup_parent(&parent.0).at("parent")?;
        }
        Ok(())
    }
}

/// A resource limit of a process: a number for both, or a pair of the soft and the hard limit;
/// "unlimited" for none.
///
/// ```
/// use nsiso::document::{Bound, Document, Rlimit, Size};
///
/// let document = Document::from_json(r#"{"rlimits": {"nofile": [64, 128], "as": "512M"}}"#)?;
/// let rlimits = document.rlimits.unwrap();
/// assert_eq!(rlimits["nofile"], Rlimit::Each(Bound::Number(Size(64)), Bound::Number(Size(128))));
/// assert_eq!(rlimits["as"], Rlimit::Both(Bound::Number(Size(512 << 20))));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged, expecting = "expected a number, a size such as \"256M\", \"unlimited\", or a pair of them")]
pub enum Rlimit {
    /// Soft and hard.
    Both(Bound),
    /// Soft, and hard.
    Each(Bound, Bound),
}

/// A number, a size such as "256M", or "unlimited".
///
/// ```
/// use nsiso::document::{Bound, Document, Rlimit, Size, Unlimited};
///
/// let limit = Rlimit::Each(Bound::Number(Size(8 << 20)), Bound::Word(Unlimited::Unlimited));
/// let rlimits = Some([("stack".into(), limit)].into());
/// let document = Document { rlimits, ..Document::default() };
/// assert_eq!(document.to_json(), r#"{"rlimits":{"stack":[8388608,"unlimited"]}}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged)]
pub enum Bound {
    /// A number in the limit's unit.
    Number(Size),
    /// The word "unlimited".
    Word(Unlimited),
}

/// The word "unlimited".
///
/// ```
/// use nsiso::document::{Bound, Document, Rlimit, Unlimited};
///
/// let rlimits = Document::from_json(r#"{"rlimits": {"cpu": "unlimited"}}"#)?.rlimits.unwrap();
/// assert_eq!(rlimits["cpu"], Rlimit::Both(Bound::Word(Unlimited::Unlimited)));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Unlimited {
    /// No limit.
    Unlimited,
}

pub(super) fn put_rlimits(rlimits: &BTreeMap<String, Rlimit>, spec: &mut Spec<'static>) -> Result<()> {
    let number = |bound: &Bound| match bound {
        Bound::Number(Size(number)) => *number,
        Bound::Word(_) => UNLIMITED,
    };
    for (name, limit) in rlimits {
        let (soft, hard) = match limit {
            Rlimit::Both(both) => (both, both),
            Rlimit::Each(soft, hard) => (soft, hard),
        };
        spec.rlimit(name, number(soft), number(hard)).at(name)?;
    }
    Ok(())
}

pub(super) fn limits(spec: &Spec) -> Option<LimitsOption> {
    let parent = spec.resources.cgroup_parent.as_deref().map(|path| path.as_os_str().into());
    // A parent without limits has no effect.
    let Limits { settings } = spec.resources.limits.as_ref()?;
    let mut limits = LimitsOption { parent, ..LimitsOption::default() };
    for setting in settings {
        match setting {
            Setting::Memory(bytes) => limits.memory = Some(Size(*bytes)),
            Setting::MemoryHigh(bytes) => limits.memory_high = Some(Size(*bytes)),
            Setting::MemoryLow(bytes) => limits.memory_low = Some(Size(*bytes)),
            Setting::Swap(bytes) => limits.swap = Some(Size(*bytes)),
            Setting::Cpu(thousandths) => limits.cpu = Some(*thousandths as f64 / 1000.0),
            Setting::CpuWeight(weight) => limits.cpu_weight = Some(*weight),
            Setting::Cpus(cpus) => limits.cpus = Some(cpus.clone()),
            Setting::Pids(count) => limits.pids = Some(*count),
            Setting::Io(major, minor, io) => {
                let io = IoOption {
                    rbps: io.rbps.map(Size),
                    wbps: io.wbps.map(Size),
                    riops: io.riops,
                    wiops: io.wiops,
                };
                let devices = limits.io.get_or_insert_default();
                devices.insert(format!("{major}:{minor}"), io);
            }
            Setting::HugePages(size, bytes) => {
                limits.huge_pages.get_or_insert_default().insert(size.clone(), Size(*bytes));
            }
        }
    }
    Some(limits)
}
