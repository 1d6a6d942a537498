//! Asks for the part of a spawn that only the parent can do, such as writing id maps, and waits.

use super::kernel::{self, c_int, pollfd, timespec};
use super::processes;
use super::syscall::{Outcome, check};

/// Asks over the socket and returns when the parent has answered. `parent` is the parent's pidfd,
/// or -1 if a child of this process answers: `child` is then its pid.
///
/// `dumpable`: newuidmap(1) accepts only a process whose files in /proc belong to its user.
pub(super) fn wait(socket: c_int, parent: c_int, child: c_int, dumpable: bool) -> Outcome<()> {
    let set = kernel::PR_SET_PDEATHSIG as usize;
    // SAFETY: integers, and values that live until the calls return.
    unsafe {
        // If the parent dies now, nobody answers. It may also have died already, which getppid(2)
        // does not tell in a new pid namespace.
        if parent >= 0 {
            check(kernel::SYS_prctl, [set, kernel::SIGKILL as usize])?;
            if has_ended(parent)? {
                return Err(kernel::ESRCH);
            }
        }
        if dumpable {
            check(kernel::SYS_prctl, [kernel::PR_SET_DUMPABLE as usize, 1])?;
        }
        check(kernel::SYS_write, [socket as usize, c"a".as_ptr() as usize, 1])?;
        let mut answer = 0u8;
        let read = check(kernel::SYS_read, [socket as usize, &raw mut answer as usize, 1])?;
        if dumpable {
            check(kernel::SYS_prctl, [kernel::PR_SET_DUMPABLE as usize, 0])?;
        }
        let status = collect(child);
        // The parent has ended, or refuses.
        if read == 0 || answer != b'g' {
            // The child has already written why.
            if status == Some(REPORTED) {
                processes::exit(REPORTED);
            }
            return Err(kernel::ESRCH);
        }
        if parent >= 0 {
            check(kernel::SYS_prctl, [set, 0])?;
        }
    }
    Ok(())
}

/// Exit code of a child that has written why it failed.
const REPORTED: usize = 126;

/// Reaps a child and returns its exit code. The program must not find a child that it did not make.
fn collect(child: c_int) -> Option<usize> {
    if child <= 0 {
        return None;
    }
    let mut status = 0i32;
    let args = [child as usize, &raw mut status as usize, kernel::WALL as usize, 0];
    // SAFETY: room for the status. All signals are blocked, so the wait is not interrupted.
    let waited = unsafe { check(kernel::SYS_wait4, args) };
    (waited.is_ok() && status & 0x7f == 0).then_some((status >> 8 & 0xff) as usize)
}

fn has_ended(process: c_int) -> Outcome<bool> {
    let mut poll = pollfd { fd: process, events: kernel::POLLIN, revents: 0 };
    let at_once = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: structs that live until the call returns.
    unsafe { check(kernel::SYS_ppoll, [&raw mut poll as usize, 1, &raw const at_once as usize])? };
    Ok(poll.revents != 0)
}
