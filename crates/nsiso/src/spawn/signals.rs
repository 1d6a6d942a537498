//! All signals blocked on the calling thread while the child shares its memory.

/// As the kernel sees a signal set. The C library's calls would leave out the two signals it uses
/// itself, and one of their handlers would then run in the child.
type SignalSet = u64;

/// Blocks every signal until it is dropped.
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
