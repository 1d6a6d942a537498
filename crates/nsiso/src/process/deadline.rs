//! [`Deadline`]: when the init process of a program ends everything, and when a waiter does so in
//! its place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The deadline of an init process. By default there is none.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    /// The earliest time that the init process may take for its deadline.
    due: Option<Instant>,
    /// When a waiter kills what is left of an overdue program, and the pause after that.
    next: Mutex<Option<(Instant, Duration)>>,
    /// Whether a waiter has killed the init process.
    killed: AtomicBool,
    /// Whether the cgroup is frozen. No waiter kills then.
    held: AtomicBool,
}

impl Deadline {
    /// The init process was started between `begun` and now.
    pub fn after(time: Option<Duration>, begun: Instant) -> Self {
        // The init process itself kills all others at the deadline.
        const GRACE: Duration = Duration::from_secs(1);
        const FIRST_PAUSE: Duration = Duration::from_millis(20);
        let from = |start: Instant| time.and_then(|time| start.checked_add(time));
        let next = from(Instant::now()).and_then(|latest| Some((latest.checked_add(GRACE)?, FIRST_PAUSE)));
        Deadline { due: from(begun), next: Mutex::new(next), ..Deadline::default() }
    }

    pub fn has_expired(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }

    pub fn has_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    pub fn next_kill(&self) -> Option<Instant> {
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.filter(|_| !self.held.load(Ordering::Relaxed)).map(|(time, _)| time)
    }

    /// Calls `kill` if it is time to. It returns whether the init process was there to be killed.
    pub fn at_next_kill(&self, kill: impl FnOnce() -> bool) {
        const LONGEST_PAUSE: Duration = Duration::from_secs(1);
        if self.next_kill().is_none_or(|time| Instant::now() < time) {
            return;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if kill() {
            self.killed.store(true, Ordering::Relaxed);
        }
        // Processes may fork while they are being killed.
        *next = next.map(|(_, pause)| (Instant::now() + pause, (pause * 2).min(LONGEST_PAUSE)));
    }
}
