//! Defines the eight kinds of namespace, sets of them, and their names, as in `namespaces(7)`.

use std::fmt;

bitflags::bitflags! {
    /// A set of namespace kinds. The bits are the `CLONE_NEW*` flags of `clone(2)`.
    ///
    /// A set displays as its names, joined by `+`: `user+pid`.
    ///
    /// ```
    /// use nsiso::Kinds;
    ///
    /// let kinds = Kinds::USER | Kinds::PID;
    /// assert_eq!(kinds.to_string(), "user+pid");
    /// assert_eq!(Kinds::from_name_in_proc("mnt"), Some(Kinds::MNT));
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Kinds: u64 {
        /// Offsets of the monotonic and boot-time clocks, `time_namespaces(7)`. Linux 5.6.
        const TIME = libc::CLONE_NEWTIME as u64;
        /// Mounts, `mount_namespaces(7)`.
        const MNT = libc::CLONE_NEWNS as u64;
        /// The root of the cgroup hierarchy, `cgroup_namespaces(7)`.
        const CGROUP = libc::CLONE_NEWCGROUP as u64;
        /// Host name and NIS domain name, `uts_namespaces(7)`.
        const UTS = libc::CLONE_NEWUTS as u64;
        /// System V IPC and POSIX message queues, `ipc_namespaces(7)`.
        const IPC = libc::CLONE_NEWIPC as u64;
        /// User ids, group ids and capabilities, `user_namespaces(7)`.
        const USER = libc::CLONE_NEWUSER as u64;
        /// Process ids, `pid_namespaces(7)`.
        const PID = libc::CLONE_NEWPID as u64;
        /// Network devices, addresses, routes and ports, `network_namespaces(7)`.
        const NET = libc::CLONE_NEWNET as u64;
    }
}

/// Each kind with its name below `/proc/PID/ns`.
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

/// The indices in [`NAMES`] of the kinds that need special code.
pub(crate) const USER: usize = 0;
pub(crate) const PID: usize = 1;
pub(crate) const MNT: usize = 2;
pub(crate) const NET: usize = 3;
pub(crate) const TIME: usize = 6;

/// The index in [`NAMES`] of a name.
pub(crate) fn place(name: &str) -> Option<usize> {
    NAMES.iter().position(|(_, known)| *known == name)
}

impl Kinds {
    /// Returns the kind with this name below `/proc/PID/ns`, such as `net` or `mnt`. None if there
    /// is no such kind.
    pub fn from_name_in_proc(name: &str) -> Option<Self> {
        place(name).map(|place| NAMES[place].0)
    }

    /// Iterates over the names of the kinds in the set, as below `/proc/PID/ns`.
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
