//! The memory through which parent and child talk while the child still shares it.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// One word for the state and some for the news. The kernel itself writes `RELEASED` and wakes the
/// parent when the child execs or dies (`CLONE_CHILD_CLEARTID`), so nothing has to be closed,
/// polled or read to the end.
#[derive(Debug)]
pub(crate) struct Mailbox {
    state: AtomicU32,
    /// The action that is being done: an index into the plan's actions.
    progress: AtomicU32,
    /// 0, or why that action failed.
    errno: AtomicI32,
    /// The second child, where there is one: its pid, 0 until it is made, and the pidfd, which the kernel writes.
    second: AtomicI32,
    second_pidfd: AtomicI32,
}

/// A second child, as the first one leaves it.
pub(crate) enum Second {
    Made {
        pid: i32,
        pidfd: i32,
    },
    NotMade,
    /// The first one was killed while it was at it.
    Unknown,
}

/// What the state word says.
pub(crate) mod state {
    /// The child no longer uses the memory.
    pub const RELEASED: u32 = 0;
    /// The child is at work.
    pub const RUNNING: u32 = 1;
    /// The child waits for the parent's part.
    pub const ASKING: u32 = 2;
    /// The parent has done its part.
    pub const ANSWERED: u32 = 3;
}

impl Mailbox {
    pub fn new() -> Self {
        Mailbox {
            state: AtomicU32::new(state::RUNNING),
            progress: AtomicU32::new(0),
            errno: AtomicI32::new(0),
            second: AtomicI32::new(0),
            second_pidfd: AtomicI32::new(-1),
        }
    }

    /// The word that futex(2) and the kernel work on.
    pub fn word(&self) -> *mut u32 {
        self.state.as_ptr()
    }

    pub fn state(&self) -> u32 {
        self.state.load(Ordering::Acquire)
    }

    pub fn set_state(&self, state: u32) {
        self.state.store(state, Ordering::Release);
    }

    /// The parent has done its part, if the child still waits: a dead one must stay `RELEASED`.
    pub fn answer(&self) {
        let (asking, answered) = (state::ASKING, state::ANSWERED);
        let _ = self.state.compare_exchange(asking, answered, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The child begins with action number `op`.
    pub fn begin(&self, op: u32) {
        self.progress.store(op, Ordering::Relaxed);
    }

    /// The action begun last has failed.
    pub fn fail(&self, errno: i32) {
        self.errno.store(errno, Ordering::Relaxed);
    }

    /// The second child has been made.
    pub fn set_second(&self, pid: i32) {
        self.second.store(pid, Ordering::Release);
    }

    /// What has become of the second child, once the first one has ended.
    pub fn second(&self) -> Second {
        let pidfd = self.second_pidfd.load(Ordering::Acquire);
        match self.second.load(Ordering::Acquire) {
            // The kernel writes the pidfd before all that may still fail, and closes it again if it does.
            0 if pidfd < 0 || self.errno().is_some() => Second::NotMade,
            0 => Second::Unknown,
            pid => Second::Made { pid, pidfd },
        }
    }

    /// Where the kernel writes the pidfd.
    pub fn second_pidfd(&self) -> *mut i32 {
        self.second_pidfd.as_ptr()
    }

    /// The action begun last, once the child has released the memory.
    pub fn progress(&self) -> usize {
        self.progress.load(Ordering::Acquire) as usize
    }

    /// Why it failed, if it did.
    pub fn errno(&self) -> Option<i32> {
        match self.errno.load(Ordering::Acquire) {
            0 => None,
            errno => Some(errno),
        }
    }
}
