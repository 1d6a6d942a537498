//! Carries out the plan, action by action.

use core::sync::atomic::Ordering;

use super::kernel::{self, c_int};
use super::memory::as_pointers;
use super::plan::{Action, Header, Page, Strings, Text, WriteProc};
use super::syscall::{Outcome, check};
use super::{capabilities, descriptors, init, landlock, loopback, mount, parent, proc, processes};
use super::{rootfs, seccomp, send_fd, signals};

/// Becomes the program, or reports the failure in the page and exits.
pub(super) fn run(page: &Page, header: &Header) -> ! {
    mount::set_classic(header.classic);
    for fd in header.inherited.slice() {
        if let Err(errno) = descriptors::set_close_on_exec(*fd) {
            fail(page, header, errno);
        }
    }
    let actions = header.actions.slice();
    for (number, action) in actions.iter().enumerate() {
        page.progress.store(number as u32, Ordering::Relaxed);
        if matches!(action, Action::Join { .. } | Action::Rootfs(_)) {
            descriptors::leave_mount_namespace();
        }
        let done = match action {
            Action::Clone { kinds, socket, cgroup } => {
                let with_init = actions.iter().any(|action| matches!(action, Action::Init(_)));
                processes::clone(page, *kinds, *socket, *cgroup, with_init)
            }
            // SAFETY: the references of an action point into the plan.
            action => unsafe { carry_out(action) },
        };
        if let Err(errno) = done {
            fail(page, header, errno);
        }
    }
    processes::exit(0)
}

fn fail(page: &Page, header: &Header, errno: i32) -> ! {
    page.errno.store(errno, Ordering::Relaxed);
    let number = page.progress.load(Ordering::Relaxed) as usize;
    let executed = matches!(header.actions.slice().get(number), Some(Action::Execute { .. }));
    if let (Some(words), Some(cause)) =
        (header.words.slice().get(number), header.causes.slice().get(errno as usize))
    {
        for text in [*words, *cause] {
            write_error(text);
        }
    }
    // Exit codes as in a shell: 127 for not found, 126 for not executable.
    processes::exit(if executed && errno == kernel::ENOENT { 127 } else { 126 })
}

fn write_error(text: Text) {
    const STDERR: usize = 2;
    let mut end = text.pointer();
    // SAFETY: a NUL-terminated string of the plan.
    unsafe {
        while *end != 0 {
            end = end.add(1);
        }
        let len = end as usize - text.pointer() as usize;
        let _ = check(kernel::SYS_write, [STDERR, text.pointer() as usize, len]);
    }
}

