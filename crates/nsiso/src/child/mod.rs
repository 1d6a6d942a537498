//! The child's half: carries the plan out, action by action, then becomes the program.
//!
//! A closed room. The child shares the caller's memory, and other threads of the caller run on, so
//! from here to exec there is no allocation, no lock, no C library, no thread-local storage (errno
//! is one), no panic and no `Drop`: only raw system calls over the plan. A test walks the machine
//! code of [`main`] to prove it.

mod capabilities;
mod descriptors;
mod hand_over;
mod init;
mod landlock;
mod loopback;
mod notify;
mod second;
mod signals;
pub(crate) mod syscall;
mod view;

use std::ptr;

use libc::{c_char, c_int};

use crate::plan::{Action, Plan, mailbox::state};
use syscall::{Outcome, check, syscall};

/// Where the child starts. Never returns: it becomes the program, or leaves word in the mailbox
/// and exits.
///
/// # Safety
/// To be called in a child made by clone with all signals blocked; `plan` must stay alive until
/// the mailbox is released.
#[inline(never)]
pub(crate) unsafe extern "C" fn main(plan: *const Plan) -> ! {
    // SAFETY: the caller keeps the plan alive and does not change it.
    run(unsafe { &*plan }, 0)
}

/// Where the second child starts, which carries out what comes after [`Action::Clone`].
///
/// # Safety
/// As for [`main`].
#[inline(never)]
unsafe extern "C" fn second(plan: *const Plan) -> ! {
    // SAFETY: as in `main`.
    let plan = unsafe { &*plan };
    run(plan, plan.second_from.unwrap_or(0))
}

/// Where the program's process starts, if PID 1 is another.
///
/// # Safety
/// As for [`main`].
#[inline(never)]
unsafe extern "C" fn program(plan: *const Plan) -> ! {
    // SAFETY: as in `main`.
    let plan = unsafe { &*plan };
    match init::wait_at_gate(plan) {
        Ok(()) => run(plan, plan.program_from.unwrap_or(0)),
        Err(errno) => plan.mailbox.fail(errno),
    }
    exit()
}

fn run(plan: &Plan, first: usize) -> ! {
    for (number, op) in plan.ops.iter().enumerate().skip(first) {
        plan.mailbox.begin(number as u32);
        let done = match op.action {
            Action::Clone(kinds) => match second::clone(plan, kinds) {
                Ok(pid) => {
                    plan.mailbox.set_second(pid);
                    if plan.copies {
                        // The kernel tells of the program's process only while somebody else has its memory.
                        init::until_program_runs(plan);
                    }
                    break;
                }
                Err(errno) => Err(errno),
            },
            Action::Init(ref init) => init::start(init, plan),
            // SAFETY: the pointers in an action are valid as long as the plan.
            _ => unsafe { carry_out(&op.action, plan) },
        };
        if let Err(errno) = done {
            plan.mailbox.fail(errno);
            break;
        }
    }
    exit()
}

fn exit() -> ! {
    loop {
        // SAFETY: exit_group has no arguments in memory.
        unsafe { syscall(libc::SYS_exit_group, [127, 0, 0, 0, 0]) };
    }
}

