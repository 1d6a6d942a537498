//! [`ClockOffset`] and the clock options of a time namespace, `time_namespaces(7)`, checked as the
//! kernel checks them.

use std::time::Duration;

use super::Spec;
use crate::{Error, Kinds, Result};

const NANOS_PER_SEC: i64 = 1_000_000_000;

/// The kernel's `KTIME_SEC_MAX`: the seconds that fit into 63 bits of nanoseconds.
const KTIME_SEC_MAX: i64 = i64::MAX / NANOS_PER_SEC;

/// An offset that a time namespace adds to a clock, `time_namespaces(7)`.
///
/// It has the form of a `struct timespec`: half a second back is −1 s and 500,000,000 ns.
///
/// ```
/// use std::time::Duration;
/// use nsiso::{ClockOffset, Spec};
///
/// let hour = ClockOffset::try_from(Duration::from_secs(3600))?;
/// let mut spec = Spec::new("uptime")?;
/// spec.map_root().boottime(hour)?.monotonic(ClockOffset::new(-1, 500_000_000)?)?;
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockOffset {
    seconds: i64,
    nanoseconds: u32,
}

impl ClockOffset {
    /// Makes an offset of `seconds`, negative for an earlier time, plus `nanoseconds`.
    ///
    /// EINVAL: `nanoseconds` is not in the range 0 to 999,999,999.
    pub fn new(seconds: i64, nanoseconds: u32) -> Result<Self> {
        if i64::from(nanoseconds) >= NANOS_PER_SEC {
            return Err(Error::argument(format!(
                "clock offset: {nanoseconds} nanoseconds are a second or more; half a second back is -1 s and 500000000 ns"
            )));
        }
        Ok(ClockOffset { seconds, nanoseconds })
    }

    /// Returns the whole seconds; negative for an offset back in time.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Returns the nanoseconds that are added to the seconds: 0 to 999,999,999.
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// Checks that the clock stays in the range that the kernel accepts: not negative, and not
    /// later than half its range.
    pub(super) fn check(self, clock: libc::clockid_t) -> Result<()> {
        let now = i128::from(now(clock)) + self.total();
        let latest = i128::from(KTIME_SEC_MAX / 2) * i128::from(NANOS_PER_SEC);
        if now < 0 || now > latest || self.seconds.abs() > KTIME_SEC_MAX {
            return Err(Error::argument(format!(
                "clock offset of {}.{:09} s: the clock inside would be {}",
                self.seconds,
                self.nanoseconds,
                if now < 0 { "before 0" } else { "past the kernel's range" },
            ))
            .with_errno(libc::ERANGE));
        }
        Ok(())
    }

    fn total(self) -> i128 {
        i128::from(self.seconds) * i128::from(NANOS_PER_SEC) + i128::from(self.nanoseconds)
    }
}

impl TryFrom<Duration> for ClockOffset {
    type Error = Error;

    fn try_from(ahead: Duration) -> Result<Self> {
        let seconds = i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX);
        ClockOffset::new(seconds, ahead.subsec_nanos())
    }
}

/// The clock in the caller's time namespace, in nanoseconds.
fn now(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing, and both clocks exist on every kernel.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec * NANOS_PER_SEC + time.tv_nsec
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Clocks {
    pub monotonic: Option<ClockOffset>,
    pub boottime: Option<ClockOffset>,
}

impl Spec<'_> {
    /// Adds `offset` to `CLOCK_MONOTONIC` in the new time namespace.
    ///
    /// Asks for a new time namespace (Linux 5.6). The offset counts from the caller's clock.
    /// ERANGE: the clock would be negative or beyond the kernel's range. See `time_namespaces(7)`.
    pub fn monotonic(&mut self, offset: ClockOffset) -> Result<&mut Self> {
        offset.check(libc::CLOCK_MONOTONIC)?;
        self.clocks.monotonic = Some(offset);
        Ok(self.unshare(Kinds::TIME))
    }

    /// Adds `offset` to `CLOCK_BOOTTIME`, and so to the uptime, in the new time namespace.
    ///
    /// Asks for a new time namespace (Linux 5.6). The offset counts from the caller's clock.
    /// ERANGE: the clock would be negative or beyond the kernel's range. See `time_namespaces(7)`.
    pub fn boottime(&mut self, offset: ClockOffset) -> Result<&mut Self> {
        offset.check(libc::CLOCK_BOOTTIME)?;
        self.clocks.boottime = Some(offset);
        Ok(self.unshare(Kinds::TIME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, nanoseconds: u32) -> Result<()> {
        ClockOffset::new(seconds, nanoseconds)?.check(libc::CLOCK_MONOTONIC)
    }

    #[test]
    fn offsets_that_the_kernel_takes_are_taken() {
        assert!(check(0, 0).is_ok());
        assert!(check(-1, 999_999_999).is_ok());
        assert!(check(KTIME_SEC_MAX / 2 - 10_000_000, 0).is_ok());
    }

    #[test]
    fn offsets_out_of_range_are_told_apart() {
        assert!(check(0, 1_000_000_000).unwrap_err().message().contains("1000000000"));
        assert!(check(-KTIME_SEC_MAX, 0).unwrap_err().message().contains("before 0"));
        assert!(check(KTIME_SEC_MAX, 0).unwrap_err().message().contains("past"));
        assert_eq!(check(i64::MAX, 0).unwrap_err().errno(), libc::ERANGE);
    }
}
