//! The init process (PID 1) of a new pid namespace; the program is its child.
//!
//! It reaps orphans and forwards signals to the program. It ends when the program ends, the
//! deadline passes or the parent dies; the kernel then kills every process in the namespace. It
//! writes the program's unmodified wait status into a pipe.

use core::mem::MaybeUninit;

use super::kernel::{self, c_int, c_uint, pollfd, timespec};
use super::plan::{Init, Report};
use super::syscall::{Outcome, check};
use super::{descriptors, proc, processes, signals};

static ALL_SIGNALS: u64 = !0;
const SECOND: u64 = 1_000_000_000;
/// Signals forwarded before clock and parent are checked again: a program may send any number.
const SIGNALS_A_ROUND: usize = 64;
/// How long killed processes may take to end. The kernel kills those that this process may not
/// kill, such as a set-user-ID program of another user, when this process ends.
const KILL_PATIENCE: u64 = SECOND / 2;

struct State {
    program: usize,
    signals: c_int,
    parent: c_int,
    report: c_int,
    wait_for_all: bool,
    /// On CLOCK_MONOTONIC.
    deadline: Option<u64>,
}

/// Forks the program's process and makes this process the init process. Returns only in the
/// program's process, or with an error if that process cannot be made.
pub(super) fn start(init: &Init) -> Outcome<()> {
    let deadline = match init.deadline {
        0 => None,
        after => Some(now()?.saturating_add(after)),
    };
    let flags = (kernel::O_NONBLOCK | kernel::O_CLOEXEC) as usize;
    let set = &raw const ALL_SIGNALS as usize;
    // SAFETY: a set of 64 signals.
    let signals =
        unsafe { check(kernel::SYS_signalfd4, [usize::MAX, set, size_of::<u64>(), flags])? as c_int };
    let image = match init.anew {
        // SAFETY: a constant string.
        true => unsafe { proc::open_in(c"self/exe".as_ptr(), kernel::O_PATH)? as c_int },
        false => -1,
    };
    // If SIGCHLD is ignored, the kernel reaps children itself, and the program's status is lost.
    let ignored = signals::listen_to_children()?;
    let Some(program) = processes::fork()? else {
        return signals::restore_child(ignored);
    };
    let (report, parent, wait_for_all) = (init.report, init.parent, init.wait_for_all);
    stay(&State { program, signals, parent, report, wait_for_all, deadline }, image)
}

/// Closes all other descriptors: a reader of the program's output must see its end.
fn close_others(state: &State, image: c_int) -> Outcome<()> {
    // exec closes this one last, which tells the helper that the init process is ready.
    let ready = if image < 0 { -1 } else { processes::ready_end() };
    let kept = [state.signals, state.report, state.parent, image, ready];
    let mut first: c_int = 0;
    while let Some(fd) = kept.iter().copied().filter(|fd| *fd >= first).min() {
        if fd > first {
            descriptors::close(first as c_uint, (fd - 1) as c_uint)?;
        }
        first = fd + 1;
    }
    descriptors::close(first as c_uint, c_uint::MAX)
}

/// Keeps only CAP_KILL, to signal the program, and forbids other processes to trace this one.
fn give_up_privileges() -> Outcome<()> {
    let name = c"nsiso-init".as_ptr() as usize;
    // SAFETY: integers and a constant string.
    unsafe {
        // A change of uid may have set it to fs.suid_dumpable, proc(5).
        check(kernel::SYS_prctl, [kernel::PR_SET_DUMPABLE as usize, 0])?;
        check(kernel::SYS_prctl, [kernel::PR_SET_NO_NEW_PRIVS as usize, 1])?;
        check(kernel::SYS_prctl, [kernel::PR_SET_NAME as usize, name])?;
    }
    super::capabilities::drop_to(CAP_KILL)
}

const CAP_KILL: u64 = 1 << 5;