/// # Safety
/// The pointers in `action` are valid.
unsafe fn carry_out(action: &Action, plan: &Plan) -> Outcome<()> {
    // SAFETY: the caller's promise is handed on to each system call.
    unsafe {
        match *action {
            Action::EnterGroup(fd) => check(libc::SYS_write, [fd as usize, c"0".as_ptr() as usize, 1, 0, 0])?,
            Action::Unshare(kinds) => check(libc::SYS_unshare, [kinds.bits() as usize, 0, 0, 0, 0])?,
            Action::WriteFile { path, data, len } => return write_file(path, data, len),
            Action::WriteSetting { path, data, len } => match write_file(path, data, len) {
                Err(libc::ENOENT) => return Ok(()),
                done => return done,
            },
            Action::HandOver { proc, link, over } => {
                let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
                let opened = check(libc::SYS_openat, [proc as usize, link as usize, flags, 0, 0])?;
                return hand_over::send(opened as c_int, over);
            }
            Action::Socket { domain, kind, protocol, over } => {
                let kind = (kind | libc::SOCK_CLOEXEC) as usize;
                let socket = check(libc::SYS_socket, [domain as usize, kind, protocol as usize, 0, 0])?;
                return hand_over::send(socket as c_int, over);
            }
            Action::Join { fd, kind, .. } => {
                check(libc::SYS_setns, [fd as usize, kind.bits() as usize, 0, 0, 0])?
            }
            Action::DropGroups => return unless(libc::EPERM, check(libc::SYS_setgroups, [0; 5])),
            Action::BecomeRoot => {
                unless(libc::EINVAL, check(libc::SYS_setresgid, [0; 5]))?;
                return unless(libc::EINVAL, check(libc::SYS_setresuid, [0; 5]));
            }
            // Done where the second child starts.
            Action::Clone(_) | Action::Init(_) => return Ok(()),
            Action::AwaitParent { host } => return await_parent(plan, host),
            Action::SetHostname { name, len } => check(libc::SYS_sethostname, [name as usize, len, 0, 0, 0])?,
            Action::SetDomainname { name, len } => {
                check(libc::SYS_setdomainname, [name as usize, len, 0, 0, 0])?
            }
            Action::Mount { source, target, fstype, flags, data } => check(
                libc::SYS_mount,
                [source as usize, target as usize, fstype as usize, flags as usize, data as usize],
            )?,
            Action::View(ref change) => return view::make(change),
            Action::ChangeDirectory { path } => check(libc::SYS_chdir, [path as usize, 0, 0, 0, 0])?,
            Action::EnterDirectory(fd) => check(libc::SYS_fchdir, [fd as usize, 0, 0, 0, 0])?,
            Action::ChangeRoot => check(libc::SYS_chroot, [c".".as_ptr() as usize, 0, 0, 0, 0])?,
            Action::LoopbackUp => return loopback::bring_up(),
            Action::NewSession => check(libc::SYS_setsid, [0; 5])?,
            Action::ControllingTerminal(fd) => {
                check(libc::SYS_ioctl, [fd as usize, libc::TIOCSCTTY as usize, 0, 0, 0])?
            }
            Action::KeepCapabilities => return capabilities::keep_over_uid_change(),
            Action::SetGroups { groups, count } => {
                check(libc::SYS_setgroups, [count, groups as usize, 0, 0, 0])?
            }
            Action::SetGid(id) => check(libc::SYS_setresgid, [id as usize, id as usize, id as usize, 0, 0])?,
            Action::SetUid(id) => check(libc::SYS_setresuid, [id as usize, id as usize, id as usize, 0, 0])?,
            Action::RaiseAmbient => return capabilities::raise_ambient(),
            Action::KeepOnly { keep, bounding } => return capabilities::keep_only(keep, bounding),
            Action::Control { option, argument } => {
                check(libc::SYS_prctl, [option as usize, argument, 0, 0, 0])?
            }
            Action::SetLimit { resource, limit } => {
                check(libc::SYS_prlimit64, [0, resource as usize, limit as usize, 0, 0])?
            }
            Action::SetPriority(nice) => {
                check(libc::SYS_setpriority, [libc::PRIO_PROCESS as usize, 0, nice as usize, 0, 0])?
            }
            Action::SetAffinity { mask, len } => {
                check(libc::SYS_sched_setaffinity, [0, len, mask as usize, 0, 0])?
            }
            Action::SetUmask(mask) => check(libc::SYS_umask, [mask as usize, 0, 0, 0, 0])?,
            Action::SetPersonality(personality) => {
                check(libc::SYS_personality, [personality as usize, 0, 0, 0, 0])?
            }
            Action::Landlock(ref rules) => return landlock::restrict(rules),
            Action::NotifyFilter { program, socket } => return notify::install(program, socket),
            Action::Filter { program } => {
                let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
                check(libc::SYS_seccomp, [mode, 0, program as usize, 0, 0])?
            }
            Action::Descriptor { from, to } => return descriptors::place(from, to),
            Action::Close { first, last } => return descriptors::close(first, last),
            Action::ResetSignals => return signals::reset(),
            Action::Execute { candidates, argv, envp } => return execute(candidates, argv, envp),
        };
    }
    Ok(())
}

