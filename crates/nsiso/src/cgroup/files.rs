//! Translates a limit to the cgroup files of version 1 and version 2, and to the text written to
//! them.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::spec::{Io, Setting};

/// The period of processor time, in microseconds.
const PERIOD: u64 = 100_000;

/// Writes `text` to a cgroup file in one write.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    File::options().write(true).open(path)?.write_all(text.as_bytes())
}

impl Setting {
    /// The controller that enforces the limit, by its name in version 2.
    pub fn controller(&self) -> &'static str {
        match self {
            Setting::Memory(_) | Setting::MemoryHigh(_) | Setting::MemoryLow(_) | Setting::Swap(_) => {
                "memory"
            }
            Setting::Cpu(_) | Setting::CpuWeight(_) => "cpu",
            Setting::Cpus(_) => "cpuset",
            Setting::Pids(_) => "pids",
            Setting::Io(..) => "io",
            Setting::HugePages(..) => "hugetlb",
        }
    }

    /// The file of the limit in version 2, for error messages.
    pub fn name(&self) -> String {
        self.v2().into_iter().map(|(file, _)| file).next().unwrap_or_default()
    }

    /// The files of version 2 and the text written to each.
    pub fn v2(&self) -> Vec<(String, String)> {
        let one = |file: &str, text: String| vec![(file.to_owned(), text)];
        match self {
            Setting::Memory(bytes) => one("memory.max", bytes.to_string()),
            Setting::MemoryHigh(bytes) => one("memory.high", bytes.to_string()),
            Setting::MemoryLow(bytes) => one("memory.low", bytes.to_string()),
            Setting::Swap(bytes) => one("memory.swap.max", bytes.to_string()),
            Setting::Cpu(share) => one("cpu.max", format!("{} {PERIOD}", quota(*share))),
            Setting::CpuWeight(weight) => one("cpu.weight", weight.to_string()),
            Setting::Cpus(list) => one("cpuset.cpus", list.clone()),
            Setting::Pids(count) => one("pids.max", count.to_string()),
            Setting::Io(major, minor, io) => {
                let fields = [("rbps", io.rbps), ("wbps", io.wbps), ("riops", io.riops), ("wiops", io.wiops)];
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(name, limit)| format!("{name}={}", limit.map_or("max".into(), |n| n.to_string())))
                    .collect();
                one("io.max", format!("{major}:{minor} {}", fields.join(" ")))
            }
            Setting::HugePages(size, bytes) => vec![(format!("hugetlb.{size}.max"), bytes.to_string())],
        }
    }

    /// The files of version 1 and the text written to each; none if version 1 has no such limit.
    /// `memory` is the memory limit, which the limit of memory with swap includes.
    pub fn v1(&self, memory: Option<u64>) -> Option<Vec<(String, String)>> {
        let one = |file: &str, text: String| Some(vec![(file.to_owned(), text)]);
        match self {
            Setting::Memory(bytes) => one("memory.limit_in_bytes", bytes.to_string()),
            Setting::MemoryHigh(_) | Setting::MemoryLow(_) => None,
            Setting::Swap(bytes) => {
                one("memory.memsw.limit_in_bytes", bytes.saturating_add(memory?).to_string())
            }
            Setting::Cpu(share) => Some(vec![
                ("cpu.cfs_period_us".into(), PERIOD.to_string()),
                ("cpu.cfs_quota_us".into(), quota(*share).to_string()),
            ]),
            // The default weight of 100 is 1024 in version 1.
            Setting::CpuWeight(weight) => one("cpu.shares", (weight * 1024 / 100).max(2).to_string()),
            Setting::Cpus(list) => one("cpuset.cpus", list.clone()),
            Setting::Pids(count) => one("pids.max", count.to_string()),
            Setting::Io(major, minor, io) => Some(throttles(*major, *minor, io)),
            Setting::HugePages(size, bytes) => {
                Some(vec![(format!("hugetlb.{size}.limit_in_bytes"), bytes.to_string())])
            }
        }
    }
}

/// The name of a controller in version 1.
pub(super) fn v1_name(controller: &str) -> &str {
    match controller {
        "io" => "blkio",
        same => same,
    }
}

/// The quota for a period, in microseconds, from thousandths of a processor. The kernel takes 1000
/// at least.
fn quota(share: u64) -> u64 {
    (share * PERIOD / 1000).max(1000)
}

fn throttles(major: u32, minor: u32, io: &Io) -> Vec<(String, String)> {
    let files =
        [("read_bps", io.rbps), ("write_bps", io.wbps), ("read_iops", io.riops), ("write_iops", io.wiops)];
    files
        .iter()
        .filter_map(|(name, limit)| {
            let file = format!("blkio.throttle.{name}_device");
            limit.map(|limit| (file, format!("{major}:{minor} {limit}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_written_as_each_version_wants_it() {
        assert_eq!(Setting::Cpu(500).v2(), [("cpu.max".into(), "50000 100000".into())]);
        assert_eq!(Setting::Cpu(1).v1(None).unwrap()[1].1, "1000");
        let io = Setting::Io(254, 1, Io { wbps: Some(10), ..Io::default() });
        assert_eq!(io.v2()[0].1, "254:1 rbps=max wbps=10 riops=max wiops=max");
        assert_eq!(io.v1(None).unwrap(), [("blkio.throttle.write_bps_device".into(), "254:1 10".into())]);
        assert_eq!(Setting::Swap(1).v1(Some(4)).unwrap()[0].1, "5");
        assert_eq!((Setting::Swap(1).v1(None), Setting::MemoryHigh(1).v1(None)), (None, None));
    }
}
