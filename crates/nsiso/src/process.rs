//! Defines [`Process`], a started program: waiting, signals, its cgroup, and what the caller takes
//! from it. `process/detached.rs` reaps processes whose [`Process`] was dropped.

mod deadline;
mod detached;
mod overdue;

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
use deadline::Deadline;
use detached::Detached;

/// How often a waiter looks after detached processes.
const LOOK_AFTER: Duration = Duration::from_millis(100);

/// The longest time that another thread's reaping of the process may take.
const REAPING: Duration = Duration::from_millis(500);

/// A process started by [`Spec::spawn`](crate::Spec::spawn).
///
/// Its methods may be called from several threads at the same time.
///
/// Dropping it neither kills the process nor waits for it: the process is detached and runs on, in
/// its cgroup. When it has ended, the next spawn, finished wait or drop of any [`Process`] in the
/// caller reaps it and removes its cgroup; processes still in that cgroup are killed. Until then
/// the library keeps the pidfd. A copy of the caller that `fork(2)` made does neither.
///
/// ```
/// use std::time::Duration;
/// use nsiso::Spec;
///
/// let process = Spec::new("sleep")?.arg("60")?.spawn()?;
/// if process.wait_timeout(Duration::from_millis(10))?.is_none() {
///     process.kill()?;
/// }
/// assert_eq!(process.wait()?.code(), None);
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Debug)]
pub struct Process {
    /// The pid of the calling process, to recognize a copy made by fork(2).
    host: u32,
    pid: i32,
    pidfd: Arc<OwnedFd>,
    ends: Ends,
    /// The program's cgroup, until the process has been waited for.
    group: Mutex<Option<Group>>,
    attachments: Mutex<Attachments>,
    /// The deadline of the init process.
    deadline: Deadline,
    /// The kernel reports the status only once, so the first waiter stores it for all others.
    status: Mutex<Option<Box<Status>>>,
}