/// This failure is none.
fn unless(errno: i32, outcome: Outcome<usize>) -> Outcome<()> {
    match outcome {
        Err(failed) if failed != errno => Err(failed),
        _ => Ok(()),
    }
}

/// # Safety
/// `path` is a string, `data` has `len` bytes.
unsafe fn write_file(path: *const c_char, data: *const u8, len: usize) -> Outcome<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as usize;
        let fd = check(libc::SYS_openat, [libc::AT_FDCWD as usize, path as usize, flags, 0, 0])?;
        let written = check(libc::SYS_write, [fd, data as usize, len, 0, 0]);
        check(libc::SYS_close, [fd, 0, 0, 0, 0])?;
        match written? {
            all if all == len => Ok(()),
            _ => Err(libc::EIO),
        }
    }
}

/// Asks for the parent's part and sleeps until it is done.
fn await_parent(plan: &Plan, host: c_int) -> Outcome<()> {
    let word = plan.mailbox.word() as usize;
    // If the parent dies now, nobody will answer; nor if it has died before this, which getppid(2) in a new pid namespace does not tell.
    let set = libc::PR_SET_PDEATHSIG as usize;
    let mut parent = libc::pollfd { fd: host, events: libc::POLLIN, revents: 0 };
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: numbers, and structs that live until the call returns.
    unsafe {
        check(libc::SYS_prctl, [set, libc::SIGKILL as usize, 0, 0, 0])?;
        check(libc::SYS_ppoll, [&raw mut parent as usize, 1, &raw const at_once as usize, 0, 0])?;
    }
    if parent.revents != 0 {
        return Err(libc::ESRCH);
    }
    plan.mailbox.set_state(state::ASKING);
    // SAFETY: the word lives in the plan; a futex of shared kind, as both sides use it.
    unsafe {
        check(libc::SYS_futex, [word, libc::FUTEX_WAKE as usize, 1, 0, 0])?;
        while plan.mailbox.state() == state::ASKING {
            // A spurious return is as good as a wake: the word decides.
            let _ = check(libc::SYS_futex, [word, libc::FUTEX_WAIT as usize, state::ASKING as usize, 0, 0]);
        }
        check(libc::SYS_prctl, [set, 0, 0, 0, 0])?;
    }
    Ok(())
}

/// Tries one place after the other, as execvp(3) does: what is missing is passed over, what may
/// not be executed is remembered, anything else is final.
///
/// # Safety
/// All three are tables of strings that end with NULL.
unsafe fn execute(
    mut candidates: *const *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Outcome<()> {
    let mut refused = None;
    loop {
        // SAFETY: the caller's promise; `candidates` has not gone past its NULL.
        let failed =
            unsafe { check(libc::SYS_execve, [*candidates as usize, argv as usize, envp as usize, 0, 0]) };
        match failed {
            Err(libc::EACCES) => refused = Some(libc::EACCES),
            Err(libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ESTALE | libc::ETIMEDOUT) => {}
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(()),
        }
        // SAFETY: as above.
        unsafe {
            candidates = candidates.add(1);
            if ptr::eq(*candidates, ptr::null()) {
                return Err(refused.or(failed.err()).unwrap_or(libc::ENOENT));
            }
        }
    }
}
