//! What keeps a namespace alive.

use std::ffi::CString;

bitflags::bitflags! {
    /// The ways in which a namespace is held, as a set of flags.
    ///
    /// ```
    /// use nsiso::{Held, Query};
    ///
    /// let listing = Query::new().list()?;
    /// let pinned = listing.iter().filter(|namespace| namespace.held() == Held::MOUNTS);
    /// println!("{} namespaces are kept by bind mounts alone", pinned.count());
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Held: u32 {
        /// Processes are in the namespace.
        const PROCESSES = 1;
        /// Threads are in the namespace whose thread group leader is not.
        const THREADS = 2;
        /// A file descriptor of the namespace is open in some process.
        const DESCRIPTORS = 4;
        /// A socket belongs to the network namespace, and the process that has the socket open is
        /// in another one. `socket(7)`.
        const SOCKETS = 8;
        /// The namespace is bind-mounted, as by `ip netns add`.
        const MOUNTS = 16;
        /// The future children of a thread will be in the pid namespace, `pid_namespaces(7)`. It
        /// may have no init process yet.
        const PID_FOR_CHILDREN = 32;
        /// The future children of a thread, or the program that it executes, will be in the time
        /// namespace, `time_namespaces(7)`.
        const TIME_FOR_CHILDREN = 64;
        /// The namespace is the parent or the owner of another namespace in the listing.
        const DESCENDANTS = 128;
    }
}

/// Something other than a process in the namespace that keeps the namespace alive.
///
/// ```
/// use std::os::fd::AsFd;
/// use nsiso::{Holder, Kinds, Query, Spec};
///
/// let held = Spec::new("none")?.map_root().hold(Kinds::NET)?;
/// let listing = Query::new().kinds(Kinds::NET).list()?;
/// let namespace = listing.find_fd(held[0].as_fd())?.unwrap();
/// let mut holders = namespace.holders();
/// assert!(holders.any(|holder| matches!(holder, Holder::Descriptor { .. })));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(tag = "how", rename_all = "snake_case"))]
pub enum Holder {
    /// A thread whose namespace differs from that of its thread group leader.
    Thread {
        /// The pid of the thread's process.
        pid: i32,
        /// The thread id.
        tid: i32,
    },
    /// An open file descriptor of the namespace.
    Descriptor {
        /// The pid of the process that has it open.
        pid: i32,
        /// The number of the file descriptor in that process.
        fd: i32,
    },
    /// A socket that was created in the network namespace.
    Socket {
        /// The pid of the process that has it open. If several processes do, one of them.
        pid: i32,
        /// The number of the file descriptor in that process.
        fd: i32,
    },
    /// A bind mount of the namespace.
    Mount {
        /// The pid of a process that is in the mount namespace.
        pid: i32,
        /// The inode of the mount namespace that contains the mount.
        mount_namespace: u64,
        /// The mount point, relative to the root directory of that process.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serialize::lossy"))]
        path: CString,
    },
    /// A thread whose future children will be in the pid namespace.
    PidForChildren {
        /// The pid of the thread's process.
        pid: i32,
        /// The thread id.
        tid: i32,
    },
    /// A thread whose future children will be in the time namespace.
    TimeForChildren {
        /// The pid of the thread's process.
        pid: i32,
        /// The thread id.
        tid: i32,
    },
}

impl Holder {
    /// Returns the flag of [`Held`] for this kind of holder.
    pub fn how(&self) -> Held {
        match self {
            Holder::Thread { .. } => Held::THREADS,
            Holder::Descriptor { .. } => Held::DESCRIPTORS,
            Holder::Socket { .. } => Held::SOCKETS,
            Holder::Mount { .. } => Held::MOUNTS,
            Holder::PidForChildren { .. } => Held::PID_FOR_CHILDREN,
            Holder::TimeForChildren { .. } => Held::TIME_FOR_CHILDREN,
        }
    }
}
