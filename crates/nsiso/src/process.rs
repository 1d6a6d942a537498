//! A started process: wait for it, signal it, detach it.

mod detached;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::attachments::Attachments;
use crate::cgroup::{Group, Resources};
use crate::error::Step;
use crate::pidfd::{exit_of, send_signal};
use crate::plan::Ends;
use crate::status::{Exit, Report, Status, Usage};
use crate::{Error, Handle, Limits, Result};
use detached::Detached;

/// How long another thread's reaping of our process may take.
const REAPING: Duration = Duration::from_millis(500);

/// A process started by [`Spec::spawn`](crate::Spec::spawn).
///
/// Its methods may be called from many threads at a time.
///
/// Dropping it neither kills the process nor waits for it: the process is detached and runs on, in
/// its cgroup. When it has ended, the next spawn, finished wait or drop of any [`Process`] in the
/// caller reaps it and removes its cgroup; processes left in that cgroup are killed. Until then the
/// library keeps the pidfd. A copy of the caller that `fork(2)` made does neither.
#[derive(Debug)]
pub struct Process {
    /// The caller's own pid.
    host: u32,
    pid: i32,
    pidfd: Arc<OwnedFd>,
    ends: Ends,
    /// Until it has ended.
    group: Mutex<Option<Group>>,
    outside: Mutex<Attachments>,
    /// The kernel tells the status once, so the first to hear it keeps it for all.
    status: Mutex<Option<Box<Status>>>,
}

