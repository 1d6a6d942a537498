//! The calling process becomes the program, by way of the helper.

use std::convert::Infallible;
use std::fs;
use std::os::fd::{AsFd, RawFd};

use super::helper::Start;
use super::messages::Messages;
use super::plan_file::PlanFile;
use super::signals::SignalsBlocked;
use super::{Child, id_maps, image, parent_setup};
use crate::plan::Plan;
use crate::spec::{Source, Stdio};
use crate::{Error, Result, Spec, Step};

pub(crate) fn exec(spec: &Spec) -> Result<Infallible> {
    supported(spec)?;
    // What fails in the helper can only be told in fewer words.
    if super::interpreter::missing(spec).is_some() {
        return Err(super::hints::of_exec(libc::ENOENT, spec));
    }
    let mut plan = Plan::for_exec(spec)?;
    let blocked = SignalsBlocked::new();
    let program = image::open()?;
    let file = PlanFile::new(plan.image(), false)?;
    if plan.awaits_parent {
        answer_from_another_process(spec, &mut plan)?;
    }
    let inherited = plan.inherited();
    let start = Start::new(&program, &file, &inherited, c"nsiso-helper");
    let before = inherited.iter().map(|fd| (*fd, descriptor_flags(*fd))).collect::<Vec<_>>();
    let errno = start.execute();
    drop(blocked);
    for (fd, flags) in before {
        // SAFETY: numbers only.
        unsafe { libc::fcntl(fd, libc::F_SETFD, flags) };
    }
    Err(image::not_executed(errno))
}

fn descriptor_flags(fd: RawFd) -> libc::c_int {
    // SAFETY: numbers only.
    unsafe { libc::fcntl(fd, libc::F_GETFD) }
}

/// Nobody is left to do what a parent does.
fn supported(spec: &Spec) -> Result<()> {
    let pipes = spec.descriptors.iter().any(|(_, source)| matches!(source, Source::Stdio(Stdio::Pipe)));
    let options = [
        (spec.init.is_some(), "an init process"),
        (spec.treatment.deadline.is_some(), "a deadline"),
        (pipes, "a pipe"),
        (spec.pty.is_some(), "a terminal"),
        (spec.notify.is_some(), "a filter that asks the caller"),
        (spec.halt.is_some(), "waiting for the caller"),
        (!spec.links.is_empty(), "a link"),
        (!spec.devices.is_empty(), "a device"),
        (spec.uplink.is_some(), "an uplink"),
    ];
    match options.into_iter().find(|(wanted, _)| *wanted) {
        None => Ok(()),
        Some((_, what)) => {
            Err(Error::argument(format!("{what} takes a parent, and exec leaves none"))
                .with_hint("spawn the program instead"))
        }
    }
}

/// Makes a process that does the parent's part and ends: it writes id maps and pins namespaces. It is
/// nobody's child then, so that the program has none that it does not know.
fn answer_from_another_process(spec: &Spec, plan: &mut Plan) -> Result<()> {
    if fs::read_dir("/proc/self/task").map_or(0, Iterator::count) != 1 {
        return Err(Error::argument(
            "id maps of others than the caller's own ids, and pins, take a caller with one thread",
        )
        .with_hint("spawn the program instead"));
    }
    let pid = std::process::id() as i32;
    let pidfd = crate::pidfd::open_process(pid, None)?;
    let socket = plan.pipes.parent.socket.take();
    // SAFETY: this process has one thread, so the copy may do whatever it could do itself.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: as above.
            if unsafe { libc::fork() } == 0 {
                plan.pipes.close_helpers();
                let _ = answer(spec, plan, Messages::over(socket), &Child { pid, pidfd });
            }
            // SAFETY: nothing of the caller's is to run at the end.
            unsafe { libc::_exit(0) }
        }
        first if first > 0 => {
            // SAFETY: a child of ours; a null status is allowed.
            unsafe { libc::waitpid(first, std::ptr::null_mut(), libc::__WALL) };
            Ok(())
        }
        _ => Err(Error::last_os(Step::Clone, "a process to write the id maps")),
    }
}

/// If this fails, the helper finds the socket closed, and says so.
fn answer(spec: &Spec, plan: &Plan, mut messages: Messages, child: &Child) -> Result<()> {
    messages.until_asked(child.pidfd.as_fd());
    let received = std::mem::take(&mut messages.namespaces);
    let done = id_maps::write(child, &plan.maps)
        .and_then(|()| parent_setup::set_up(child, spec, plan, received).map(drop));
    match &done {
        Ok(()) => messages.answer(),
        Err(error) => write_error(error),
    }
    done
}

/// Nobody else could say what was in the way.
fn write_error(error: &Error) {
    let text = format!("nsiso: {}\n", error.message());
    // SAFETY: as many bytes as is said.
    unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
}
