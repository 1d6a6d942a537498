//! The parent's side of a spawn: starts the helper, does the parent set-up, and reads the result.

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
mod rootfs;
mod signals;
mod sync;
mod uplink;

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::helper::plan::Page;
use crate::pidfd::{has_ended, open_process, pid_of, reap, send_signal};
use crate::plan::{Ends, Plan};
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
    // Failed attempts on the way must not change the caller's errno.
    Errno::set_raw(errno);
    Ok(process)
}

fn attempt(spec: &Spec) -> Result<Process> {
    let mut plan = Plan::new(spec)?;
    let helper = Helper::start(&mut plan, spec)?;
    let mut ends = std::mem::take(&mut plan.pipes.parent);
    // The helper has its own copies, and must notice when the caller closes the other ends.
    plan.pipes.close_helpers();
    let mut messages = Messages::over(ends.socket.take());
    // Processes in joined namespaces may be able to delay the new process.
    let deadline = || (!spec.joins.is_empty()).then(|| Instant::now() + JOINED_SET_UP);
    let begun = deadline();
    let answered = answer(&helper, &mut messages, &plan, spec, begun);
    // The parent set-up may take its own time.
    let held_up = !helper.wait(if messages.asked { deadline() } else { begun });
    finish(spec, &plan, helper, ends, messages, answered, held_up)
}

/// Does the rest of a spawn when the helper has ended or was held up.
#[inline(never)] // Keeps the stack of a spawn small: the parent set-up spawns children, too.
fn finish(
    spec: &Spec,
    plan: &Plan,
    helper: Helper,
    mut ends: Ends,
    mut messages: Messages,
    answered: Result<ParentSetup>,
    held_up: bool,
) -> Result<Process> {
    let (mut set_up, trouble) = match answered {
        Ok(set_up) => (set_up, None),
        Err(error) => (ParentSetup::default(), Some(error)),
    };
    if held_up {
        set_up.undo(spec);
        give_up(helper, ends, plan);
        return Err(trouble.unwrap_or_else(hints::held_up));
    }
    messages.take_all();
    let outcome = Outcome::read(helper.file.page());
    let begun = helper.begun;
    let child = match program(helper, &mut messages, plan, outcome.child) {
        Ok(child) => child,
        Err(error) => {
            set_up.undo(spec);
            return Err(error);
        }
    };
    ends.received = messages.other.take();
    ends.held = std::mem::take(&mut set_up.held);
    let process = Process::new(child.pid, child.pidfd, ends).due_after(spec.deadline, begun);
    match trouble.or_else(|| failure(plan, spec, &outcome, &process)) {
        None => {
            if !spec.kinds.is_empty() {
                wait_until_open(&process);
            }
            let process = process.with(set_up.attachments);
            process.started();
            Ok(process)
        }
        Some(error) => {
            set_up.undo(spec);
            Err(collect(process, error))
        }
    }
}

