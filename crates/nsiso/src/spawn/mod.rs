//! The parent's half: clone the child, do what only the parent may, and learn how it went.

mod attend;
mod clone;
mod diagnosis;
mod dumpable;
mod halt;
mod handed;
mod hold;
mod id_maps;
mod interpreter;
mod pins;
mod signals;
mod uplink;
mod view;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::pidfd::pid_of;
use crate::plan::mailbox::{Second, state};
use crate::plan::{Mailbox, Plan};
use crate::{Error, Process, Result, Spec, Step};
use attend::{Attended, attend};
use dumpable::{Dumpable, Moment};
use signals::SignalsBlocked;

/// A child that shares our memory, or has just stopped doing so.
struct Child {
    pid: i32,
    pidfd: OwnedFd,
    /// To be kept until the memory is released.
    _stack: Option<clone::Stack>,
}

impl Child {
    fn into_process(self) -> Process {
        Process::new(self.pid, self.pidfd, Default::default())
    }

    /// Waits until it has ended.
    fn end(self) {
        // Its stack may go after that.
        let Child { pid, pidfd, _stack } = self;
        let _ = Process::new(pid, pidfd, Default::default()).wait();
    }
}

/// How long a spawn is tried while other threads' spawns are in its way.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn spawn(spec: &Spec) -> Result<Process> {
    let begun = Instant::now();
    let errno = Errno::last_raw();
    loop {
        let start = Moment::now();
        match attempt(spec) {
            Ok(process) => {
                // What was tried on the way is nothing to the caller.
                Errno::set_raw(errno);
                return Ok(process);
            }
            // While the memory is not dumpable, the files under /proc/self are root's: a child on another
            // thread, which has just changed its uid, was in our way.
            Err(error)
                if error.errno() == libc::EACCES
                    && writes_proc(error.step())
                    && start.flag_was_away()
                    && begun.elapsed() < PATIENCE =>
            {
                std::thread::yield_now();
            }
            Err(error) => return Err(error),
        }
    }
}

fn writes_proc(step: Step) -> bool {
    matches!(step, Step::Setgroups | Step::UidMap | Step::GidMap | Step::ClockOffset)
}

fn attempt(spec: &Spec) -> Result<Process> {
    let mut plan = Plan::new(spec)?;
    let late_limits = plan.late_limits(spec)?;
    let second_stack = second_stack(&mut plan)?;
    let _program_stack = program_stack(&mut plan)?;
    let dumpable = plan.changes_uid.then(|| Dumpable::guard(plan.enters_user));
    let blocked = SignalsBlocked::new();
    let mut cloned = clone::clone(&mut plan);
    let mut first = None;
    if let (Ok(child), Some(stack)) = (&mut cloned, second_stack) {
        match second_in_place(child, stack, &plan) {
            Ok(replaced) => first = replaced,
            Err(error) => {
                std::mem::forget(plan);
                return Err(match cloned {
                    Ok(first) => collect(first.into_process(), error),
                    Err(_) => error,
                });
            }
        }
    }
    let answered = match &cloned {
        Ok(child) => answer(child, &plan, spec),
        Err(_) => Ok(Attended::default()),
    };
    if cloned.is_ok() && !plan.copies {
        sleep_until(&plan.mailbox, |state| state == state::RELEASED);
    }
    if let Some(first) = first {
        first.end();
    }
    if cloned.is_ok() && !plan.copies {
        until_program_runs(&plan.mailbox);
    }
    drop(blocked);
    drop(dumpable);
    let child = cloned.map_err(|errno| diagnosis::of_clone(errno, spec.kinds))?;
    let mut ends = std::mem::take(&mut plan.pipes.parent);
    ends.handed = ends.handed.take().and_then(|socket| handed::receive(&socket));
    let (attended, trouble) = match answered {
        Ok(attended) => (attended, None),
        Err(error) => (Attended::default(), Some(error)),
    };
    ends.held = attended.held;
    let process = Process::new(child.pid, child.pidfd, ends).with(attended.outside);
    let trouble = trouble
        .or_else(|| failure(&plan, spec))
        .or_else(|| process.set_late_limits(late_limits.as_ref()?).err());
    match trouble {
        None => {
            process.started();
            Ok(process)
        }
        // The init process has killed the program's before it was one.
        Some(error) if error.errno() == libc::EINTR && is_over(&process, spec) => Ok(process),
        Some(error) => {
            process.outside().undo();
            if attended.pinned {
                pins::undo(&spec.pins);
            }
            Err(collect(process, error))
        }
    }
}

fn new_stack() -> Result<clone::Stack> {
    clone::Stack::new().map_err(|errno| Error::new(Step::Prepare, errno, "a stack for the child"))
}

/// The stack of a second child, if there is to be one.
fn second_stack(plan: &mut Plan) -> Result<Option<clone::Stack>> {
    if plan.second_from.is_none() {
        return Ok(None);
    }
    let stack = new_stack()?;
    plan.second_stack = stack.top();
    Ok(Some(stack))
}

/// The stack of the program's process, if PID 1 is another.
fn program_stack(plan: &mut Plan) -> Result<Option<clone::Stack>> {
    if plan.program_from.is_none() {
        return Ok(None);
    }
    let stack = new_stack()?;
    plan.program_stack = stack.top();
    Ok(Some(stack))
}