/// Executes the helper again, which continues in [`resume`]. A pipe carries the state.
fn execute_anew(state: &State, image: c_int) -> Outcome<()> {
    let used = [state.signals, state.report, state.parent, image, processes::ready_end()];
    let number = (0..=5).find(|number| !used.contains(number)).unwrap_or(0);
    let mut ends = [0i32; 2];
    let mut environment = *b"i0=\0";
    environment[1] = b'0' + number as u8;
    let (argv, envp) = ([c"nsiso-init".as_ptr() as usize, 0], [environment.as_ptr() as usize, 0]);
    // Without CAP_KILL it could no longer kill a program of another uid.
    let _ = super::capabilities::keep_over_exec(CAP_KILL);
    // SAFETY: integers, and values that live until the calls return.
    unsafe {
        check(kernel::SYS_pipe2, [&raw mut ends as usize, 0])?;
        let [read, write] = ends;
        let size = size_of::<State>();
        if check(kernel::SYS_write, [write as usize, &raw const *state as usize, size])? != size {
            return Err(kernel::EIO);
        }
        descriptors::place(read, number)?;
        for fd in [state.signals, state.report, state.parent].into_iter().filter(|fd| *fd >= 0) {
            descriptors::place(fd, fd)?;
        }
        let (path, here) = (c"".as_ptr() as usize, kernel::AT_EMPTY_PATH as usize);
        let args = [image as usize, path, argv.as_ptr() as usize, envp.as_ptr() as usize, here];
        check(kernel::SYS_execveat, args)?;
    }
    Ok(())
}

/// Continues as the init process after [`execute_anew`]. The state is read from `number`.
pub(super) fn resume(number: c_int) -> ! {
    let mut state = MaybeUninit::<State>::uninit();
    let (place, size) = (state.as_mut_ptr() as usize, size_of::<State>());
    // SAFETY: room for the state, which this program itself has written.
    let state = unsafe {
        match check(kernel::SYS_read, [number as usize, place, size]) {
            Ok(read) if read == size => state.assume_init(),
            _ => processes::exit(128 + kernel::SIGKILL as usize),
        }
    };
    stay(&state, -1)
}

/// Runs as the init process. Errors cannot be reported from here: the namespace ends with it.
fn stay(state: &State, image: c_int) -> ! {
    let done = close_others(state, image).and_then(|()| match image {
        ..0 => give_up_privileges().and_then(|()| watch(state)),
        image => execute_anew(state, image).and(Err(kernel::EIO)),
    });
    processes::exit(done.unwrap_or(128 + kernel::SIGKILL as usize))
}

/// Runs until the namespace is to end. Returns the exit code of this process.
fn watch(state: &State) -> Outcome<usize> {
    let mut report = Report { timed_out: 0, status: 0, usage: [0; 18] };
    let mut ended = false;
    loop {
        let none_left = reap(state, &mut report, &mut ended);
        if none_left || ended && !state.wait_for_all {
            return finish(state, &report);
        }
        let left = match state.deadline {
            None => None,
            Some(deadline) => Some(deadline.saturating_sub(now()?)),
        };
        if left == Some(0) {
            end_all(state, &mut report, &mut ended)?;
            report.timed_out = 1;
            return finish(state, &report);
        }
        if wait(state.signals, state.parent, left)? {
            return Ok(128 + kernel::SIGKILL as usize);
        }
        pass_on(state);
    }
}

/// Kills and reaps every other process in the namespace.
fn end_all(state: &State, report: &mut Report, ended: &mut bool) -> Outcome<()> {
    // SAFETY: integer arguments; -1 stands for every process but this one.
    let _ = unsafe { check(kernel::SYS_kill, [usize::MAX, kernel::SIGKILL as usize]) };
    let patience = now()?.saturating_add(KILL_PATIENCE);
    while !reap(state, report, ended) {
        let left = patience.saturating_sub(now()?);
        if left == 0 {
            break;
        }
        wait(state.signals, -1, Some(left))?;
        drain(state.signals);
    }
    if !*ended {
        report.status = kernel::SIGKILL;
    }
    Ok(())
}