/// Waits until the caller may open the namespaces of the new process.
///
/// The kernel reports the exec some moments before it lets the process's user look at it. A program
/// that its user may not read never lets anybody, so the wait is short once the program runs.
fn wait_until_open(process: &Process) {
    const LONGEST: Duration = Duration::from_secs(2);
    const ONCE_IT_RUNS: Duration = Duration::from_millis(20);
    let pid = process.pid();
    let namespace = format!("/proc/{pid}/ns/user");
    let (start, mut runs_since) = (Instant::now(), None);
    while nix::fcntl::readlink(namespace.as_str()) == Err(Errno::EACCES) {
        // While the kernel replaces the helper by the program, there are no arguments.
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if !arguments.is_empty() && arguments != b"nsiso-helper\0" {
            runs_since.get_or_insert_with(Instant::now);
        }
        let over = runs_since.is_some_and(|since: Instant| since.elapsed() > ONCE_IT_RUNS);
        if over || start.elapsed() > LONGEST || has_ended(process.pidfd()) {
            return;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// Time limit for the set-up of a program in joined namespaces.
const JOINED_SET_UP: Duration = Duration::from_secs(20);

/// What the helper and its child have written into the page. It is untrusted, so it is copied once.
struct Outcome {
    progress: usize,
    errno: Option<i32>,
    /// Pid of the child that the helper has made.
    child: Option<i32>,
    /// The child has executed the program or has ended, and the helper lived to report it.
    settled: bool,
    /// Why the helper could not wait for the child.
    wait_errno: Option<i32>,
    /// The helper has reached the plan.
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
            settled: page.settled.load(Ordering::Acquire) != 0,
            wait_errno: errno(&page.wait_errno),
            begun: page.owner.load(Ordering::Acquire) != 0,
        }
    }
}

/// Returns the program's process: the helper itself, or the child that it has made.
fn program(helper: Helper, messages: &mut Messages, plan: &Plan, child: Option<i32>) -> Result<Child> {
    let Some(pid) = child.filter(|_| plan.makes_child()) else {
        return Ok(Child { pid: helper.pid, pidfd: helper.pidfd });
    };
    let sent = messages.pidfd.take().filter(|pidfd| is_own_child(pidfd.as_fd()));
    end_helper(helper);
    if let Some(pidfd) = sent {
        // A process that was already reaped has no pid any more.
        let its = if plan.joins_pid() { pid_of(pidfd.as_fd()) } else { None };
        let pid = its.unwrap_or(pid);
        return Ok(Child { pid, pidfd });
    }
    // The helper was killed before it could send the pidfd, or the caller was out of descriptors.
    match open_child(pid) {
        Ok(pidfd) => Ok(Child { pid, pidfd }),
        Err(error) => {
            end_child(pid);
            Err(error)
        }
    }
}

/// Opens a child of the caller by the pid in the page. A process that traces the child may have
/// written another process's pid there.
fn open_child(pid: i32) -> Result<OwnedFd> {
    let pidfd = open_process(pid, None)?;
    match is_own_child(pidfd.as_fd()) {
        true => Ok(pidfd),
        false => Err(Error::new(Step::Clone, libc::EIO, format!("process {pid}"))
            .with_hint("it is no child of the caller: another process has changed what the helper said")),
    }
}

/// Whether a pidfd refers to a child of the caller, or to a process that was already reaped.
fn is_own_child(pidfd: BorrowedFd) -> bool {
    // A process that another thread is reaping is no child any more, but still exists.
    let deadline = Instant::now() + COLLECTING;
    loop {
        match look_for_child(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t) {
            Ok(()) => return true,
            Err(Errno::ECHILD) if is_gone(pidfd) => return true,
            Err(Errno::ECHILD) if Instant::now() < deadline => std::thread::sleep(Duration::from_micros(100)),
            Err(_) => return false,
        }
    }
}

/// How long the kernel may take to reap a process.
const COLLECTING: Duration = Duration::from_millis(100);

fn is_gone(pidfd: BorrowedFd) -> bool {
    // SAFETY: a descriptor and integers; signal 0 only checks.
    let asked = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), 0, 0, 0) };
    Errno::result(asked) == Err(Errno::ESRCH)
}

/// Fails with ECHILD if the caller has no such child. Reaps nothing.
fn look_for_child(kind: libc::idtype_t, id: libc::id_t) -> nix::Result<()> {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: room for the struct.
    Errno::result(unsafe { libc::waitid(kind, id, info.as_mut_ptr(), options) }).map(drop)
}

/// Kills and reaps a child for which no descriptor can be opened.
fn end_child(pid: i32) {
    if look_for_child(libc::P_PID, pid as libc::id_t).is_ok() {
        // SAFETY: integers and NULL. The child was not reaped, so its pid is not reused.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            while libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) < 0 && Errno::last() == Errno::EINTR
            {
            }
        }
    }
}