/// The first child has ended, or waits for a second one that has a memory of its own. Where there is a second one, that is the child
/// from now on, and the first one is returned.
fn second_in_place(child: &mut Child, stack: clone::Stack, plan: &Plan) -> Result<Option<Child>> {
    if plan.copies {
        until_asked_or_ended(child, plan);
    }
    // SAFETY: the kernel has made it for us, in our table.
    let of_second = |pidfd| unsafe { OwnedFd::from_raw_fd(pidfd) };
    match plan.mailbox.second() {
        Second::Made { pid, pidfd } => {
            let second = Child { pid, pidfd: of_second(pidfd), _stack: Some(stack) };
            Ok(Some(std::mem::replace(child, second)))
        }
        Second::Unknown { pidfd } if plan.second_from.is_some_and(|from| plan.mailbox.progress() >= from) => {
            let pidfd = of_second(pidfd);
            if plan.mailbox.state() == state::RELEASED {
                // Whoever would tell when it has run the program was killed.
                end(pidfd.as_fd());
            }
            // It is not collected yet, so it still has a pid.
            let pid = pid_of(pidfd.as_fd()).unwrap_or(0);
            Ok(Some(std::mem::replace(child, Child { pid, pidfd, _stack: Some(stack) })))
        }
        // It holds no memory of ours any more, as a child that has failed.
        Second::NotMade => {
            plan.mailbox.set_state(state::RELEASED);
            Ok(None)
        }
        Second::Unknown { .. } => {
            // It may run on this.
            std::mem::forget(stack);
            Err(Error::new(Step::Clone, libc::EINTR, "a process in joined namespaces")
                .with_hint("the child that was to make it was killed"))
        }
    }
}

fn end(pidfd: BorrowedFd) {
    // SAFETY: a descriptor of ours and numbers.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), libc::SIGKILL, 0, 0) };
}

/// Does the parent's part once the child asks for it. Failing that, the child is ended here.
fn answer(child: &Child, plan: &Plan, spec: &Spec) -> Result<Attended> {
    if !plan.awaits_parent {
        return Ok(Attended::default());
    }
    sleep_until(&plan.mailbox, |state| state != state::RUNNING);
    if plan.mailbox.state() == state::RELEASED {
        return Ok(Attended::default());
    }
    let done = halt::until_told(child, spec)
        .and_then(|()| id_maps::write(child, &plan.maps))
        .and_then(|()| attend(child, spec, plan));
    if done.is_err() {
        end(child.pidfd.as_fd());
    }
    plan.mailbox.answer();
    // SAFETY: the word lives in the plan; a shared futex, as the kernel's own wake at exec is one.
    unsafe { libc::syscall(libc::SYS_futex, plan.mailbox.word(), libc::FUTEX_WAKE, 1) };
    done
}

/// The first child, with a copy of the memory, ends when the second one has run the program or has failed. The kernel does not tell of that through
/// the mailbox, so where the second one may ask for something, both are looked at in turn.
fn until_asked_or_ended(first: &Child, plan: &Plan) {
    let timeout = match plan.awaits_parent {
        true => PollTimeout::from(ASKED_AFTER),
        false => PollTimeout::NONE,
    };
    while plan.mailbox.state() != state::ASKING {
        match poll(&mut [PollFd::new(first.pidfd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(Errno::EINTR) => {}
            // With an error nothing will be known but the end.
            _ => return plan.mailbox.set_state(state::RELEASED),
        }
    }
}

/// Milliseconds.
const ASKED_AFTER: u8 = 1;

/// PID 1 has become the init process or has failed; the program's process goes on from there.
fn until_program_runs(mailbox: &Mailbox) {
    loop {
        let there = mailbox.program_there();
        if there == 0 {
            return;
        }
        // SAFETY: as in `answer`; any return makes us look again.
        unsafe { libc::syscall(libc::SYS_futex, mailbox.program(), libc::FUTEX_WAIT, there, 0usize) };
    }
}

fn sleep_until(mailbox: &Mailbox, done: impl Fn(u32) -> bool) {
    loop {
        let now = mailbox.state();
        if done(now) {
            return;
        }
        // SAFETY: as in `answer`; any return makes us look again.
        unsafe { libc::syscall(libc::SYS_futex, mailbox.word(), libc::FUTEX_WAIT, now, 0usize) };
    }
}

/// Why the program does not run; nothing if it does.
fn failure(plan: &Plan, spec: &Spec) -> Option<Error> {
    let number = plan.mailbox.progress();
    // An errand may have nothing to do at all.
    let op = plan.ops.get(number)?;
    match plan.mailbox.errno() {
        Some(errno) => Some(diagnosis::of_step(op, errno, spec)),
        None if number + 1 < plan.ops.len() => Some(
            Error::new(op.step, libc::EINTR, op.object())
                .with_hint("the child was killed before it could start the program"),
        ),
        None => None,
    }
}

/// Whether the deadline is over, which the init process tells in the end.
fn is_over(process: &Process, spec: &Spec) -> bool {
    let over = || process.wait_timeout(PATIENCE).ok().flatten().is_some_and(|status| status.timed_out());
    spec.treatment.deadline.is_some() && over()
}

/// Leaves no child that failed, nor its zombie.
fn collect(process: Process, error: Error) -> Error {
    let _ = process.kill();
    let _ = process.wait();
    error
}
