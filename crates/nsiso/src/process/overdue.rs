//! Kills the descendants of an init process that is overdue. The kernel kills them when the init
//! process exits, but they may keep it from running: with its priority lowered it hardly gets a
//! processor.

use std::fs;
use std::os::fd::AsFd;

use crate::pidfd::{open_process, send_signal};

/// Kills all descendants of a child of the calling process. Does nothing where /proc shows another
/// pid namespace than the caller's.
pub(super) fn kill_descendants(child: i32) {
    if parent_of(child) != Some(std::process::id() as i32) {
        return;
    }
    let parents: Vec<(i32, i32)> = processes().filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let mut found = vec![child];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    for &pid in &found[1..] {
        let Ok(pidfd) = open_process(pid, None) else { continue };
        // The pid may have been reused before the pidfd was opened.
        if parent_of(pid).is_some_and(|parent| found.contains(&parent)) {
            let _ = send_signal(pidfd.as_fd(), pid, libc::SIGKILL);
        }
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The parent of a process, the second field after its name, proc_pid_stat(5).
fn parent_of(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
