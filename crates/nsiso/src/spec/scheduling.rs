//! How the kernel schedules the program: nice value, processors, and its rank for the OOM killer.

use super::Spec;
use crate::{Error, Result};

/// Processors have numbers below this.
const CPUS: usize = 8192;

#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduling {
    pub nice: Option<i32>,
    pub oom_score_adj: Option<i32>,
    /// A bit for each processor.
    pub cpus: Option<Vec<u64>>,
}

impl Spec<'_> {
    /// The nice value, -20 to 19, `setpriority(2)`.
    pub fn nice(&mut self, nice: i32) -> Result<&mut Self> {
        in_range("a nice value", nice, -20..=19)?;
        self.scheduling.nice = Some(nice);
        Ok(self)
    }

    /// How willingly the kernel kills the program when memory runs out, -1000 to 1000: `proc_pid_oom_score_adj(5)`.
    pub fn oom_score_adj(&mut self, score: i32) -> Result<&mut Self> {
        in_range("an OOM score", score, -1000..=1000)?;
        self.scheduling.oom_score_adj = Some(score);
        Ok(self)
    }

    /// The processors that the program runs on, `sched_setaffinity(2)`.
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
