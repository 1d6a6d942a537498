//! Signals blocked on the calling thread.

/// As the kernel sees a signal set. The C library's calls would leave out the two signals it uses
/// itself, and one of their handlers would then run in the child.
type SignalSet = u64;

/// Blocks every signal until it is dropped, so that no handler runs in a child that shares the
/// memory.
pub(super) struct SignalsBlocked {
    before: SignalSet,
}

impl SignalsBlocked {
    pub fn new() -> Self {
        SignalsBlocked { before: set_mask(SignalSet::MAX) }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        set_mask(self.before);
    }
}

fn set_mask(mask: SignalSet) -> SignalSet {
    let mut before: SignalSet = 0;
    // SAFETY: both sets have the size that is said.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut before,
            size_of::<SignalSet>(),
        );
    }
    before
}

/// Takes a signal that the kernel has sent for something that the library has done, while it is
/// blocked.
pub(super) fn take_signal(signal: libc::c_int) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the set, which sigemptyset fills in; the signal's description is not asked
    // for.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const at_once);
    }
}
