//! Defines how a process ended and what it used, and reads the report of an init process.
//! `process.rs` waits for processes.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use crate::cgroup::Resources;

/// How a process ended: by exit or by a signal.
///
/// ```
/// use nsiso::{Exit, Spec};
///
/// let status = Spec::new("sh")?.args(["-c", "kill -TERM $$"])?.spawn()?.wait()?;
/// assert_eq!(status.exit(), Exit::Signal { signal: libc::SIGTERM, core_dumped: false });
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code, from 0 to 255.
    Code(i32),
    /// It was killed by a signal.
    Signal {
        /// The number of the signal.
        signal: i32,
        /// Whether it dumped core.
        core_dumped: bool,
    },
}

/// The resources that a process and the children that it waited for have used, `getrusage(2)`.
///
/// ```
/// use nsiso::Spec;
///
/// let usage = Spec::new("true")?.spawn()?.wait()?.usage().unwrap();
/// println!("{:?} of CPU time", usage.user_time + usage.system_time);
/// assert!(usage.peak_memory > 0);
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Usage {
    /// The CPU time spent in user mode.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::seconds"))]
    pub user_time: Duration,
    /// The CPU time spent in the kernel.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::seconds"))]
    pub system_time: Duration,
    /// The peak resident memory of the largest of these processes, in bytes.
    pub peak_memory: u64,
}

/// The status of a process that has ended.
///
/// The kernel reports the status of a process, so it is certain. With
/// [`Spec::init`](crate::Spec::init) the init process reports the status of the program. A program
/// that is root inside can write a report in its place, and can end the init process with an exit
/// code of its choice. Then exit, usage and [`Status::timed_out`] are what the program claims. The
/// library ignores a report that cannot be true, and returns the status of the init process itself.
/// [`Status::resources`] and [`Status::out_of_memory`] always come from the kernel.
///
/// ```
/// use std::time::Duration;
/// use nsiso::Spec;
///
/// let mut spec = Spec::new("sleep")?;
/// spec.arg("60")?.map_root().deadline(Duration::from_millis(10))?;
/// let status = spec.spawn()?.wait()?;
/// assert!(status.timed_out() && status.code().is_none());
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    pub(crate) exit: Exit,
    pub(crate) usage: Option<Usage>,
    pub(crate) timed_out: bool,
    pub(crate) resources: Option<Resources>,
}

impl Status {
    /// How the process ended.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The exit code. None if the process was killed by a signal.
    pub fn code(&self) -> Option<i32> {
        match self.exit {
            Exit::Code(code) => Some(code),
            Exit::Signal { .. } => None,
        }
    }

    /// The resources that the process used. None if another part of the caller reaped it.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the init process killed the program because its [deadline](crate::Spec::deadline)
    /// had passed.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// The resources that all processes in the program's cgroup used. None without
    /// [`Spec::limits`](crate::Spec::limits).
    pub fn resources(&self) -> Option<Resources> {
        self.resources
    }

    /// Whether the kernel killed a process in the program's cgroup because the memory limit was
    /// reached.
    ///
    /// Always false without [`Spec::limits`](crate::Spec::limits), or if no memory controller is
    /// available.
    pub fn out_of_memory(&self) -> bool {
        self.resources.and_then(|resources| resources.oom_kills).is_some_and(|kills| kills > 0)
    }

    /// Converts a status word of `wait(2)`.
    pub(crate) fn from_wait_status(word: i32) -> Self {
        let exit = match libc::WIFSIGNALED(word) {
            true => Exit::Signal { signal: libc::WTERMSIG(word), core_dumped: libc::WCOREDUMP(word) },
            false => Exit::Code(libc::WEXITSTATUS(word)),
        };
        Status { exit, usage: None, timed_out: false, resources: None }
    }
}

/// The report that the init process writes when the program has ended.
///
/// A program that is root inside can write to the same pipe, so no field is certain.
#[repr(C)]
pub(crate) struct Report {
    timed_out: u32,
    status: i32,
    usage: libc::rusage,
}

impl Report {
    /// Reads the report and returns the program's status. `own` is the status of the init process
    /// itself, if it is known.
    ///
    /// None if the init process was killed before it wrote, or if the report cannot be true. The
    /// init process has ended, so this never waits.
    pub fn read(pipe: &OwnedFd, own: Option<Exit>) -> Option<Status> {
        let mut report = std::mem::MaybeUninit::<Report>::uninit();
        let size = size_of::<Report>();
        // SAFETY: the report has room for what is read, and any bytes are a valid value of it.
        let report = unsafe {
            let read = libc::read(pipe.as_raw_fd(), report.as_mut_ptr().cast(), size);
            (read == size as isize).then(|| report.assume_init())?
        };
        let (exit, usage) = (exit_of_word(report.status)?, Usage::checked(&report.usage)?);
        // The init process exits with the program's code, or with 128 plus the signal number.
        let code = match exit {
            Exit::Code(code) => code,
            Exit::Signal { signal, .. } => 128 + signal,
        };
        let plausible = report.timed_out <= 1 && own.is_none_or(|own| own == Exit::Code(code));
        let timed_out = report.timed_out == 1;
        plausible.then_some(Status { exit, usage: Some(usage), timed_out, resources: None })
    }
}