impl Process {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd, mut ends: Ends) -> Self {
        let group = Mutex::new(ends.group.take());
        let (host, pidfd) = (std::process::id(), Arc::new(pidfd));
        Process { host, pid, pidfd, ends, group, outside: Mutex::default(), status: Mutex::new(None) }
    }

    /// With its ways to the outside.
    pub(crate) fn with(mut self, outside: Attachments) -> Self {
        self.outside = Mutex::new(outside);
        self
    }

    /// The process id in the caller's pid namespace. For signals and waiting use the methods here:
    /// they cannot hit another process that got the same id later.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The process's pidfd, `pidfd_open(2)`: readable for `poll(2)` and its kin once the process has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Takes the caller's end of the pipe at the program's descriptor 0, 1 or 2, if there is one
    /// and it has not been taken.
    pub fn take_pipe(&mut self, child_fd: i32) -> Option<OwnedFd> {
        self.ends.standard.get_mut(usize::try_from(child_fd).ok()?)?.take()
    }

    /// Takes the host's end of the program's terminal, [`Spec::pty`](crate::Spec::pty), if there is one and it has not been taken.
    pub fn take_pty(&mut self) -> Option<OwnedFd> {
        self.ends.pty.take()
    }

    /// Takes the host's end of [`Spec::seccomp_notify`](crate::Spec::seccomp_notify): readable when the program waits for an answer.
    pub fn take_notify(&mut self) -> Option<OwnedFd> {
        self.ends.received.take()
    }

    /// The namespaces that were to be held.
    pub(crate) fn take_held(&mut self) -> Vec<Handle> {
        std::mem::take(&mut self.ends.held)
    }

    /// Waits until the process has ended. [`Status`] says whose word the status is.
    pub fn wait(&self) -> Result<Status> {
        loop {
            if let Some(status) = self.wait_until(None)? {
                return Ok(status);
            }
        }
    }

    /// Waits until the process has ended or the time is up: then there is no status yet.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<Status>> {
        // A time too far away for the clock is no limit.
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// The status, if the process has ended.
    pub fn try_wait(&self) -> Result<Option<Status>> {
        self.wait_timeout(Duration::ZERO)
    }

    /// Sends a signal; 0 only asks whether it could be sent. ESRCH once the process has been reaped.
    pub fn signal(&self, signal: i32) -> Result<()> {
        // While it is locked, the status is not collected here.
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = match *status {
            None => send_signal(self.pidfd.as_fd(), self.pid, signal),
            Some(_) => Err(Errno::ESRCH),
        };
        drop(status);
        let Err(errno) = sent else { return Ok(()) };
        let object = format!("process {} with signal {signal}", self.pid);
        let error = Error::new(Step::Signal, errno as i32, object);
        Err(match error.errno() {
            libc::ESRCH => error.with_hint("the process has ended and its status was collected"),
            libc::EINVAL => error.with_hint("signals have numbers from 1 to 64"),
            libc::EPERM => error.with_hint("the process runs as another user than the caller"),
            _ => error,
        })
    }

    /// Kills the process, and with the first process of a pid namespace everything in it.
    pub fn kill(&self) -> Result<()> {
        self.signal(libc::SIGKILL)
    }

    /// What everything in the program's control group uses now; what it has used once it has ended. ENOTSUP without
    /// [`Spec::limits`](crate::Spec::limits).
    pub fn resources(&self) -> Result<Resources> {
        if let Some(group) = &*self.group() {
            return Ok(group.resources());
        }
        self.in_the_end().ok_or_else(|| self.no_group())
    }

    /// Changes limits while it runs; those that are not given stay. ESRCH once it has been waited for.
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.of_group(|group| group.set(limits))
    }

    /// Stops everything in the program's control group, or lets it go on. Returns when all have stopped. ESRCH once it has been waited for.
    /// An init process stops, too: deadlines and the end with the host wait until all go on, or are killed by [`Process::kill_group`].
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        self.of_group(|group| group.freeze(frozen))
    }

    /// Kills everything in the program's control group at once. Once it has been waited for there is nothing left to kill.
    pub fn kill_group(&self) -> Result<()> {
        match self.of_group(Group::kill) {
            Err(_) if self.in_the_end().is_some() => Ok(()),
            killed => killed,
        }
    }

    fn of_group(&self, what: impl FnOnce(&Group) -> Result<()>) -> Result<()> {
        if let Some(group) = &*self.group() {
            return what(group);
        }
        // The status is looked at without the lock: whoever waits takes both in the other order.
        Err(self.no_group())
    }

    /// What its group has used in all, once it has ended.
    fn in_the_end(&self) -> Option<Resources> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.resources
    }

    fn group(&self) -> MutexGuard<'_, Option<Group>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_group(&self) -> Error {
        let (errno, hint) = match self.in_the_end() {
            Some(_) => (libc::ESRCH, "it went when the process had ended"),
            None => (libc::ENOTSUP, "it has none of its own: ask for limits, if only for none of them"),
        };
        Error::new(Step::Cgroup, errno, format!("a control group of process {}", self.pid)).with_hint(hint)
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Result<Option<Status>> {
        loop {
            if let Some(status) = &*self.status.lock().unwrap_or_else(PoisonError::into_inner) {
                return Ok(Some(**status));
            }
            let ended = self.poll(deadline)?;
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            if status.is_none() && ended {
                *status = self.reap()?.map(|status| Box::new(self.let_go(status)));
            }
            if status.is_some() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(status.as_deref().copied());
            }
            drop(status);
            if ended {
                // A debugger holds the status back until it has seen it itself.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Whether the process ends before the deadline.
    fn poll(&self, deadline: Option<Instant>) -> Result<bool> {
        loop {
            let timeout = match deadline {
                None => PollTimeout::NONE,
                // Rounded up, so that the last wait is not spent in many short ones.
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
                }
            };
            match poll(&mut [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.failed(errno as i32)),
            }
        }
    }

    /// Collects the status of a process that has ended. Where there was an init process, it is what
    /// that wrote about the program.
    fn reap(&self) -> Result<Option<Status>> {
        let reaped = self.reap_child();
        let (Some(report), false) = (&self.ends.report, matches!(reaped, Ok(None))) else { return reaped };
        let own = reaped.as_ref().ok().and_then(|status| status.as_ref()).map(Status::exit);
        Report::read(report, own).map_or(reaped, |status| Ok(Some(status)))
    }

    /// The program runs: what was kept in case it could not be started goes.
    pub(crate) fn started(&self) {
        detached::reap_ended();
        self.outside.lock().unwrap_or_else(PoisonError::into_inner).devices.clear();
    }

    /// Its ways to the outside, which are the taker's from now on.
    pub(crate) fn outside(&self) -> Attachments {
        std::mem::take(&mut *self.outside.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The program has ended: its ways to the outside go, and its group with whatever is left in there.
    fn let_go(&self, mut status: Status) -> Status {
        self.outside().end();
        if let Some(group) = self.group().take() {
            status.resources = Some(group.resources());
        }
        detached::reap_ended();
        status
    }

    fn reap_child(&self) -> Result<Option<Status>> {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // A child that never got to exec has no exit signal, and shows only with __WALL.
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        // SAFETY: both structs are valid for writing; all zero is valid for both.
        let (reaped, info, usage) = unsafe {
            let reaped = libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                self.pidfd.as_raw_fd(),
                info.as_mut_ptr(),
                options,
                usage.as_mut_ptr(),
            );
            (reaped, info.assume_init(), usage.assume_init())
        };
        if reaped == 0 {
            // SAFETY: waitid has filled in the part that tells of a child, or left zeros.
            let (pid, value) = unsafe { (info.si_pid(), info.si_status()) };
            if pid == 0 {
                return Ok(None);
            }
            let exit = match info.si_code {
                libc::CLD_EXITED => Exit::Code(value),
                code => Exit::Signal { signal: value, core_dumped: code == libc::CLD_DUMPED },
            };
            return Ok(Some(Status {
                exit,
                usage: Usage::checked(&usage),
                timed_out: false,
                resources: None,
            }));
        }
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::ECHILD) => self.status_of_reaped().map(Some),
            errno => Err(self.failed(errno.unwrap_or(libc::EIO))),
        }
    }

    /// Somebody else has taken the status, or the kernel has, because the host ignores SIGCHLD.
    /// Since Linux 6.15 the pidfd still knows it, a moment after the process has left waitid's sight.
    fn status_of_reaped(&self) -> Result<Status> {
        let deadline = Instant::now() + REAPING;
        loop {
            match exit_of(self.pidfd.as_fd()) {
                Ok(Some(word)) => return Ok(Status::from_wait_status(word)),
                Ok(None) | Err(Errno::ESRCH) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                _ => break,
            }
        }
        Err(self.failed(libc::ECHILD).with_hint(
            "the exit status is lost: this process ignores SIGCHLD or another part of it waits for all \
             children, and the kernel (before Linux 6.15) keeps no status for the pidfd",
        ))
    }

    fn failed(&self, errno: i32) -> Error {
        Error::new(Step::Wait, errno, format!("process {}", self.pid))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.get_mut().unwrap_or_else(PoisonError::into_inner).is_none() {
            let (group, outside) = (self.group().take(), self.outside());
            Detached::new(self.host, self.pidfd.clone(), group, outside).settle();
        }
        detached::reap_ended();
    }
}