impl Process {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd, mut ends: Ends) -> Self {
        let group = Mutex::new(ends.group.take());
        let (host, pidfd) = (std::process::id(), Arc::new(pidfd));
        Process {
            host,
            pid,
            pidfd,
            ends,
            group,
            attachments: Mutex::default(),
            deadline: Deadline::default(),
            status: Mutex::new(None),
        }
    }

    /// Returns the process with the deadline of its init process, which was started after `begun`.
    pub(crate) fn due_after(mut self, deadline: Option<Duration>, begun: Instant) -> Self {
        self.deadline = Deadline::after(deadline, begun);
        self
    }

    /// Returns the process with its links, devices and uplink.
    pub(crate) fn with(mut self, attachments: Attachments) -> Self {
        self.attachments = Mutex::new(attachments);
        self
    }

    /// The process id in the caller's pid namespace.
    ///
    /// The kernel may reuse it after the process has been reaped. For signals and waiting use the
    /// methods here, which cannot reach another process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The pidfd of the process.
    ///
    /// It becomes readable for `poll(2)`, `select(2)` and `epoll(7)` when the process has ended.
    /// `pidfd_open(2)`.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Takes the caller's end of the pipe at the program's descriptor 0, 1 or 2.
    ///
    /// None if there is no pipe at that number, or if it has been taken already. See
    /// [`Spec::stdio`](crate::Spec::stdio).
    pub fn take_pipe(&mut self, child_fd: i32) -> Option<OwnedFd> {
        self.ends.standard.get_mut(usize::try_from(child_fd).ok()?)?.take()
    }

    /// Takes the caller's end of the program's pseudo-terminal, `pty(7)`.
    ///
    /// None without [`Spec::pty`](crate::Spec::pty), or if it has been taken already.
    pub fn take_pty(&mut self) -> Option<OwnedFd> {
        self.ends.pty.take()
    }

    /// Takes the seccomp notification descriptor, `seccomp_unotify(2)`.
    ///
    /// It becomes readable when the program waits for an answer. None without
    /// [`Spec::seccomp_notify`](crate::Spec::seccomp_notify), or if it has been taken already.
    pub fn take_notify(&mut self) -> Option<OwnedFd> {
        self.ends.received.take()
    }

    /// Takes the handles of the namespaces that the spec keeps open.
    pub(crate) fn take_held(&mut self) -> Vec<Handle> {
        std::mem::take(&mut self.ends.held)
    }

    /// Waits until the process has ended, and returns its status.
    ///
    /// Later calls return the same status at once. [`Status`] says who reports it.
    ///
    /// ECHILD if the status is lost: the caller ignores SIGCHLD, or another part of it has reaped
    /// the process, on a kernel before Linux 6.15. With [`Spec::init`](crate::Spec::init) the
    /// status of the program is not lost in this way.
    pub fn wait(&self) -> Result<Status> {
        loop {
            if let Some(status) = self.wait_until(None)? {
                return Ok(status);
            }
        }
    }

    /// Waits at most `timeout` until the process has ended. None if it still runs then.
    ///
    /// Fails as [`Process::wait`] does.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<Status>> {
        // A time beyond the range of the clock means no limit.
        self.wait_until(Instant::now().checked_add(timeout))
    }

    /// Returns the status if the process has ended, without waiting. None if it runs.
    ///
    /// Fails as [`Process::wait`] does.
    pub fn try_wait(&self) -> Result<Option<Status>> {
        self.wait_timeout(Duration::ZERO)
    }

    /// Sends a signal to the process. Signal 0 only checks whether a signal could be sent.
    ///
    /// ESRCH once the process has been reaped. EINVAL if the number is not a signal's. EPERM if the
    /// process runs as another user. `pidfd_send_signal(2)`.
    pub fn signal(&self, signal: i32) -> Result<()> {
        // The lock prevents another thread from reaping the process meanwhile.
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

    /// Kills the process with SIGKILL.
    ///
    /// If it is the first process of a pid namespace, the kernel kills all processes in that
    /// namespace. Use [`Process::kill_group`] to kill the program's cgroup. Fails as
    /// [`Process::signal`] does.
    pub fn kill(&self) -> Result<()> {
        self.signal(libc::SIGKILL)
    }

    /// The resources that all processes in the program's cgroup use now, or have used once the
    /// process has been waited for.
    ///
    /// ENOTSUP without [`Spec::limits`](crate::Spec::limits). `cgroups(7)`.
    pub fn resources(&self) -> Result<Resources> {
        if let Some(group) = &*self.group() {
            return Ok(group.resources());
        }
        self.in_the_end().ok_or_else(|| self.no_group())
    }

    /// Changes limits of the program's cgroup while the program runs. Limits that are not set in
    /// `limits` stay unchanged.
    ///
    /// If one limit cannot be set, all are restored. ESRCH once the process has been waited for.
    /// ENOTSUP without [`Spec::limits`](crate::Spec::limits), or if a limit needs a controller that
    /// the cgroup does not have. EINVAL if a value is out of range. EBUSY if more is in use than
    /// the limit allows.
    pub fn set_limits(&self, limits: &Limits) -> Result<()> {
        self.of_group(|group| group.set(limits))
    }

    /// Stops all processes in the program's cgroup, or continues them. Returns when all have
    /// stopped.
    ///
    /// An init process ([`Spec::init`](crate::Spec::init)) stops, too: its deadline and the death
    /// of the caller take effect only when the cgroup continues, or is killed by
    /// [`Process::kill_group`].
    ///
    /// ESRCH once the process has been waited for. ENOTSUP without
    /// [`Spec::limits`](crate::Spec::limits), or if the cgroup has neither version 2 nor the
    /// freezer of version 1. ETIMEDOUT if a process does not stop within two seconds, as one that
    /// waits for a disk. `cgroups(7)`.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        self.of_group(|group| group.freeze(frozen))?;
        self.deadline.hold(frozen);
        Ok(())
    }

    /// Kills all processes in the program's cgroup at once, with SIGKILL. Succeeds without effect
    /// once the process has been waited for.
    ///
    /// ENOTSUP without [`Spec::limits`](crate::Spec::limits).
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
        // The status is locked after the lock on the group is released: a waiter takes the locks in
        // the opposite order.
        Err(self.no_group())
    }

    /// The final resource usage of the cgroup, once the process has been waited for.
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
        Error::new(Step::Cgroup, errno, format!("a cgroup of process {}", self.pid)).with_hint(hint)
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Result<Option<Status>> {
        loop {
            if let Some(status) = &*self.status.lock().unwrap_or_else(PoisonError::into_inner) {
                return Ok(Some(**status));
            }
            let ended = self.poll(deadline)?;
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            if status.is_none() && ended {
                *status = self.reap()?.map(|status| Box::new(self.release(status)));
            }
            if status.is_some() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(status.as_deref().copied());
            }
            drop(status);
            if ended {
                // A process that is traced shows its end to the debugger first.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Waits until the process ends or the deadline passes; returns whether it has ended.
    ///
    /// A program may keep the init process from ending the namespace in time, so a waiter kills an
    /// init process that is overdue.
    fn poll(&self, deadline: Option<Instant>) -> Result<bool> {
        loop {
            // The init process of a pid namespace ends only after its zombies, of which some may be
            // detached processes of this caller.
            detached::reap_ended();
            let reap_again = detached::any().then(|| Instant::now() + LOOK_AFTER);
            let wake_up = [deadline, self.deadline.next_kill(), reap_again].into_iter().flatten().min();
            let timeout = match wake_up {
                None => PollTimeout::NONE,
                // Rounded up, so that the last millisecond is not spent on many short waits.
                Some(time) => {
                    let left = time.saturating_duration_since(Instant::now());
                    PollTimeout::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
                }
            };
            match poll(&mut [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) => {
                    self.kill_overdue();
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Ok(false);
                    }
                }
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.failed(errno as i32)),
            }
        }
    }

    /// Kills an overdue init process and its descendants, if it is time to.
    fn kill_overdue(&self) {
        self.deadline.at_next_kill(|| {
            // The lock prevents another thread from reaping the process, whose pid would be free
            // then.
            let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            let killed = status.is_none() && send_signal(self.pidfd.as_fd(), self.pid, libc::SIGKILL).is_ok();
            if killed {
                overdue::let_run(self.pid);
                overdue::kill_descendants(self.pid);
            }
            killed
        });
    }

    /// Reaps a process that has ended and returns its status. With an init process, this is the
    /// status that the init process reported about the program.
    fn reap(&self) -> Result<Option<Status>> {
        let reaped = self.reap_child();
        let (Some(report), false) = (&self.ends.report, matches!(reaped, Ok(None))) else { return reaped };
        let own = reaped.as_ref().ok().and_then(|status| status.as_ref()).map(Status::exit);
        if let Some(status) = Report::read(report, own) {
            return Ok(Some(status));
        }
        // The init process was killed, or could not report that it has killed all others.
        const KILLED_ALL: Exit = Exit::Code(128 + libc::SIGKILL);
        let timed_out = self.deadline.has_killed() || self.deadline.has_expired() && own == Some(KILLED_ALL);
        reaped.map(|status| status.map(|status| Status { timed_out, ..status }))
    }

    /// To be called when the program runs. Drops what would undo a failed spawn.
    pub(crate) fn started(&self) {
        detached::reap_ended();
        self.attachments.lock().unwrap_or_else(PoisonError::into_inner).devices.clear();
    }

    /// Takes the links, devices and uplink. The caller of this function ends them.
    fn attachments(&self) -> Attachments {
        std::mem::take(&mut *self.attachments.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends what belongs to a process that has ended: its links, its uplink, and its cgroup with
    /// the processes still in it.
    fn release(&self, mut status: Status) -> Status {
        self.attachments().end();
        if let Some(group) = self.group().take() {
            status.resources = Some(group.resources());
        }
        detached::reap_ended();
        status
    }

    fn reap_child(&self) -> Result<Option<Status>> {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // A child that has not executed a program has no exit signal, and is only found with
        // __WALL.
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        // SAFETY: both structs are valid for writing, and all zeros is a valid value of both.
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
            // SAFETY: waitid has filled in the fields of a child, or left zeros.
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

    /// The status of a process that another part of the caller has reaped, or that the kernel has
    /// reaped because the caller ignores SIGCHLD. Since Linux 6.15 the pidfd still reports it, from
    /// a moment after waitid(2) has ceased to find the process.
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
        let hint = match self.host == std::process::id() {
            true => {
                "the exit status is lost: this process ignores SIGCHLD or another part of it waits for all \
                 children, and the kernel (before Linux 6.15) keeps no status for the pidfd"
            }
            false => "this process is a fork of the caller, and only the caller can wait for the program",
        };
        Err(self.failed(libc::ECHILD).with_hint(hint))
    }

    fn failed(&self, errno: i32) -> Error {
        Error::new(Step::Wait, errno, format!("process {}", self.pid))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.get_mut().unwrap_or_else(PoisonError::into_inner).is_none() {
            let (group, attachments) = (self.group().take(), self.attachments());
            Detached::new(self.host, self.pidfd.clone(), group, attachments).settle();
        }
        detached::reap_ended();
    }
}
