//! The parent's half of a spawn: start the helper, do what only the parent may, and learn how it went.

mod exec;
mod helper;
mod hints;
mod hold;
mod id_maps;
mod image;
mod interpreter;
mod messages;
mod parent_setup;
mod pins;
mod plan_file;
mod signals;
mod sync;
mod uplink;
mod view;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::errno::Errno;

use crate::helper::plan::Page;
use crate::pidfd::{open_process, pid_of};
use crate::plan::Plan;
use crate::{Error, Process, Result, Spec, Step};
pub(crate) use exec::exec;
use helper::Helper;
use messages::Messages;
use parent_setup::ParentSetup;

/// A process that is set up.
struct Child {
    pid: i32,
    pidfd: OwnedFd,
}

pub(crate) fn spawn(spec: &Spec) -> Result<Process> {
    let errno = Errno::last_raw();
    let process = attempt(spec)?;
    // What was tried on the way is nothing to the caller.
    Errno::set_raw(errno);
    Ok(process)
}

fn attempt(spec: &Spec) -> Result<Process> {
    let mut plan = Plan::new(spec)?;
    let helper = Helper::start(&mut plan, spec)?;
    let mut ends = std::mem::take(&mut plan.pipes.parent);
    // The helper has its own, and must see when the host's ends are closed.
    plan.pipes.close_helpers();
    let mut messages = Messages::over(ends.socket.take());
    let answered = answer(&helper, &mut messages, &plan, spec);
    helper.wait();
    messages.take_all();
    let outcome = Outcome::read(&helper.file.page());
    let child = program(helper, &mut messages, &plan, outcome.child)?;
    ends.received = messages.other.take();
    let (set_up, trouble) = match answered {
        Ok(set_up) => (set_up, None),
        Err(error) => (ParentSetup::default(), Some(error)),
    };
    ends.held = set_up.held;
    let process = Process::new(child.pid, child.pidfd, ends).with(set_up.outside);
    match trouble.or_else(|| failure(&plan, spec, &outcome, &process)) {
        None => {
            process.started();
            Ok(process)
        }
        Some(error) => {
            process.outside().undo();
            if set_up.pinned {
                pins::undo(&spec.pins);
            }
            Err(collect(process, error))
        }
    }
}

/// What the helper and its child have left in the page, copied once: it is foreign input.
struct Outcome {
    progress: usize,
    errno: Option<i32>,
    /// The pid of the process that the helper has made.
    child: Option<i32>,
    /// Why the helper could not wait for it.
    wait_errno: Option<i32>,
    /// The helper has come as far as the plan.
    begun: bool,
}

impl Outcome {
    fn read(page: &Page) -> Self {
        const ERRNO_MAX: i32 = 4095;
        let errno = |word: &AtomicI32| match word.load(Ordering::Acquire) {
            0 => None,
            errno @ 1..=ERRNO_MAX => Some(errno),
            _ => Some(libc::EIO),
        };
        let child = page.child.load(Ordering::Acquire);
        let progress = page.progress.load(Ordering::Acquire) as usize;
        Outcome {
            progress,
            errno: errno(&page.errno),
            child: (child > 0).then_some(child),
            wait_errno: errno(&page.wait_errno),
            begun: page.owner.load(Ordering::Acquire) != 0,
        }
    }
}

/// The process that is the program: the helper itself, or the one it has made.
fn program(
    helper: Helper,
    messages: &mut Messages,
    plan: &Plan,
    child: Option<i32>,
) -> Result<Child> {
    let Some(pid) = child.filter(|_| plan.makes_child()) else {
        return Ok(Child { pid: helper.pid, pidfd: helper.pidfd });
    };
    let pidfd = match messages.pidfd.take() {
        Some(pidfd) if is_child(pidfd.as_fd(), pid) => Ok(pidfd),
        // The helper was killed before it could send it.
        _ => open_process(pid, None),
    };
    helper.reap();
    pidfd.map(|pidfd| Child { pid, pidfd })
}

/// Whether a pidfd is that of a child of the host's with this pid. Another process may have sent it, if
/// it was as privileged as the helper where that was.
fn is_child(pidfd: BorrowedFd, pid: i32) -> bool {
    // One that was collected already has no pid any more.
    pid_of(pidfd).is_none_or(|its| its == pid)
}

/// Does the parent's part once the child asks for it. Failing that, the child is ended here.
fn answer(helper: &Helper, messages: &mut Messages, plan: &Plan, spec: &Spec) -> Result<ParentSetup> {
    if !plan.awaits_parent {
        return Ok(ParentSetup::default());
    }
    messages.until_asked(helper.as_fd());
    if !messages.asked {
        return Ok(ParentSetup::default());
    }
    let child = being_set_up(helper)?;
    let received = std::mem::take(&mut messages.namespaces);
    let done = sync::wait(&child, spec)
        .and_then(|()| id_maps::write(&child, &plan.maps))
        .and_then(|()| parent_setup::set_up(&child, spec, plan, received));
    match done {
        Ok(_) => messages.answer(),
        Err(_) => kill(child.pidfd.as_fd()),
    }
    done
}

/// The process that waits for the parent's part.
fn being_set_up(helper: &Helper) -> Result<Child> {
    match helper.file.page().child.load(Ordering::Acquire) {
        // It waits, so the pid is still its own.
        pid @ 1.. => Ok(Child { pid, pidfd: open_process(pid, None)? }),
        _ => match helper.pidfd.try_clone() {
            Ok(pidfd) => Ok(Child { pid: helper.pid, pidfd }),
            Err(error) => {
                kill(helper.as_fd());
                Err(Error::from_io(Step::Prepare, "a pidfd", &error)
                    .with_hint(crate::rlimit::descriptor_hint(&error)))
            }
        },
    }
}

fn kill(pidfd: BorrowedFd) {
    // SAFETY: a descriptor of ours and numbers.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), libc::SIGKILL, 0, 0) };
}

/// Why the program does not run; nothing if it does.
fn failure(plan: &Plan, spec: &Spec, outcome: &Outcome, process: &Process) -> Option<Error> {
    if let (Some(errno), Some(op)) = (outcome.wait_errno, plan.clone_op()) {
        return Some(hints::of_step(plan, op, errno, spec));
    }
    let op = plan.ops.get(outcome.progress).or_else(|| plan.ops.first())?;
    if let Some(errno) = outcome.errno {
        return Some(hints::of_step(plan, op, errno, spec));
    }
    if outcome.progress + 1 >= plan.ops.len() {
        return None;
    }
    // It was killed, or could not begin.
    let code = process.wait_timeout(ENDING).ok().flatten().and_then(|status| status.code());
    if let (false, Some(errno)) = (outcome.begun, code) {
        return Some(image::not_executed(errno));
    }
    let out_of_memory = process.resources().is_ok_and(|resources| resources.oom_kills > Some(0));
    let (errno, hint) = match out_of_memory {
        true => (libc::ENOMEM, "the limit of memory is too small for the program to be started"),
        false => (libc::EINTR, "the child was killed before it could start the program"),
    };
    Some(Error::new(op.step, errno, plan.object(op)).with_hint(hint))
}

/// How long a process that was killed may take to end.
const ENDING: Duration = Duration::from_secs(2);

/// Leaves no child that failed, nor its zombie.
fn collect(process: Process, error: Error) -> Error {
    let _ = process.kill();
    let _ = process.wait();
    error
}
