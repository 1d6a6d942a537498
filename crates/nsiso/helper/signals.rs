//! What the program gets of the host's signal handling.
//!
//! All signals are blocked since the host's clone. Handlers went with exec; what the host ignores
//! is ignored.

use super::kernel;
use super::syscall::{Outcome, check};

/// Signals are numbered from 1 to this.
const LAST: usize = 64;

/// The kernel's `struct sigaction`; all zero is SIG_DFL.
#[repr(C)]
struct Disposition([usize; 4]);

/// Disposition first, then the mask: a pending signal must not meet the wrong one.
///
/// `all`: each signal is at its default. Else only those are that a host, as Python, ignores for
/// itself.
pub(super) fn reset(all: bool) -> Outcome<()> {
    for signal in 1..=LAST as i32 {
        let own = matches!(signal, kernel::SIGPIPE | kernel::SIGXFSZ);
        if (all || own) && signal != kernel::SIGKILL && signal != kernel::SIGSTOP {
            to_default(signal)?;
        }
    }
    let none_blocked = 0u64;
    let args = [kernel::SIG_SETMASK as usize, &raw const none_blocked as usize, 0, size_of::<u64>()];
    // SAFETY: the set lives until the call returns.
    unsafe { check(kernel::SYS_rt_sigprocmask, args) }.map(drop)
}

/// Children leave their status from now on. Returns whether SIGCHLD was ignored.
pub(super) fn listen_to_children() -> Outcome<bool> {
    const SIG_IGN: usize = 1;
    let mut before = Disposition([0; 4]);
    let place = &raw mut before as usize;
    // SAFETY: room for the struct.
    unsafe { check(kernel::SYS_rt_sigaction, [kernel::SIGCHLD as usize, 0, place, size_of::<u64>()])? };
    let Disposition([handler, ..]) = before;
    to_default(kernel::SIGCHLD)?;
    Ok(handler == SIG_IGN)
}

/// SIGCHLD is ignored again, if it was.
pub(super) fn restore_child(ignored: bool) -> Outcome<()> {
    set(kernel::SIGCHLD, &Disposition([usize::from(ignored), 0, 0, 0]))
}

fn to_default(signal: i32) -> Outcome<()> {
    set(signal, &Disposition([0; 4]))
}

fn set(signal: i32, to: &Disposition) -> Outcome<()> {
    let args = [signal as usize, &raw const *to as usize, 0, size_of::<u64>()];
    // SAFETY: the struct is what the kernel takes and lives until the call returns.
    unsafe { check(kernel::SYS_rt_sigaction, args) }.map(drop)
}