/// # Safety
/// The references of `action` point into the plan.
unsafe fn carry_out(action: &Action) -> Outcome<()> {
    // SAFETY: guaranteed by the caller; integers, strings and tables of the plan.
    unsafe {
        match *action {
            Action::SetCapabilities(ref sets) => return capabilities::set(sets),
            Action::OpenProc => {
                proc::open();
                return Ok(());
            }
            Action::EnterGroup { born: true, .. } if processes::is_born_in_cgroup() => return Ok(()),
            Action::EnterGroup { fd, .. } => {
                check(kernel::SYS_write, [fd as usize, c"0".as_ptr() as usize, 1])?;
                check(kernel::SYS_close, [fd as usize])?
            }
            Action::Unshare(kinds) => check(kernel::SYS_unshare, [kinds as usize])?,
            Action::EnterOwnTime => {
                let fd = proc::open_in(c"self/ns/time_for_children".as_ptr(), kernel::O_RDONLY)?;
                let entered = check(kernel::SYS_setns, [fd, kernel::CLONE_NEWTIME as usize]);
                check(kernel::SYS_close, [fd])?;
                entered?
            }
            Action::WriteProc(ref file) => return write_proc(file),
            Action::SendNamespace { link, socket } => {
                let opened = proc::open_in(link.string(), kernel::O_RDONLY)?;
                return send_fd::send(b'n', opened as c_int, socket);
            }
            Action::SendSocket { domain, kind, protocol, socket } => {
                let kind = (kind | kernel::SOCK_CLOEXEC) as usize;
                let made = check(kernel::SYS_socket, [domain as usize, kind, protocol as usize])?;
                return send_fd::send(b's', made as c_int, socket);
            }
            Action::Join { fd, kind, .. } => {
                check(kernel::SYS_setns, [fd as usize, kind as usize])?;
                check(kernel::SYS_close, [fd as usize])?
            }
            Action::DropGroups => return unless(kernel::EPERM, check(kernel::SYS_setgroups, [0, 0])),
            Action::BecomeRoot => {
                unless(kernel::EINVAL, check(kernel::SYS_setresgid, [0, 0, 0]))?;
                return unless(kernel::EINVAL, check(kernel::SYS_setresuid, [0, 0, 0]));
            }
            // `run` has done it, since it knows whether an init process follows.
            Action::Clone { .. } => return Ok(()),
            Action::AwaitParent { socket, parent, child, dumpable } => {
                return parent::wait(socket, parent, child, dumpable);
            }
            Action::SetHostname(name) => {
                check(kernel::SYS_sethostname, [name.first.pointer() as usize, name.len as usize])?
            }
            Action::SetDomainname(name) => {
                check(kernel::SYS_setdomainname, [name.first.pointer() as usize, name.len as usize])?
            }
            Action::Mount { source, target, fstype, flags, data } => {
                let [source, target, fstype] = [source, target, fstype].map(|text| text.pointer() as usize);
                check(kernel::SYS_mount, [source, target, fstype, flags as usize, data.pointer() as usize])?
            }
            Action::Rootfs(ref op) => return rootfs::change(op),
            Action::ChangeDirectory(path) => check(kernel::SYS_chdir, [path.pointer() as usize])?,
            Action::EnterDirectory(fd) => check(kernel::SYS_fchdir, [fd as usize])?,
            Action::ChangeRoot => check(kernel::SYS_chroot, [c".".as_ptr() as usize])?,
            Action::LoopbackUp => return loopback::bring_up(),
            Action::NewSession => check(kernel::SYS_setsid, [])?,
            Action::ControllingTerminal(fd) => {
                check(kernel::SYS_ioctl, [fd as usize, kernel::TIOCSCTTY as usize, 0])?
            }
            Action::Init(ref init) => return init::start(init),
            Action::KeepCapabilities => return capabilities::keep_over_uid_change(),
            Action::SetGroups(groups) => {
                check(kernel::SYS_setgroups, [groups.len as usize, groups.first.pointer() as usize])?
            }
            Action::SetGid(id) => check(kernel::SYS_setresgid, [id as usize; 3])?,
            Action::SetUid(id) => check(kernel::SYS_setresuid, [id as usize; 3])?,
            Action::RaiseAmbient => return capabilities::raise_ambient(),
            Action::KeepOnly { keep, bounding } => return capabilities::keep_only(keep, bounding),
            Action::Control { option, argument } => check(kernel::SYS_prctl, [option as usize, argument])?,
            Action::SetLimit(ref limit) => {
                let limits = [limit.soft, limit.hard];
                check(kernel::SYS_prlimit64, [0, limit.resource as usize, &raw const limits as usize])?
            }
            Action::SetPriority(nice) => {
                check(kernel::SYS_setpriority, [kernel::PRIO_PROCESS as usize, 0, nice as usize])?
            }
            Action::SetAffinity(mask) => {
                let size = mask.len as usize * size_of::<u64>();
                check(kernel::SYS_sched_setaffinity, [0, size, mask.first.pointer() as usize])?
            }
            Action::SetUmask(mask) => check(kernel::SYS_umask, [mask as usize])?,
            Action::SetPersonality(personality) => check(kernel::SYS_personality, [personality as usize])?,
            Action::Landlock(ref rules) => return landlock::restrict(rules),
            Action::NotifyFilter { program, socket } => return seccomp::notify(program, socket),
            Action::Seccomp(program) => return seccomp::install(program),
            Action::Descriptor { from, to } => return descriptors::place(from, to),
            Action::Close { first, last } => return descriptors::close(first, last),
            Action::ResetSignals { all } => return signals::reset(all),
            Action::Execute { candidates, argv, envp, .. } => return execute(candidates.slice(), argv, envp),
        };
    }
    Ok(())
}

/// Treats a failure with this errno as success.
fn unless(errno: i32, outcome: Outcome<usize>) -> Outcome<()> {
    match outcome {
        Err(failed) if failed != errno => Err(failed),
        _ => Ok(()),
    }
}

fn write_proc(file: &WriteProc) -> Outcome<()> {
    let set_dumpable = |dumpable: bool| match file.dumpable {
        // SAFETY: integer arguments only.
        true => unsafe {
            check(kernel::SYS_prctl, [kernel::PR_SET_DUMPABLE as usize, usize::from(dumpable)]).map(drop)
        },
        false => Ok(()),
    };
    set_dumpable(true)?;
    // SAFETY: a NUL-terminated string of the plan.
    let opened = unsafe { proc::open_in(file.path.string(), kernel::O_WRONLY) };
    set_dumpable(false)?;
    let fd = match opened {
        Err(kernel::ENOENT) if file.optional => return Ok(()),
        opened => opened?,
    };
    // SAFETY: the data is in the plan.
    unsafe {
        let (data, len) = (file.data.first.pointer() as usize, file.data.len as usize);
        let written = check(kernel::SYS_write, [fd, data, len]);
        check(kernel::SYS_close, [fd])?;
        match written? {
            all if all == len => Ok(()),
            _ => Err(kernel::EIO),
        }
    }
}

/// Tries the candidates in turn, as execvp(3) does: it skips missing files, remembers EACCES, and
/// fails at once with any other error.
///
/// # Safety
/// `argv` and `envp` end with 0, and nothing else uses them.
unsafe fn execute(candidates: &[Text], argv: Strings, envp: Strings) -> Outcome<()> {
    // SAFETY: guaranteed by the caller.
    let (argv, envp) = unsafe { (as_pointers(argv) as usize, as_pointers(envp) as usize) };
    let (mut refused, mut missing) = (None, kernel::ENOENT);
    for candidate in candidates {
        // SAFETY: NUL-terminated strings of the plan.
        match unsafe { check(kernel::SYS_execve, [candidate.pointer() as usize, argv, envp]) } {
            Err(kernel::EACCES) => refused = Some(kernel::EACCES),
            Err(
                errno @ (kernel::ENOENT
                | kernel::ENOTDIR
                | kernel::ENODEV
                | kernel::ESTALE
                | kernel::ETIMEDOUT),
            ) => missing = errno,
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(()),
        }
    }
    Err(refused.unwrap_or(missing))
}
