//! The options for how the kernel schedules the program: nice value, processors, and OOM score.

use super::Spec;
use crate::{Error, Result};

/// Processors have numbers below this.
const CPUS: usize = 8192;

#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduling {
    pub nice: Option<i32>,
    pub oom_score_adj: Option<i32>,
    /// One bit for each processor.
    pub cpus: Option<Vec<u64>>,
}

impl Spec<'_> {
    /// Sets the nice value of the program, -20 to 19, `setpriority(2)`.
    ///
    /// Default: the caller's. EINVAL: the value is out of range. EACCES or EPERM at the spawn: a
    /// value below the caller's needs CAP_SYS_NICE in the initial user namespace, or RLIMIT_NICE.
    pub fn nice(&mut self, nice: i32) -> Result<&mut Self> {
        in_range("a nice value", nice, -20..=19)?;
        self.scheduling.nice = Some(nice);
        Ok(self)
    }

    /// Sets how likely the kernel kills the program when memory runs out: -1000 (never) to 1000.
    ///
    /// Default: the caller's. EINVAL: the value is out of range. EACCES at the spawn: a lower value
    /// needs CAP_SYS_RESOURCE in the initial user namespace. See `proc_pid_oom_score_adj(5)`.
    pub fn oom_score_adj(&mut self, score: i32) -> Result<&mut Self> {
        in_range("an OOM score", score, -1000..=1000)?;
        self.scheduling.oom_score_adj = Some(score);
        Ok(self)
    }

    /// Sets the processors that the program may run on, by number, `sched_setaffinity(2)`.
    ///
    /// Default: the caller's. EINVAL: the list is empty, a number is above 8191, or, at the spawn,
    /// the caller may use none of these processors. [`Limits::cpus`](crate::Limits::cpus) binds the
    /// program and all its descendants for good.
    pub fn cpus(&mut self, cpus: &[usize]) -> Result<&mut Self> {
        if cpus.is_empty() {
            return Err(Error::argument("no processor is given"));
        }
        let mut mask = vec![0u64; 1];
        for cpu in cpus {
            if *cpu >= CPUS {
                return Err(Error::argument(format!("there is no processor {cpu}")));
            }
            mask.resize(mask.len().max(cpu / 64 + 1), 0);
            mask[cpu / 64] |= 1 << (cpu % 64);
        }
        self.scheduling.cpus = Some(mask);
        Ok(self)
    }
}

fn in_range(what: &str, value: i32, range: std::ops::RangeInclusive<i32>) -> Result<()> {
    match range.contains(&value) {
        true => Ok(()),
        false => Err(Error::argument(format!("{value} is not {what}: {} to {}", range.start(), range.end()))),
    }
}
