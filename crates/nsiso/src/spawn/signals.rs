//! Blocks signals on the calling thread, and takes signals that the library has caused.

/// The kernel's signal set. The C library's calls leave out the two signals that it uses itself,
/// and one of their handlers would then run in the child.
type SignalSet = u64;

/// Blocks every signal until dropped, so that no handler runs in a child that shares the memory.
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
    // SAFETY: both sets have the size passed.
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

/// Takes a blocked signal that the kernel has sent because of something that the library did.
pub(super) fn take_signal(signal: libc::c_int) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for the set, which sigemptyset fills in; no siginfo is requested.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const at_once);
    }
}
