//! [`Pressure`]: how long the processes of a cgroup have waited for a resource, as version 2
//! reports it.

use std::path::Path;
use std::time::Duration;

use super::group::Group;

/// How long the processes of a cgroup have waited for one resource (PSI).
///
/// ```no_run
/// use nsiso::{Limits, Spec};
///
/// let process = Spec::new("make")?.limits(Limits::new().memory(1 << 30)).spawn()?;
/// if let Some(pressure) = process.resources()?.memory_pressure {
///     println!("waiting for memory: {} % of the last minute", pressure.some.avg60);
/// }
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Pressure {
    /// The time in which at least one of its processes waited.
    pub some: Stall,
    /// The time in which all of its processes waited, so that no work was done. None if the kernel
    /// does not report it.
    pub full: Option<Stall>,
}

/// Time spent waiting.
///
/// ```
/// use nsiso::Stall;
///
/// let is_short_of_memory = |stall: Stall| stall.avg10 > 20.0;
/// assert!(is_short_of_memory(Stall { avg10: 45.5, ..Stall::default() }));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stall {
    /// Percent of the last 10 seconds.
    pub avg10: f64,
    /// Percent of the last 60 seconds.
    pub avg60: f64,
    /// Percent of the last 300 seconds.
    pub avg300: f64,
    /// The total time since the cgroup was created.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::seconds"))]
    pub total: Duration,
}

impl Group {
    /// Reads a pressure file of version 2, which every cgroup has, whatever its controllers. None
    /// if the kernel does not count pressure.
    pub(super) fn pressure(&self, file: &str) -> Option<Pressure> {
        parse(&std::fs::read_to_string(self.v2().map(|directory: &Path| directory.join(file))?).ok()?)
    }
}

/// Parses "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and the line "full" of the same form.
fn parse(text: &str) -> Option<Pressure> {
    let stall = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        let field = |key: &str| line.split(' ').find_map(|field| field.strip_prefix(key)?.strip_prefix('='));
        let average = |key| field(key)?.parse().ok();
        Some(Stall {
            avg10: average("avg10")?,
            avg60: average("avg60")?,
            avg300: average("avg300")?,
            total: Duration::from_micros(field("total")?.parse().ok()?),
        })
    };
    Some(Pressure { some: stall("some")?, full: stall("full") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_as_the_kernel_writes_it() {
        let text = "some avg10=1.50 avg60=0.25 avg300=0.05 total=2000001\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=7\n";
        let some = Stall { avg10: 1.5, avg60: 0.25, avg300: 0.05, total: Duration::from_micros(2_000_001) };
        let full = Stall { avg10: 0.5, total: Duration::from_micros(7), ..Stall::default() };
        assert_eq!(parse(text), Some(Pressure { some, full: Some(full) }));
        // Linux 5.10 has no line "full" for processors.
        let first = text.lines().next().unwrap();
        assert_eq!(parse(first), Some(Pressure { some, full: None }));
        assert_eq!((parse(""), parse("some total=5")), (None, None));
    }
}