/// Waits for a signal, for the parent's death (then returns true), or until `left` has passed.
fn wait(signals: c_int, parent: c_int, left: Option<u64>) -> Outcome<bool> {
    let poll = |fd| pollfd { fd, events: kernel::POLLIN, revents: 0 };
    let mut polls = [poll(signals), poll(parent)];
    let time = left.map(|left| timespec { tv_sec: left / SECOND, tv_nsec: left % SECOND });
    let time = time.as_ref().map_or(0, |time| &raw const *time as usize);
    // SAFETY: both live until the call returns.
    unsafe { check(kernel::SYS_ppoll, [&raw mut polls as usize, 2, time, 0, size_of::<u64>()])? };
    let [_, parent] = polls;
    Ok(parent.revents != 0)
}

/// Reaps the children that have ended. Returns whether none are left.
fn reap(state: &State, report: &mut Report, ended: &mut bool) -> bool {
    loop {
        let mut status = 0i32;
        let mut usage = MaybeUninit::<[u64; 18]>::uninit();
        let (status_place, usage_place) = (&raw mut status as usize, usage.as_mut_ptr() as usize);
        let options = (kernel::WNOHANG | kernel::WALL) as usize;
        // SAFETY: room for both.
        match unsafe { check(kernel::SYS_wait4, [usize::MAX, status_place, options, usage_place]) } {
            Err(_) => return true,
            Ok(0) => return false,
            Ok(pid) if pid == state.program => {
                report.status = status;
                // SAFETY: wait4 has filled it in.
                report.usage = unsafe { usage.assume_init() };
                *ended = true;
            }
            Ok(_) => {}
        }
    }
}

/// `struct signalfd_siginfo`, which begins with the signal number.
#[repr(C)]
struct SignalInfo([u32; 32]);

fn next_signal(signals: c_int) -> Option<usize> {
    let mut info = MaybeUninit::<SignalInfo>::uninit();
    let place = info.as_mut_ptr() as usize;
    // SAFETY: room for one struct; read(2) fills in all of it or nothing.
    unsafe {
        let read = check(kernel::SYS_read, [signals as usize, place, size_of::<SignalInfo>()]).ok()?;
        let SignalInfo([number, ..]) = info.assume_init();
        (read > 0).then_some(number as usize)
    }
}

/// Forwards all signals except SIGCHLD to the program.
fn pass_on(state: &State) {
    for _ in 0..SIGNALS_A_ROUND {
        let Some(signal) = next_signal(state.signals) else { return };
        if signal != kernel::SIGCHLD as usize {
            // SAFETY: integer arguments only.
            let _ = unsafe { check(kernel::SYS_kill, [state.program, signal]) };
        }
    }
}

fn drain(signals: c_int) {
    for _ in 0..SIGNALS_A_ROUND {
        if next_signal(signals).is_none() {
            return;
        }
    }
}

fn finish(state: &State, report: &Report) -> Outcome<usize> {
    let (signal, code) = (report.status & 0x7F, report.status >> 8 & 0xFF);
    let place = &raw const *report as usize;
    // SAFETY: the struct lives until the call returns.
    let _ = unsafe { check(kernel::SYS_write, [state.report as usize, place, size_of::<Report>()]) };
    Ok(if signal == 0 { code as usize } else { 128 + signal as usize })
}

fn now() -> Outcome<u64> {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    let clock = kernel::CLOCK_MONOTONIC as usize;
    // SAFETY: room for the time.
    unsafe { check(kernel::SYS_clock_gettime, [clock, &raw mut time as usize])? };
    Ok(time.tv_sec.wrapping_mul(SECOND).wrapping_add(time.tv_nsec))
}
