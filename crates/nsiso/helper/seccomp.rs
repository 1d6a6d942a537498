//! Installs seccomp filters from the plan, `seccomp(2)`.

use super::kernel::{self, c_int, sock_fprog};
use super::plan::Table;
use super::send_fd;
use super::syscall::{Outcome, check};

pub(super) fn install(program: Table<u64>) -> Outcome<()> {
    match set(program, 0) {
        // An earlier filter may refuse seccomp(2), as Docker's once did, but allow prctl(2).
        Err(kernel::EPERM | kernel::ENOSYS) => {
            let filter = of(program);
            let (option, mode) = (kernel::PR_SET_SECCOMP as usize, kernel::SECCOMP_MODE_FILTER as usize);
            // SAFETY: the struct lives until the call returns.
            unsafe { check(kernel::SYS_prctl, [option, mode, &raw const filter as usize]) }.map(drop)
        }
        done => done.map(drop),
    }
}

/// Installs a filter that asks the caller, `seccomp_unotify(2)`, and sends it the listener.
pub(super) fn notify(program: Table<u64>, socket: c_int) -> Outcome<()> {
    let listener = set(program, kernel::SECCOMP_FILTER_FLAG_NEW_LISTENER as usize)?;
    send_fd::send(b's', listener as c_int, socket)
}

fn set(program: Table<u64>, flags: usize) -> Outcome<usize> {
    let filter = of(program);
    let mode = kernel::SECCOMP_SET_MODE_FILTER as usize;
    // SAFETY: the struct lives until the call returns.
    unsafe { check(kernel::SYS_seccomp, [mode, flags, &raw const filter as usize]) }
}

fn of(program: Table<u64>) -> sock_fprog {
    sock_fprog { len: program.len as u16, filter: program.first.pointer() }
}