/// Does the parent set-up once the child asks for it. If this fails, the child is killed here.
fn answer(
    helper: &Helper,
    messages: &mut Messages,
    plan: &Plan,
    spec: &Spec,
    deadline: Option<Instant>,
) -> Result<ParentSetup> {
    if !plan.awaits_parent {
        return Ok(ParentSetup::default());
    }
    // Milliseconds between looks at processes that others may have stopped.
    const LOOK_AFTER: u16 = 20;
    let timeout = deadline.map_or(PollTimeout::NONE, |_| LOOK_AFTER.into());
    while !messages.until_asked(helper.as_fd(), timeout) {
        match deadline {
            Some(time) if Instant::now() >= time => break,
            Some(_) => helper.resume_stopped(),
            None => {}
        }
    }
    if !messages.asked {
        return Ok(ParentSetup::default());
    }
    // A child that gets no answer would wait forever.
    let child = being_set_up(helper, plan).inspect_err(|_| messages.refuse())?;
    let received = std::mem::take(&mut messages.namespaces);
    let done = sync::wait(&child, spec)
        .and_then(|()| id_maps::write(&child, &plan.maps))
        .and_then(|()| parent_setup::set_up(&child, spec, plan, received));
    match done {
        Ok(_) => messages.answer(),
        Err(_) => drop(send_signal(child.pidfd.as_fd(), child.pid, libc::SIGKILL)),
    }
    done
}

/// Opens the process that waits for the parent set-up.
fn being_set_up(helper: &Helper, plan: &Plan) -> Result<Child> {
    let helpers = || {
        let copied = helper.pidfd.try_clone();
        copied.map_err(|error| Error::no_descriptor(Step::Prepare, "a pidfd", &error))
    };
    match helper.file.page().child.load(Ordering::Acquire) {
        pid @ 1.. if plan.makes_child() => match open_child(pid) {
            // valgrind lacks pidfd_open(2). The helper's pidfd will do: it ends with the child.
            Err(error) if error.errno() == libc::ENOSYS => Ok(Child { pid, pidfd: helpers()? }),
            opened => Ok(Child { pid, pidfd: opened? }),
        },
        _ => Ok(Child { pid: helper.pid, pidfd: helpers()? }),
    }
}

/// Returns why the program does not run, if it does not.
fn failure(plan: &Plan, spec: &Spec, outcome: &Outcome, process: &Process) -> Option<Error> {
    if let (Some(errno), Some(op)) = (outcome.wait_errno, plan.clone_op()) {
        return Some(hints::of_step(plan, op, errno, spec));
    }
    let op = plan.ops.get(outcome.progress).or_else(|| plan.ops.first())?;
    if let Some(errno) = outcome.errno {
        return Some(hints::of_step(plan, op, errno, spec));
    }
    if outcome.progress + 1 >= plan.ops.len() && (outcome.settled || !plan.makes_child()) {
        return None;
    }
    // It was killed, or could not begin. If only the helper was killed, its child still runs.
    let _ = process.kill();
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

/// How long a killed process may take to end.
const ENDING: Duration = Duration::from_secs(2);

/// Kills and reaps a child that failed.
#[inline(never)] // Keeps the stack of a spawn small.
fn collect(process: Process, error: Error) -> Error {
    let _ = process.kill();
    end(process);
    error
}

/// Kills a child that others hold up in its set-up, and the helper.
#[inline(never)] // Keeps the stack of a spawn small.
fn give_up(helper: Helper, ends: Ends, plan: &Plan) {
    let made = Outcome::read(helper.file.page()).child.filter(|_| plan.makes_child());
    let child = made.and_then(|pid| Some(Process::new(pid, open_child(pid).ok()?, Ends::default())));
    let helper = Process::new(helper.pid, helper.pidfd, ends);
    for process in child.into_iter().chain([helper]) {
        let _ = process.kill();
        end(process);
    }
}

/// Reaps the helper, which has ended or is about to. Its status is not needed, and another part of
/// the caller may have taken it.
#[inline(never)] // Keeps the stack of a spawn small.
fn end_helper(helper: Helper) {
    let deadline = Instant::now() + ENDING;
    let timeout = PollTimeout::try_from(ENDING).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut [PollFd::new(helper.as_fd(), PollFlags::POLLIN)], timeout);
    while !reap(helper.as_fd()) {
        if Instant::now() >= deadline {
            // A later call of the library reaps it.
            drop(Process::new(helper.pid, helper.pidfd, Ends::default()));
            return;
        }
        // A process that is traced shows its end to the debugger first.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reaps a process that is about to end. If it does not end soon, a later call of the library reaps
/// it: one that others trace, or that waits for a file system, cannot be killed at once.
#[inline(never)] // Keeps the stack of a spawn small.
fn end(process: Process) {
    let _ = process.wait_timeout(ENDING);
}
