//! Names of groups, which tell whose they are, so that those of dead owners are found and removed.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::files::write;
use super::group::gone;
use crate::handle::own_inode;
use crate::kind;

const PREFIX: &str = "nsiso-";

/// The owner's pid, the time it was started and the pid namespace that both are of, so that whoever comes later can tell whether it is alive;
/// and what is ours alone.
pub(super) fn name() -> String {
    let pid = std::process::id();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    // SAFETY: no arguments.
    let thread = unsafe { libc::gettid() };
    format!("{PREFIX}{pid}.{}.{}-{now:x}-{thread}", started(pid).unwrap_or(0), pid_namespace().unwrap_or(0))
}

fn pid_namespace() -> Option<u64> {
    own_inode(kind::PID).ok()
}

fn started(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may have anything in it.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Removes the groups in `parent` whose owners are dead.
pub(super) fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some([pid, start, namespace]) = name.to_str().and_then(owner) else { continue };
        // Nothing is known of those in other pid namespaces.
        if pid_namespace() == Some(namespace) && started(pid as u32) != Some(start) && !gone(&entry.path()) {
            // Whoever still runs in it keeps it; but nobody is left to thaw it.
            let _ = write(&entry.path().join("cgroup.freeze"), "0");
            let _ = write(&entry.path().join("freezer.state"), "THAWED");
        }
    }
}

/// The numbers of whoever made a group.
fn owner(name: &str) -> Option<[u64; 3]> {
    let mut numbers = name.strip_prefix(PREFIX)?.split_once('-')?.0.split('.').map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_owner() {
        let own = owner(&name()).unwrap();
        assert_eq!(own[0], u64::from(std::process::id()));
        assert_eq!((Some(own[1]), Some(own[2])), (started(std::process::id()), pid_namespace()));
        for other in ["nsiso-", "nsiso-x.1.2-3", "nsiso-1.2-3", "docker-1.2.3-4"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }
}
