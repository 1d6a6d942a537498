//! A clean start for signals: defaults for all, and for the program none blocked.

use super::syscall::{Outcome, check};

/// Signals are numbered from 1 to this.
const LAST: usize = 64;

/// What the kernel, not the C library, calls `struct sigaction`; all zero is SIG_DFL.
#[repr(C)]
struct KernelAction([usize; 4]);

/// Defaults first: nothing may be delivered to a handler of the host's.
pub(super) fn reset() -> Outcome<()> {
    to_defaults()?;
    let none_blocked = 0u64;
    let set = libc::SIG_SETMASK as usize;
    // SAFETY: the set lives until the call returns.
    unsafe {
        check(libc::SYS_rt_sigprocmask, [set, &raw const none_blocked as usize, 0, size_of::<u64>(), 0])?
    };
    Ok(())
}

/// What is blocked stays so. `CLONE_CLEAR_SIGHAND` spares what is ignored, and clone(2) spares everything, so each one is set.
pub(super) fn to_defaults() -> Outcome<()> {
    let default = KernelAction([0; 4]);
    for signal in 1..=LAST {
        if signal != libc::SIGKILL as usize && signal != libc::SIGSTOP as usize {
            let action = &raw const default as usize;
            // SAFETY: the struct is what the kernel wants and lives until the call returns.
            unsafe { check(libc::SYS_rt_sigaction, [signal, action, 0, size_of::<u64>(), 0])? };
        }
    }
    Ok(())
}
