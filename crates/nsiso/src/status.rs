//! How a process ended, and what it has used.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use crate::cgroup::Resources;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// It was killed.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Whether a core file was written.
        core_dumped: bool,
    },
}

/// What a process and the children it waited for have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Time on a CPU outside the kernel.
    pub user_time: Duration,
    /// Time on a CPU inside the kernel.
    pub system_time: Duration,
    /// The most physical memory that one of them had at a time, in bytes.
    pub peak_memory: u64,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    pub(crate) exit: Exit,
    pub(crate) usage: Option<Usage>,
    pub(crate) timed_out: bool,
    pub(crate) resources: Option<Resources>,
}

impl Status {
    /// How it ended.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The exit code, unless it was killed.
    pub fn code(&self) -> Option<i32> {
        match self.exit {
            Exit::Code(code) => Some(code),
            Exit::Signal { .. } => None,
        }
    }

    /// What it used; unknown where somebody else in this process reaped it.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether it was killed because its [deadline](crate::Spec::deadline) was over.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// What its control group has used in all, if it had one of its own.
    pub fn resources(&self) -> Option<Resources> {
        self.resources
    }

    /// Whether something in its control group was killed because its memory limit was reached.
    pub fn out_of_memory(&self) -> bool {
        self.resources.and_then(|resources| resources.oom_kills).is_some_and(|kills| kills > 0)
    }

    /// From the status word of `wait(2)`.
    pub(crate) fn from_wait_status(word: i32) -> Self {
        let exit = match libc::WIFSIGNALED(word) {
            true => Exit::Signal { signal: libc::WTERMSIG(word), core_dumped: libc::WCOREDUMP(word) },
            false => Exit::Code(libc::WEXITSTATUS(word)),
        };
        Status { exit, usage: None, timed_out: false, resources: None }
    }
}

/// What the init process writes when the program has ended.
#[repr(C)]
pub(crate) struct Report {
    timed_out: u32,
    status: i32,
    usage: libc::rusage,
}

impl Report {
    /// Nothing if the init process was killed itself. It has ended, so nobody is waited for.
    pub fn read(pipe: &OwnedFd) -> Option<Status> {
        let mut report = std::mem::MaybeUninit::<Report>::uninit();
        let size = size_of::<Report>();
        // SAFETY: room for what is read; all bits are valid.
        let report = unsafe {
            let read = libc::read(pipe.as_raw_fd(), report.as_mut_ptr().cast(), size);
            (read == size as isize).then(|| report.assume_init())?
        };
        let usage = Some(Usage::from(report.usage));
        Some(Status { usage, timed_out: report.timed_out != 0, ..Status::from_wait_status(report.status) })
    }
}

impl From<libc::rusage> for Usage {
    fn from(usage: libc::rusage) -> Self {
        let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
        Usage {
            user_time: time(usage.ru_utime),
            system_time: time(usage.ru_stime),
            peak_memory: usage.ru_maxrss as u64 * 1024,
        }
    }
}
