//! Kills the descendants of an init process that is overdue. The kernel kills them when the init
//! process exits, but they may keep it from running: with its priority lowered it hardly gets a
//! processor.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd;

use crate::pidfd::{open, send_signal};

/// Gives a process its ordinary share of the processors again, as far as the caller may. It is
/// about to end.
pub(super) fn let_run(pid: i32) {
    // SAFETY: all zeros is a valid value of both.
    let (parameters, mut all): (libc::sched_param, libc::cpu_set_t) = unsafe { std::mem::zeroed() };
    for cpu in 0..libc::CPU_SETSIZE as usize {
        // SAFETY: the number is below the size of the set.
        unsafe { libc::CPU_SET(cpu, &mut all) };
    }
    // SAFETY: integers, and structs that are valid for reading.
    unsafe {
        libc::sched_setscheduler(pid, libc::SCHED_OTHER, &parameters);
        libc::setpriority(libc::PRIO_PROCESS, pid as libc::id_t, 0);
        libc::sched_setaffinity(pid, size_of_val(&all), &all);
    }
}

/// A process at one moment. Its pid alone could be another process's later.
#[derive(Clone, Copy)]
struct Seen {
    pid: i32,
    parent: i32,
    started: u64,
}

/// Kills all descendants of an init process in a pid namespace below the caller's. Does nothing
/// where /proc shows another pid namespace than the caller's.
pub(super) fn kill_descendants(init: i32) {
    if own_pids() != [std::process::id() as i32] {
        return;
    }
    let Some(init) = Seen::now(init) else { return };
    let mut children: HashMap<i32, Vec<Seen>> = HashMap::new();
    for seen in processes().filter_map(Seen::now) {
        children.entry(seen.parent).or_default().push(seen);
    }
    let mut found = vec![init];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let its = children.get(&parent.pid).into_iter().flatten();
        // A process that has got the pid of a parent has other children.
        found.extend(its.filter(|_| parent.is_still_there()));
    }
    found[1..].iter().for_each(kill);
}

fn kill(seen: &Seen) {
    let Ok(pidfd) = open(seen.pid) else { return };
    // A process of the caller's own pid namespace has one pid only, and none of them is inside.
    if seen.is_still_there() && pids_in(&format!("/proc/{}/status", seen.pid)).len() > 1 {
        let _ = send_signal(pidfd.as_fd(), seen.pid, libc::SIGKILL);
    }
}

impl Seen {
    /// Reads the parent and the start time, the 4th and the 22nd field of proc_pid_stat(5).
    fn now(pid: i32) -> Option<Self> {
        // The name of a process, before the last parenthesis, may have any bytes.
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let after = text.iter().rposition(|byte| *byte == b')')? + 2;
        let mut fields = std::str::from_utf8(text.get(after..)?).ok()?.split(' ');
        let parent = fields.nth(1)?.parse().ok()?;
        Some(Seen { pid, parent, started: fields.nth(17)?.parse().ok()? })
    }

    fn is_still_there(&self) -> bool {
        Seen::now(self.pid).is_some_and(|now| now.started == self.started)
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn own_pids() -> Vec<i32> {
    pids_in("/proc/self/status")
}

/// The pids of a process: the first in the pid namespace of /proc, the last in its own.
fn pids_in(status: &str) -> Vec<i32> {
    let text = fs::read(status).unwrap_or_default();
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
    let pids = line.and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let own = std::process::id() as i32;
        // SAFETY: a string that ends with NUL.
        unsafe { libc::prctl(libc::PR_SET_NAME, c") \xff (".as_ptr()) };
        let seen = Seen::now(own).unwrap();
        // SAFETY: no arguments.
        assert_eq!((seen.pid, seen.parent), (own, unsafe { libc::getppid() }));
        assert_eq!(own_pids(), [own]);
        assert!(processes().any(|pid| pid == own));
    }
}
