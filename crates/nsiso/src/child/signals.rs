//! A clean start for signals: defaults for all, none blocked.

use super::syscall::{Outcome, check};

/// Signals are numbered from 1 to this.
const LAST: usize = 64;

/// What the kernel, not the C library, calls `struct sigaction`; all zero is SIG_DFL.
#[repr(C)]
struct KernelAction([usize; 4]);

/// `CLONE_CLEAR_SIGHAND` spares what is ignored, and clone(2) spares everything, so each one is set.
/// The order matters: nothing may be delivered to a handler of the host's.
pub(super) fn reset() -> Outcome<()> {
    let default = KernelAction([0; 4]);
    let none_blocked = 0u64;
    // SAFETY: both structs are what the kernel wants and live until the calls return.
    unsafe {
        for signal in 1..=LAST {
            if signal != libc::SIGKILL as usize && signal != libc::SIGSTOP as usize {
                check(libc::SYS_rt_sigaction, [signal, &raw const default as usize, 0, size_of::<u64>(), 0])?;
            }
        }
        let set = libc::SIG_SETMASK as usize;
        check(libc::SYS_rt_sigprocmask, [set, &raw const none_blocked as usize, 0, size_of::<u64>(), 0])?;
    }
    Ok(())
}
