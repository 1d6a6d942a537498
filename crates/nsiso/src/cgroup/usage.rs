//! [`Resources`]: what the processes of a cgroup use and have used, read from its files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::group::Group;
use super::pressure::Pressure;

/// What the program's cgroup uses now or has used. A value is `None` if no controller counts it.
///
/// ```no_run
/// use nsiso::{Limits, Spec};
///
/// let status = Spec::new("make")?.limits(Limits::new().pids(100)).spawn()?.wait()?;
/// if let Some(bytes) = status.resources().and_then(|resources| resources.peak_memory) {
///     println!("make and its children used {bytes} bytes at most");
/// }
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Resources {
    /// Memory in use now, in bytes.
    pub memory: Option<u64>,
    /// The highest memory use so far, in bytes.
    pub peak_memory: Option<u64>,
    /// The number of processes that the OOM killer has killed in the cgroup.
    pub oom_kills: Option<u64>,
    /// The processor time used so far.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::seconds"))]
    pub cpu_time: Option<Duration>,
    /// The time for which the limit of processor time has stopped the processes.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::seconds"))]
    pub throttled_time: Option<Duration>,
    /// The number of processes and threads now.
    pub pids: Option<u64>,
    /// The bytes read from block devices so far.
    pub read_bytes: Option<u64>,
    /// The bytes written to block devices so far.
    pub written_bytes: Option<u64>,
    /// The time spent waiting for memory: to read it back from swap, or to free some first. Only
    /// version 2 counts pressure.
    pub memory_pressure: Option<Pressure>,
    /// The time spent waiting for a processor. Only version 2 counts pressure.
    pub cpu_pressure: Option<Pressure>,
    /// The time spent waiting for block devices. Only version 2 counts pressure.
    pub io_pressure: Option<Pressure>,
}

impl Group {
    /// Reads the current values.
    pub fn resources(&self) -> Resources {
        let number = |controller, v2: &str, v1: &str| {
            self.read(controller, v2, v1).and_then(|text| text.trim().parse().ok())
        };
        let keyed = |controller, v2: (&str, &str), v1: (&str, &str)| -> Option<u64> {
            let (directory, is_v2) = self.directory(controller)?;
            let (file, key) = if is_v2 { v2 } else { v1 };
            value(&directory.join(file), key)
        };
        let micro = |n: u64| Duration::from_micros(n);
        let cpu = match self.directory("cpuacct").filter(|(_, is_v2)| !is_v2) {
            Some((directory, _)) => {
                let text = fs::read_to_string(directory.join("cpuacct.usage")).ok();
                text.and_then(|text| text.trim().parse().ok()).map(Duration::from_nanos)
            }
            None => {
                self.v2().and_then(|directory| value(&directory.join("cpu.stat"), "usage_usec")).map(micro)
            }
        };
        let throttled = match self.directory("cpu") {
            Some((directory, true)) => value(&directory.join("cpu.stat"), "throttled_usec").map(micro),
            Some((directory, false)) => {
                value(&directory.join("cpu.stat"), "throttled_time").map(Duration::from_nanos)
            }
            None => None,
        };
        let (read, written) = self.io();
        Resources {
            memory: number("memory", "memory.current", "memory.usage_in_bytes"),
            peak_memory: number("memory", "memory.peak", "memory.max_usage_in_bytes"),
            oom_kills: keyed("memory", ("memory.events", "oom_kill"), ("memory.oom_control", "oom_kill")),
            cpu_time: cpu,
            throttled_time: throttled,
            pids: number("pids", "pids.current", "pids.current"),
            read_bytes: read,
            written_bytes: written,
            memory_pressure: self.pressure("memory.pressure"),
            cpu_pressure: self.pressure("cpu.pressure"),
            io_pressure: self.pressure("io.pressure"),
        }
    }

    fn read(&self, controller: &str, v2: &str, v1: &str) -> Option<String> {
        let (directory, is_v2) = self.directory(controller)?;
        fs::read_to_string(directory.join(if is_v2 { v2 } else { v1 })).ok()
    }

    fn io(&self) -> (Option<u64>, Option<u64>) {
        let Some((directory, is_v2)) = self.directory("io") else { return (None, None) };
        let file = if is_v2 { "io.stat" } else { "blkio.throttle.io_service_bytes" };
        let Ok(text) = fs::read_to_string(directory.join(file)) else { return (None, None) };
        // "254:0 rbytes=1 wbytes=2 ..." in version 2, "254:0 Read 1" in version 1.
        let sum = |key: &str, word: &str| {
            let of_line = |line: &str| {
                let mut words = line.split_whitespace().skip(1);
                match is_v2 {
                    true => words.find_map(|field| field.strip_prefix(key)?.parse::<u64>().ok()),
                    false => {
                        words.next().filter(|first| *first == word).and_then(|_| words.next()?.parse().ok())
                    }
                }
            };
            Some(text.lines().filter_map(of_line).sum())
        };
        (sum("rbytes=", "Read"), sum("wbytes=", "Write"))
    }
}

/// The number after a key at the start of a line.
fn value(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}
