//! Makes the helper's child processes. Each has its own copy of the helper's few private pages.

use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::kernel::{self, c_int, clone_args};
use super::plan::Page;
use super::send_fd;
use super::syscall::{Outcome, check, syscall};

/// Whether this process was made in its cgroup v2 (CLONE_INTO_CGROUP).
static BORN_IN_CGROUP: AtomicBool = AtomicBool::new(false);

pub(super) fn is_born_in_cgroup() -> bool {
    BORN_IN_CGROUP.load(Ordering::Relaxed)
}

/// Makes a child in new namespaces of these `kinds`. Its parent is the caller, as for the helper.
/// Returns in the child, or if this fails. The helper waits until the child has executed the
/// program or has failed, sends its pidfd to the caller, and exits.
///
/// `cgroup` is a cgroup v2 directory, or -1. `with_init`: the child stays as the init process, and
/// closes a pipe to tell the helper that its own child runs.
pub(super) fn clone(page: &Page, kinds: c_int, socket: c_int, cgroup: c_int, with_init: bool) -> Outcome<()> {
    let pipe = if with_init { Some(Pipe::new()?) } else { None };
    let mut pidfd: c_int = -1;
    let wait = if with_init { 0 } else { kernel::CLONE_VFORK };
    let flags = kinds | wait | kernel::CLONE_PARENT | kernel::CLONE_PARENT_SETTID;
    let mut args = clone_args {
        flags: (flags | kernel::CLONE_PIDFD) as u64,
        pidfd: &raw mut pidfd as u64,
        parent_tid: page.child.as_ptr() as u64,
        ..clone_args::default()
    };
    let mut made = Err(kernel::EACCES);
    if cgroup >= 0 {
        // Moving there later would wait for a lock over all processes of the machine.
        BORN_IN_CGROUP.store(true, Ordering::Relaxed);
        args.flags |= kernel::CLONE_INTO_CGROUP;
        args.cgroup = cgroup as u64;
        made = clone3(&args);
        args.flags &= !kernel::CLONE_INTO_CGROUP;
    }
    // If the kernel refuses that, the child enters the cgroup itself and reports why it cannot.
    if let Err(
        kernel::EACCES
        | kernel::EAGAIN
        | kernel::EBADF
        | kernel::EBUSY
        | kernel::EINVAL
        | kernel::ENOSYS
        | kernel::ENOTSUP
        | kernel::EPERM,
    ) = made
    {
        BORN_IN_CGROUP.store(false, Ordering::Relaxed);
        made = match clone3(&args) {
            // A container's seccomp filter may refuse clone3, whose flags it cannot inspect. clone
            // takes all but the pidfd, which would share an argument with the pid.
            // SAFETY: both processes continue here, each in its own memory.
            Err(kernel::ENOSYS | kernel::EPERM) => unsafe {
                check(kernel::SYS_clone, [flags as usize, 0, page.child.as_ptr() as usize])
            },
            made => made,
        };
    }
    let pid = match made {
        Ok(0) => return Ok(()),
        Ok(pid) => pid,
        Err(errno) => {
            page.child.store(0, Ordering::Relaxed);
            return Err(errno);
        }
    };
    if let Some(pipe) = pipe
        && let Err(errno) = pipe.wait_for_end()
    {
        page.wait_errno.store(errno, Ordering::Relaxed);
        // The parent reports a failure, so the program must not run.
        // SAFETY: numbers. Nobody has reaped the child yet.
        let _ = unsafe { check(kernel::SYS_kill, [pid, kernel::SIGKILL as usize]) };
    }
    // SAFETY: integer arguments only.
    if pidfd < 0
        && let Ok(opened) = unsafe { check(kernel::SYS_pidfd_open, [pid]) }
    {
        pidfd = opened as c_int;
    }
    // A process that traced the child until now may have overwritten the pid.
    page.child.store(pid as i32, Ordering::Relaxed);
    page.settled.store(1, Ordering::Release);
    // If this fails, the caller opens the process by its pid.
    let _ = send_fd::send(b'p', pidfd, socket);
    exit(0)
}

fn clone3(args: &clone_args) -> Outcome<usize> {
    // The first version of the struct ends before `set_tid` and has no cgroup.
    let size = match args.flags & kernel::CLONE_INTO_CGROUP {
        0 => core::mem::offset_of!(clone_args, set_tid),
        _ => size_of::<clone_args>(),
    };
    // SAFETY: both processes continue here, each in its own memory. The struct's pointers are
    // valid.
    unsafe { check(kernel::SYS_clone3, [&raw const *args as usize, size]) }
}

/// A pipe whose write end the init process and its child hold. Both ends are close-on-exec.
struct Pipe {
    read: c_int,
    write: c_int,
}

/// The write end of the pipe plus 1, for the init process; 0 if there is no pipe.
static PIPE: AtomicI32 = AtomicI32::new(0);

/// The descriptor whose closing tells the helper that the init process is ready, or -1.
pub(super) fn ready_end() -> c_int {
    PIPE.load(Ordering::Relaxed) - 1
}

impl Pipe {
    fn new() -> Outcome<Self> {
        let mut ends = [0i32; 2];
        // SAFETY: room for two numbers.
        unsafe { check(kernel::SYS_pipe2, [&raw mut ends as usize, kernel::O_CLOEXEC as usize])? };
        let [read, write] = ends;
        PIPE.store(write + 1, Ordering::Relaxed);
        Ok(Pipe { read, write })
    }

    /// Waits until no process has the write end. No other thread of this process can have it.
    fn wait_for_end(self) -> Outcome<()> {
        let mut byte = 0u8;
        // SAFETY: integers, and room for a byte.
        unsafe {
            check(kernel::SYS_close, [self.write as usize])?;
            check(kernel::SYS_read, [self.read as usize, &raw mut byte as usize, 1])?;
        }
        Ok(())
    }
}

/// Forks the program's process as a child of the init process. Returns its pid once it has executed
/// the program or has ended, and `None` in the child.
pub(super) fn fork() -> Outcome<Option<usize>> {
    let flags = (kernel::CLONE_VFORK | kernel::SIGCHLD) as usize;
    // SAFETY: both processes continue here, each in its own memory.
    match unsafe { check(kernel::SYS_clone, [flags])? } {
        0 => Ok(None),
        pid => Ok(Some(pid)),
    }
}

pub(super) fn exit(code: usize) -> ! {
    loop {
        // SAFETY: an integer argument only.
        unsafe { syscall(kernel::SYS_exit_group, [code, 0, 0, 0, 0, 0]) };
    }
}
