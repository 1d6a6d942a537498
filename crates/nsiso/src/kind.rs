//! The eight kinds of namespace and sets of them, under their names in `namespaces(7)`.

use std::fmt;

bitflags::bitflags! {
    /// A set of namespace kinds. The bits are those of `CLONE_NEW*` in `clone(2)`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Kinds: u64 {
        /// Clock offsets, `time_namespaces(7)`. Linux 5.6.
        const TIME = libc::CLONE_NEWTIME as u64;
        /// Mount points, `mount_namespaces(7)`.
        const MNT = libc::CLONE_NEWNS as u64;
        /// The cgroup root, `cgroup_namespaces(7)`.
        const CGROUP = libc::CLONE_NEWCGROUP as u64;
        /// Host name and NIS domain name, `uts_namespaces(7)`.
        const UTS = libc::CLONE_NEWUTS as u64;
        /// System V IPC and POSIX message queues, `ipc_namespaces(7)`.
        const IPC = libc::CLONE_NEWIPC as u64;
        /// User and group ids and capabilities, `user_namespaces(7)`.
        const USER = libc::CLONE_NEWUSER as u64;
        /// Process ids, `pid_namespaces(7)`.
        const PID = libc::CLONE_NEWPID as u64;
        /// Network devices, addresses, ports, `network_namespaces(7)`.
        const NET = libc::CLONE_NEWNET as u64;
    }
}

/// Each kind with the name it has under `/proc/PID/ns`.
pub(crate) const NAMES: [(Kinds, &str); 8] = [
    (Kinds::USER, "user"),
    (Kinds::PID, "pid"),
    (Kinds::MNT, "mnt"),
    (Kinds::NET, "net"),
    (Kinds::IPC, "ipc"),
    (Kinds::UTS, "uts"),
    (Kinds::TIME, "time"),
    (Kinds::CGROUP, "cgroup"),
];

/// The places in [`NAMES`] of the kinds that are treated in a way of their own.
pub(crate) const USER: usize = 0;
pub(crate) const PID: usize = 1;
pub(crate) const MNT: usize = 2;
pub(crate) const NET: usize = 3;
pub(crate) const TIME: usize = 6;

/// The place in [`NAMES`] of a name.
pub(crate) fn place(name: &str) -> Option<usize> {
    NAMES.iter().position(|(_, known)| *known == name)
}

impl Kinds {
    /// The kind with this name under `/proc/PID/ns`.
    pub fn from_name_in_proc(name: &str) -> Option<Self> {
        place(name).map(|place| NAMES[place].0)
    }

    /// The names of the kinds in the set, as under `/proc/PID/ns`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(kind, _)| self.contains(*kind)).map(|(_, name)| *name)
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.names().enumerate() {
            write!(f, "{}{name}", if n == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}
