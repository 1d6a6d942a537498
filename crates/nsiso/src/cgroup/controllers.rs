//! Writes limits to a cgroup, before and while a program is in it. `files` says which files a limit
//! is in.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::write;
use super::group::Group;
use crate::spec::{Limits, Setting};
use crate::{Error, Result, Step};

impl Group {
    /// Writes limits, also to a cgroup that is in use. If one fails, the former values are
    /// restored.
    pub fn set(&self, limits: &Limits) -> Result<()> {
        let mut changed = Vec::new();
        self.write(limits, &mut changed).inspect_err(|_| {
            for (path, text) in changed.iter().rev() {
                let _ = write(path, text);
            }
        })
    }

    /// Writes limits and adds the former value of each file to `changed`.
    fn write(&self, limits: &Limits, changed: &mut Vec<(PathBuf, String)>) -> Result<()> {
        let memory = limits.memory_limit();
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

    /// Orders the settings of version 1, which limits memory and the sum of memory and swap. Memory
    /// may not exceed the sum, so the sum is written first where it grows. If only memory is set,
    /// the sum moves with it, so that the limit of swap stays.
    fn ordered(&self, limits: &Limits) -> Vec<Setting> {
        let mut settings = limits.settings.clone();
        let Some((directory, false)) = self.directory("memory") else { return settings };
        let read = |file: &str| -> Option<u64> {
            fs::read_to_string(directory.join(file)).ok()?.trim().parse().ok()
        };
        let memory = limits.memory_limit();
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

    /// Fills an empty cpuset of version 1 from its parent: no process can join without processors
    /// and memory nodes.
    pub(super) fn seat_cpuset(&self) {
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
}

/// The text that restores the current value of a file. Files about devices have a line for each
/// device.
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

/// Version 1 reports no limit as a number above this, the largest multiple of the page size.
const NO_LIMIT: u64 = 1 << 62;

fn there_are(file: &str) -> String {
    fs::read_to_string(file).map_or_else(|_| "others".into(), |text| text.trim().to_owned())
}
