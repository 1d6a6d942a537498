//! Resets signal handling before the program is executed.
//!
//! The library blocked all signals before it made the helper. exec(2) has removed handlers, but
//! kept ignored signals ignored.

use super::kernel;
use super::syscall::{Outcome, check};

/// The highest signal number.
const LAST: usize = 64;

/// The kernel's `struct sigaction`; all zero is SIG_DFL.
#[repr(C)]
struct Disposition([usize; 4]);

/// Resets dispositions, then unblocks signals: a pending one must not meet an old disposition.
///
/// `all`: resets every signal. Otherwise only SIGPIPE and SIGXFSZ, which callers such as Python
/// ignore.
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

/// Sets SIGCHLD to its default, so that children can be waited for. Returns whether it was ignored.
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

/// Makes SIGCHLD ignored again, if it was.
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
