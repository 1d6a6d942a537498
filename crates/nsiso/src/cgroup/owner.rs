//! [`Owner`]: the process that created a cgroup, identified by the cgroup's name. `sweep` removes
//! the cgroups of dead owners.

use std::fmt;
use std::fs;
use std::os::fd::AsFd;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;

use crate::handle::own_inode;
use crate::{kind, pidfd};

const PREFIX: &str = "nsiso-";

/// A process, in a form that can be written into a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pid: i32,
    /// The inode of the pid namespace that `pid` is a number of.
    pid_namespace: u64,
    identity: Identity,
}

/// Distinguishes a process from a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Identity {
    /// The inode of its pidfd in pidfs, which no other process ever gets, about Linux 6.9.
    Inode(u64),
    /// Its start time, as processes in one time namespace read it. The kernel adds the reader's
    /// offset of the boot time clock, so readers in other time namespaces cannot compare it.
    Start { time_namespace: u64, ticks: u64 },
    /// Neither could be read.
    Unknown,
}

impl Owner {
    /// The calling process.
    pub fn this_process() -> Self {
        let pid = std::process::id() as i32;
        // Inodes of namespaces are never 0.
        let pid_namespace = own_inode(kind::PID).unwrap_or(0);
        Owner { pid, pid_namespace, identity: Identity::of_this_process(pid) }
    }

    /// A new, unused name for a cgroup of this owner.
    pub fn group_name(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        // SAFETY: no arguments.
        let thread = unsafe { libc::gettid() };
        format!("{PREFIX}{self}-{now:x}-{thread}")
    }

    /// The owner of a cgroup with this name. None for a cgroup that this library did not create.
    pub fn of_group(name: &str) -> Option<Self> {
        let (owner, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
        let mut parts = owner.splitn(3, '.');
        let pid: i32 = parts.next()?.parse().ok()?;
        let pid_namespace = parts.next()?.parse().ok()?;
        let identity = Identity::parse(parts.next()?)?;
        (pid > 0).then_some(Owner { pid, pid_namespace, identity })
    }

    /// Whether the owner is certainly dead. A value that cannot be read or compared proves nothing:
    /// the caller may be out of descriptors, or in other namespaces.
    pub fn is_dead(&self) -> bool {
        if own_inode(kind::PID).ok() != Some(self.pid_namespace) {
            return false;
        }
        let pidfd = match pidfd::open(self.pid) {
            Ok(pidfd) => pidfd,
            // The pid is free, or that of a thread. The kernel reports a thread as EINVAL, since
            // Linux 6.15 as ENOENT.
            Err(Errno::ESRCH | Errno::EINVAL | Errno::ENOENT) => return true,
            Err(_) => return false,
        };
        let differs = match self.identity {
            Identity::Inode(inode) => pidfd::inode(pidfd.as_fd()).map(|found| found != inode),
            Identity::Start { time_namespace, .. } if own_time_namespace() != Some(time_namespace) => None,
            // The pid as /proc counts it, which may have been mounted in another pid namespace.
            Identity::Start { ticks, .. } => pidfd::pid_of(pidfd.as_fd())
                .and_then(|pid| started(&format!("/proc/{pid}/stat")))
                .map(|found| found != ticks),
            Identity::Unknown => None,
        };
        differs == Some(true)
    }
}

impl Identity {
    fn of_this_process(pid: i32) -> Self {
        if let Ok(pidfd) = pidfd::open(pid)
            && let Some(inode) = pidfd::inode(pidfd.as_fd())
        {
            return Identity::Inode(inode);
        }
        Identity::start_of_this_process().unwrap_or(Identity::Unknown)
    }

    fn start_of_this_process() -> Option<Self> {
        let time_namespace = own_time_namespace()?;
        Some(Identity::Start { time_namespace, ticks: started("/proc/self/stat")? })
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("i", inode) => Some(Identity::Inode(inode.parse().ok()?)),
            ("s", numbers) => {
                let (time_namespace, ticks) = numbers.split_once('.')?;
                Some(Identity::Start {
                    time_namespace: time_namespace.parse().ok()?,
                    ticks: ticks.parse().ok()?,
                })
            }
            ("u", "") => Some(Identity::Unknown),
            _ => None,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.pid, self.pid_namespace, self.identity)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Inode(inode) => write!(f, "i{inode}"),
            Identity::Start { time_namespace, ticks } => write!(f, "s{time_namespace}.{ticks}"),
            Identity::Unknown => write!(f, "u"),
        }
    }
}

/// The inode of the caller's time namespace; 0 if the kernel has no time namespaces.
fn own_time_namespace() -> Option<u64> {
    match own_inode(kind::TIME) {
        Ok(inode) => Some(inode),
        Err(error) if error.errno() == libc::ENOENT => Some(0),
        Err(_) => None,
    }
}

/// The start time of a process, in clock ticks, from its file `stat`.
fn started(stat: &str) -> Option<u64> {
    let text = fs::read_to_string(stat).ok()?;
    // The program's name, in parentheses, may contain any bytes.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_owner_back() {
        let own = Owner::this_process();
        let [start, unknown] = [Identity::start_of_this_process().unwrap(), Identity::Unknown]
            .map(|identity| Owner { identity, ..own });
        for owner in [own, start, unknown] {
            assert_eq!(Owner::of_group(&owner.group_name()), Some(owner));
            assert!(!owner.is_dead(), "{owner}");
        }
        for name in [
            "nsiso-",
            "nsiso-x.1.i2-3",
            "nsiso-1.2.i3",
            "nsiso-1.2-3",
            "nsiso-1.2.3-4",
            "nsiso-0.1.i2-3",
            "nsiso-1.1.s2-3",
            "nsiso-1.1.ux-3",
            "nsiso-1.1.\u{e9}-3",
            "docker-1.2.i3-4",
        ] {
            assert_eq!(Owner::of_group(name), None, "{name}");
        }
    }

    #[test]
    fn only_proof_makes_an_owner_dead() {
        let own = Owner::this_process();
        let time_namespace = own_time_namespace().unwrap();
        let start = |time_namespace, ticks| Identity::Start { time_namespace, ticks };
        let dead = |owner: Owner| owner.is_dead();
        // Another process has this process's pid now.
        if matches!(own.identity, Identity::Inode(_)) {
            assert!(dead(Owner { identity: Identity::Inode(1), ..own }));
        }
        assert!(dead(Owner { identity: start(time_namespace, 1), ..own }));
        // Its start time cannot be compared, or is unknown.
        assert!(!dead(Owner { identity: start(time_namespace + 1, 1), ..own }));
        assert!(!dead(Owner { identity: Identity::Unknown, ..own }));
        // Pids of another pid namespace cannot be looked up here.
        let elsewhere = Owner { pid_namespace: own.pid_namespace + 1, ..own };
        assert!(!dead(Owner { identity: Identity::Inode(1), ..elsewhere }));
        assert!(!dead(Owner { pid: i32::MAX, ..elsewhere }));
        // No process has the pid, whatever the identity is; or it is the id of a thread.
        for identity in [own.identity, start(time_namespace + 1, 1), Identity::Unknown] {
            assert!(dead(Owner { pid: i32::MAX, identity, ..own }));
        }
        let thread = std::thread::spawn(move || {
            // SAFETY: no arguments.
            dead(Owner { pid: unsafe { libc::gettid() }, ..own })
        });
        assert!(thread.join().unwrap());
    }
}