/// Converts a status word. None for a word that `wait(2)` never returns for a process that has
/// ended.
fn exit_of_word(word: i32) -> Option<Exit> {
    const CORE: i32 = 0x80;
    const LAST_SIGNAL: i32 = 64;
    match word {
        _ if word & !0xFF00 == 0 => Some(Exit::Code(word >> 8)),
        _ if word & !0xFF == 0 && (1..=LAST_SIGNAL).contains(&(word & !CORE)) => {
            Some(Exit::Signal { signal: word & !CORE, core_dumped: word & CORE != 0 })
        }
        _ => None,
    }
}

impl Usage {
    /// Converts a `struct rusage`. None if a number is negative or too large: a time must fit into
    /// 64 bits as nanoseconds.
    pub(crate) fn checked(usage: &libc::rusage) -> Option<Self> {
        let time = |time: libc::timeval| {
            let (seconds, micros) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_usec).ok()?);
            let time = (micros < 1_000_000).then(|| Duration::new(seconds, micros * 1000))?;
            u64::try_from(time.as_nanos()).is_ok().then_some(time)
        };
        Some(Usage {
            user_time: time(usage.ru_utime)?,
            system_time: time(usage.ru_stime)?,
            peak_memory: u64::try_from(usage.ru_maxrss).ok()?.checked_mul(1024)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Reads a report of zeros that `change` has modified.
    fn read(own: Option<Exit>, change: impl FnOnce(&mut Report)) -> Option<Status> {
        // SAFETY: all zeros is a valid value.
        let mut report: Report = unsafe { std::mem::zeroed() };
        change(&mut report);
        // SAFETY: the struct consists of numbers, without padding.
        let bytes =
            unsafe { std::slice::from_raw_parts((&raw const report).cast::<u8>(), size_of::<Report>()) };
        read_bytes(own, bytes)
    }

    fn read_bytes(own: Option<Exit>, bytes: &[u8]) -> Option<Status> {
        let (pipe, mut end) = std::io::pipe().unwrap();
        end.write_all(bytes).unwrap();
        drop(end);
        Report::read(&pipe.into(), own)
    }

    #[test]
    fn a_true_record_is_believed() {
        let status = read(Some(Exit::Code(137)), |report| {
            (report.timed_out, report.status) = (1, libc::SIGKILL);
            (report.usage.ru_utime.tv_sec, report.usage.ru_utime.tv_usec) = (2, 999_999);
            report.usage.ru_maxrss = 3;
        });
        let usage = Usage {
            user_time: Duration::new(2, 999_999_000),
            system_time: Duration::ZERO,
            peak_memory: 3 << 10,
        };
        let exit = Exit::Signal { signal: libc::SIGKILL, core_dumped: false };
        assert_eq!(status, Some(Status { exit, usage: Some(usage), timed_out: true, resources: None }));
        assert_eq!(read(None, |report| report.status = 42 << 8).and_then(|status| status.code()), Some(42));
        let dumped = Exit::Signal { signal: libc::SIGSEGV, core_dumped: true };
        let told = read(Some(Exit::Code(139)), |report| report.status = libc::SIGSEGV | 0x80);
        assert_eq!(told.map(|status| status.exit()), Some(dumped));
    }

    #[test]
    fn a_record_that_cannot_be_true_is_ignored() {
        let wrong: [fn(&mut Report); 14] = [
            |report| report.usage.ru_utime.tv_usec = 1_000_000,
            |report| report.usage.ru_utime.tv_usec = -1,
            |report| report.usage.ru_stime.tv_usec = i64::MAX as _,
            |report| report.usage.ru_stime.tv_sec = -1,
            |report| report.usage.ru_utime.tv_sec = i64::MAX as _,
            |report| report.usage.ru_utime.tv_sec = i64::MIN as _,
            |report| report.usage.ru_maxrss = -1,
            |report| report.usage.ru_maxrss = i64::MAX as _,
            |report| report.timed_out = 2,
            // Stopped, continued, and invalid words.
            |report| report.status = 0x137F,
            |report| report.status = 0xFFFF,
            |report| report.status = -1,
            |report| report.status = 0x1_0000,
            |report| report.status = 65,
        ];
        for (number, change) in wrong.into_iter().enumerate() {
            assert_eq!(read(None, change), None, "number {number}");
        }
        assert!(read_bytes(None, &[]).is_none() && read_bytes(None, &[0; 151]).is_none());
        assert!(read_bytes(None, &[0xFF; 4096]).is_none());
    }

    #[test]
    fn a_record_must_agree_with_the_end_of_the_init_process() {
        let exit_0 = |own| read(Some(own), |_| ());
        assert!(exit_0(Exit::Code(0)).is_some());
        assert_eq!(exit_0(Exit::Code(7)), None);
        assert_eq!(exit_0(Exit::Signal { signal: libc::SIGKILL, core_dumped: false }), None);
    }
}
