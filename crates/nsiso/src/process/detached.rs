//! Keeps the processes whose [`Process`](super::Process) was dropped while they ran. Later calls of
//! the library reap them.
//!
//! This list is the only state that the library keeps. No thread and no signal handler serves it.
//! When the caller ends, the kernel makes init(1) the parent of the processes still on it.

use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::attachments::Attachments;
use crate::cgroup::Group;
use crate::pidfd::reap;

/// The first entry. A thread takes or returns the whole list by exchanging this pointer. A lock
/// would stay locked in a copy of the caller if fork(2) makes one while another thread holds it.
static FIRST: AtomicPtr<Detached> = AtomicPtr::new(ptr::null_mut());

/// The parts of a dropped [`Process`](super::Process) that are needed when the process ends.
pub(super) struct Detached {
    /// The pid of the caller that started it. A copy of the caller must neither reap it nor remove
    /// its cgroup.
    host: u32,
    pidfd: Arc<OwnedFd>,
    /// The program's cgroup, removed when the process has ended.
    group: Option<Group>,
    attachments: Attachments,
    next: *mut Detached,
}

impl Detached {
    pub fn new(host: u32, pidfd: Arc<OwnedFd>, group: Option<Group>, attachments: Attachments) -> Box<Self> {
        Box::new(Detached { host, pidfd, group, attachments, next: ptr::null_mut() })
    }

    /// Reaps a process that has ended and ends what belongs to it. A process that runs goes on the
    /// list.
    pub fn settle(mut self: Box<Self>) {
        if self.host != std::process::id() {
            std::mem::forget(self.group.take());
            self.attachments.go_on();
        } else if reap(self.pidfd.as_fd()) {
            self.attachments.end();
        } else {
            // The kernel removes links when the program's network namespace ends.
            self.attachments.links.clear();
            self.push();
        }
    }

    fn push(mut self: Box<Self>) {
        self.next = FIRST.load(Ordering::Relaxed);
        let entry = Box::into_raw(self);
        loop {
            // SAFETY: no other thread knows the entry before the exchange succeeds.
            let next = unsafe { &mut (*entry).next };
            match FIRST.compare_exchange_weak(*next, entry, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(first) => *next = first,
            }
        }
    }
}

/// Whether there are detached processes.
pub(super) fn any() -> bool {
    !FIRST.load(Ordering::Relaxed).is_null()
}

/// Reaps the detached processes that have ended, and removes their cgroups. Does not wait for
/// processes that run.
pub(super) fn reap_ended() {
    if !any() {
        return;
    }
    let mut next = FIRST.swap(ptr::null_mut(), Ordering::Acquire);
    while !next.is_null() {
        // SAFETY: `push` made the pointer of a box, and the thread that takes the list owns its
        // entries.
        let entry = unsafe { Box::from_raw(next) };
        next = entry.next;
        entry.settle();
    }
}
