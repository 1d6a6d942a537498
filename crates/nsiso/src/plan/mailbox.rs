//! The memory through which parent and child talk while the child still shares it.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::{Error, Result, Step};

/// One word for the state and some for the news. The kernel itself writes `RELEASED` and wakes the
/// parent when the child execs or dies (`CLONE_CHILD_CLEARTID`), so nothing has to be closed,
/// polled or read to the end.
pub(crate) struct Mailbox {
    words: NonNull<Words>,
    /// It is in memory that a child with a memory of its own shares, too.
    mapped: bool,
}

struct Words {
    state: AtomicU32,
    /// The action that is being done: an index into the plan's actions.
    progress: AtomicU32,
    /// 0, or why that action failed.
    errno: AtomicI32,
    /// The second child, where there is one: its pid, 0 until it is made, and the pidfd, which the kernel writes.
    second: AtomicI32,
    second_pidfd: AtomicI32,
    /// The program's process, where PID 1 is another: its pid, and 0 before and once it has let go of the memory. The kernel writes it.
    program: AtomicU32,
    /// The pipe that holds the program back until PID 1 shares no memory any more: its ends.
    gate: [AtomicI32; 2],
}

/// A second child, as the first one leaves it.
pub(crate) enum Second {
    Made {
        pid: i32,
        pidfd: i32,
    },
    NotMade,
    /// The first one is still at it, or was killed at it.
    Unknown {
        pidfd: i32,
    },
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
        let words = Box::leak(Box::new(Words::new()));
        Mailbox { words: NonNull::from(words), mapped: false }
    }

    /// For a child with a memory of its own.
    pub fn between_memories() -> Result<Self> {
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let map = unsafe { libc::mmap(ptr::null_mut(), size_of::<Words>(), access, flags, -1, 0) };
        match NonNull::new(map.cast::<Words>()).filter(|_| map != libc::MAP_FAILED) {
            Some(words) => {
                // SAFETY: the mapping is large enough, and aligned to a page.
                unsafe { words.write(Words::new()) };
                Ok(Mailbox { words, mapped: true })
            }
            None => Err(Error::last_os(Step::Prepare, "memory to share with the child")),
        }
    }

    fn words(&self) -> &Words {
        // SAFETY: ours until we are dropped, and changed through atomics alone.
        unsafe { self.words.as_ref() }
    }

    /// The word that futex(2) and the kernel work on.
    pub fn word(&self) -> *mut u32 {
        self.words().state.as_ptr()
    }

    pub fn state(&self) -> u32 {
        self.words().state.load(Ordering::Acquire)
    }

    pub fn set_state(&self, state: u32) {
        self.words().state.store(state, Ordering::Release);
    }

    /// The parent has done its part, if the child still waits: a dead one must stay `RELEASED`.
    pub fn answer(&self) {
        let (asking, answered) = (state::ASKING, state::ANSWERED);
        let _ = self.words().state.compare_exchange(asking, answered, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The child begins with action number `op`.
    pub fn begin(&self, op: u32) {
        self.words().progress.store(op, Ordering::Relaxed);
    }

    /// The action begun last has failed.
    pub fn fail(&self, errno: i32) {
        self.words().errno.store(errno, Ordering::Relaxed);
    }

    /// The second child has been made.
    pub fn set_second(&self, pid: i32) {
        self.words().second.store(pid, Ordering::Release);
    }

    /// What has become of the second child, once the first one has ended.
    pub fn second(&self) -> Second {
        let pidfd = self.words().second_pidfd.load(Ordering::Acquire);
        match self.words().second.load(Ordering::Acquire) {
            // The kernel writes the pidfd before all that may still fail, and closes it again if it does.
            0 if pidfd < 0 || self.errno().is_some() => Second::NotMade,
            0 => Second::Unknown { pidfd },
            pid => Second::Made { pid, pidfd },
        }
    }

    /// Where the kernel writes the pidfd.
    pub fn second_pidfd(&self) -> *mut i32 {
        self.words().second_pidfd.as_ptr()
    }

    /// The word of the program's process, for futex(2) and the kernel.
    pub fn program(&self) -> *mut u32 {
        self.words().program.as_ptr()
    }

    /// 0 once the program's process no longer uses the memory, or where there is none.
    pub fn program_there(&self) -> u32 {
        self.words().program.load(Ordering::Acquire)
    }

    pub fn set_gate(&self, read: i32, write: i32) {
        self.words().gate[0].store(read, Ordering::Relaxed);
        self.words().gate[1].store(write, Ordering::Relaxed);
    }

    pub fn gate(&self) -> [i32; 2] {
        [self.words().gate[0].load(Ordering::Relaxed), self.words().gate[1].load(Ordering::Relaxed)]
    }

    /// The action begun last, once the child has released the memory.
    pub fn progress(&self) -> usize {
        self.words().progress.load(Ordering::Acquire) as usize
    }

    /// Why it failed, if it did.
    pub fn errno(&self) -> Option<i32> {
        match self.words().errno.load(Ordering::Acquire) {
            0 => None,
            errno => Some(errno),
        }
    }
}

impl Words {
    fn new() -> Self {
        Words {
            state: AtomicU32::new(state::RUNNING),
            progress: AtomicU32::new(0),
            errno: AtomicI32::new(0),
            second: AtomicI32::new(0),
            second_pidfd: AtomicI32::new(-1),
            program: AtomicU32::new(0),
            gate: [AtomicI32::new(-1), AtomicI32::new(-1)],
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // SAFETY: made by `between_memories` or `new`, and used by nobody any more.
        unsafe {
            match self.mapped {
                true => drop(libc::munmap(self.words.as_ptr().cast(), size_of::<Words>())),
                false => drop(Box::from_raw(self.words.as_ptr())),
            }
        }
    }
}
