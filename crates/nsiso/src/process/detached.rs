//! Processes whose handle was dropped while they ran. Later calls of the library reap them.
//!
//! This list is the only state that the library keeps. No thread and no signal handler looks after
//! it: the kernel gives what nobody reaps to init(1) when the host ends.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use nix::errno::Errno;

use crate::attachments::Attachments;
use crate::cgroup::Group;
use crate::pidfd::has_ended;

/// The first entry. The list is taken and given back as a whole by exchanging this pointer: a lock
/// would stay locked in a copy of the host, if fork(2) makes one while another thread holds it.
static FIRST: AtomicPtr<Detached> = AtomicPtr::new(ptr::null_mut());

/// What is left of a handle.
pub(super) struct Detached {
    /// The pid of the host that started it. A copy of the host must neither reap nor remove.
    host: u32,
    pidfd: Arc<OwnedFd>,
    /// Removed when the process has ended.
    group: Option<Group>,
    outside: Attachments,
    next: *mut Detached,
}

impl Detached {
    pub fn new(host: u32, pidfd: Arc<OwnedFd>, group: Option<Group>, outside: Attachments) -> Box<Self> {
        Box::new(Detached { host, pidfd, group, outside, next: ptr::null_mut() })
    }

    /// Ends what belongs to a process that has ended; one that runs goes on the list.
    pub fn settle(mut self: Box<Self>) {
        if self.host != std::process::id() {
            std::mem::forget(self.group.take());
            self.outside.go_on();
        } else if self.reap() {
            self.outside.end();
        } else {
            // The kernel removes links when the program's network namespace ends.
            self.outside.links.clear();
            self.push();
        }
    }

    /// Whether it has ended; if so, no zombie is left.
    fn reap(&self) -> bool {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
        let fd = self.pidfd.as_raw_fd() as libc::id_t;
        // SAFETY: `info` is valid for writing, and all zeros is valid for it.
        let reaped = Errno::result(unsafe { libc::waitid(libc::P_PIDFD, fd, info.as_mut_ptr(), options) });
        match reaped {
            // SAFETY: waitid has filled in the part that tells of a child, or left zeros.
            Ok(_) => unsafe { info.assume_init().si_pid() != 0 },
            // Another part of the host has reaped it, or it still runs and is not ours to reap.
            Err(_) => has_ended(self.pidfd.as_fd()),
        }
    }

    fn push(mut self: Box<Self>) {
        self.next = FIRST.load(Ordering::Relaxed);
        let entry = Box::into_raw(self);
        loop {
            // SAFETY: nobody else knows the entry before the exchange succeeds.
            let next = unsafe { &mut (*entry).next };
            match FIRST.compare_exchange_weak(*next, entry, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(first) => *next = first,
            }
        }
    }
}

/// Reaps the detached processes that have ended by now, and removes their groups. Does not wait for
/// those that run.
pub(super) fn reap_ended() {
    if FIRST.load(Ordering::Relaxed).is_null() {
        return;
    }
    let mut next = FIRST.swap(ptr::null_mut(), Ordering::Acquire);
    while !next.is_null() {
        // SAFETY: `push` made it of a box, and whoever takes the list owns its entries.
        let entry = unsafe { Box::from_raw(next) };
        next = entry.next;
        entry.settle();
    }
}
