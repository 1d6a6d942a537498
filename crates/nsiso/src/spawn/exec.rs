//! Replaces the calling process with the program, by way of the helper.

use std::convert::Infallible;
use std::fs;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::poll::PollTimeout;

use super::helper::Start;
use super::image::Image;
use super::messages::Messages;
use super::plan_file::PlanFile;
use super::signals::SignalsBlocked;
use super::{Child, id_maps, parent_setup};
use crate::plan::{Plan, ambient_needed, caller_name};
use crate::spec::{Source, Stdio};
use crate::{Error, Kinds, Result, Spec, Step};

pub(crate) fn exec(spec: &Spec) -> Result<Infallible> {
    supported(spec)?;
    // The helper could report this only in fewer words.
    if super::interpreter::missing(spec).is_some() {
        return Err(super::hints::of_exec(libc::ENOENT, spec));
    }
    // The kernel certainly refuses this, but only an error from here can carry a hint.
    if !(spec.kinds - Kinds::USER).is_empty()
        && !spec.kinds.contains(Kinds::USER)
        && spec.joins.is_empty()
        && !may_make_namespaces()
    {
        return Err(super::hints::of_clone(libc::EPERM, spec.kinds));
    }
    let mut plan = Plan::for_exec(spec)?;
    let _blocked = SignalsBlocked::new();
    let image = Image::open(spec)?;
    let child = match plan.awaits_parent {
        true => Some(answering_child(spec, &mut plan)?),
        false => None,
    };
    let failed = become_helper(spec, &mut plan, image);
    if let Some(pid) = child {
        // The child ends when no process can ask it any more.
        plan.pipes.close_helpers();
        // SAFETY: a child of ours; a null status is allowed.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) };
    }
    failed
}

fn become_helper(spec: &Spec, plan: &mut Plan, mut image: Image) -> Result<Infallible> {
    let (memfd, file) = PlanFile::new(plan.image())?;
    let inherited = plan.inherited();
    loop {
        let start = Start::new(image.file(), &memfd, file.plan_size(), &inherited, c"nsiso-helper");
        let errno = start.execute();
        image = image.after_refusal(errno, spec)?;
    }
}

/// Whether the caller can make namespaces without a new user namespace.
fn may_make_namespaces() -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let is_root = nix::unistd::geteuid().is_root();
    is_root || ambient_needed().is_some_and(|(sets, _)| sets.permitted & CAP_SYS_ADMIN != 0)
}

/// Refuses options that need a parent, because exec leaves none.
fn supported(spec: &Spec) -> Result<()> {
    let pipes =
        spec.program.descriptors.iter().any(|(_, source)| matches!(source, Source::Stdio(Stdio::Pipe)));
    let options = [
        (spec.init.is_some(), "an init process"),
        (spec.deadline.is_some(), "a deadline"),
        (pipes, "a pipe"),
        (spec.program.pty.is_some(), "a terminal"),
        (spec.privileges.notify.is_some(), "a filter that asks the caller"),
        (spec.sync_fds.is_some(), "waiting for the caller"),
        (!spec.network.links.is_empty(), "a link"),
        (!spec.network.devices.is_empty(), "a device"),
        (spec.network.uplink.is_some(), "an uplink"),
    ];
    if let Some((_, what)) = options.into_iter().find(|(wanted, _)| *wanted) {
        return Err(Error::argument(format!("{what} takes a parent, and exec leaves none"))
            .with_hint("spawn the program instead"));
    }
    if spec.kinds.contains(Kinds::PID) && spec.mounts_proc() {
        return Err(Error::argument(
            "a fresh proc of a new pid namespace takes a process in there, and exec stays outside",
        )
        .with_hint("spawn the program instead, or have it mount the proc in its first child"));
    }
    Ok(())
}

/// Makes a child that does the parent set-up and exits: it writes id maps and pins namespaces. The
/// helper reaps it, so that the program has no unknown child. Returns its pid.
fn answering_child(spec: &Spec, plan: &mut Plan) -> Result<i32> {
    if fs::read_dir("/proc/self/task").map_or(0, Iterator::count) != 1 {
        return Err(Error::argument(
            "id maps of others than the caller's own ids, and pins, take a caller with one thread",
        )
        .with_hint("spawn the program instead"));
    }
    let pid = std::process::id() as i32;
    let pidfd = crate::pidfd::open_process(pid, None)?;
    let socket = plan.pipes.parent.socket.take();
    // Without an exit signal, and without the C library, whose fork handlers would run in it.
    // SAFETY: this process has one thread, so the child may do whatever the caller could do.
    match unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) } {
        0 => {
            plan.pipes.close_helpers();
            let messages = Messages::over(socket);
            // A panic must not unwind into the caller's code.
            let done = catch_unwind(AssertUnwindSafe(|| answer(spec, plan, messages, &Child { pid, pidfd })));
            let code = match done {
                Ok(Ok(())) => 0,
                Ok(Err(_)) => FAILED,
                Err(_) => 1,
            };
            // SAFETY: _exit(2) runs none of the caller's exit handlers.
            unsafe { libc::_exit(code) }
        }
        child if child > 0 => {
            plan.set_answering_child(child as i32);
            Ok(child as i32)
        }
        _ => Err(Error::last_os(Step::Clone, "a process to write the id maps")
            .with_hint("RLIMIT_NPROC or pids.max of the cgroup may be reached")),
    }
}

/// Exit code of a child that has written why it failed: the helper then writes nothing.
const FAILED: i32 = 126;

/// Does the parent set-up. If this fails, the helper finds the socket closed.
fn answer(spec: &Spec, plan: &Plan, mut messages: Messages, child: &Child) -> Result<()> {
    while !messages.until_asked(child.pidfd.as_fd(), PollTimeout::NONE) {}
    if !messages.asked {
        // The helper has failed, or has not been executed.
        return Ok(());
    }
    let received = std::mem::take(&mut messages.namespaces);
    let done = id_maps::write(child, &plan.maps)
        .and_then(|()| parent_setup::set_up(child, spec, plan, received).map(drop));
    match &done {
        Ok(()) => messages.answer(),
        Err(error) => write_error(error),
    }
    done
}

/// Writes an error that no other process could report.
fn write_error(error: &Error) {
    let hint = match error.hint() {
        "" => String::new(),
        hint => format!("hint: {hint}\n"),
    };
    let text = format!("{}: {}\n{hint}", caller_name(), error.message());
    // SAFETY: the buffer has as many bytes as passed.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}
