//! The host's dumpable flag, which a child that changes its uid takes away, `PR_SET_DUMPABLE(2const)`.
//!
//! The flag belongs to the memory that the child shares, so it belongs to the process as a whole,
//! and so does the count here: without it a spawn would take for the host's own wish what the child
//! of a spawn on another thread has just done.

use std::sync::atomic::{AtomicU64, Ordering};

/// From the top: how often a guard was made (so that a count which has gone up and down again is
/// told from one that has not moved), the flag before the first of them, and how many there are.
static GUARDS: AtomicU64 = AtomicU64::new(0);

const COUNT: u64 = 0x00FF_FFFF;
const WAS_SET: u64 = 1 << 24;
const MADE: u64 = 1 << 32;

/// While it lives, a child may clear the flag; when dropped, the flag is as before.
pub(super) struct Dumpable {
    was_set: bool,
}

impl Dumpable {
    /// With `hide` the flag is cleared at once.
    pub fn guard(hide: bool) -> Self {
        loop {
            let guards = GUARDS.load(Ordering::Acquire);
            let was_set = match guards & COUNT {
                0 => get(),
                _ => guards & WAS_SET != 0,
            };
            let flag = if was_set { WAS_SET } else { 0 };
            let next = (guards & !WAS_SET | flag).wrapping_add(MADE + 1);
            if GUARDS.compare_exchange(guards, next, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                if hide {
                    set(false);
                }
                return Dumpable { was_set };
            }
        }
    }
}

/// A moment, to ask later whether the flag may have been away since.
pub(super) struct Moment(u64);

impl Moment {
    pub fn now() -> Self {
        Moment(GUARDS.load(Ordering::Acquire))
    }

    /// Whether a guard lived then or has been made since.
    pub fn flag_was_away(&self) -> bool {
        self.0 & COUNT != 0 || self.0 != GUARDS.load(Ordering::Acquire)
    }
}

impl Drop for Dumpable {
    fn drop(&mut self) {
        // Before the count goes down: whoever finds it at 0 reads the flag itself.
        if self.was_set {
            set(true);
        }
        GUARDS.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Only the value 1 means that the process's owner may look into it.
fn get() -> bool {
    // SAFETY: numbers only.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE) == 1 }
}

fn set(flag: bool) {
    // SAFETY: numbers only.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(flag)) };
}
