//! The plan: the actions that the library writes down and the helper carries out.
//!
//! A plan is a memfd. Its first page is the [`Page`], which both sides map shared. The helper maps
//! the rest privately: the [`Header`], and the data that its actions refer to. A [`Ref`] counts
//! bytes from the header, so a plan is valid at any address.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicI32, AtomicU32};

use super::kernel::{c_int, c_uint, c_ulong};

/// Size of the plan's first page in the file, in bytes.
pub(crate) const PAGE: usize = 4096;

/// What the helper and its child report to the library. A running program that is as privileged as
/// the helper was may have overwritten it, so the library checks what it reads.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Page {
    /// The helper's thread id with `FUTEX_WAITERS`. When the helper executes the program or ends,
    /// the kernel sets `FUTEX_OWNER_DIED` and wakes the library, `set_robust_list(2)`. Without
    /// `FUTEX_WAITERS` the helper holds a lock on the plan's file until then, `fcntl(2)`.
    pub owner: AtomicU32,
    /// Index of the current action.
    pub progress: AtomicU32,
    /// Errno of that action if it failed, else 0.
    pub errno: AtomicI32,
    /// Pid of the child that the helper has made, or 0. The kernel writes it.
    pub child: AtomicI32,
    /// Nonzero once the child has executed the program, has ended or stays as the init process. The
    /// helper sets this, so it stays 0 if the helper is killed.
    pub settled: AtomicU32,
    /// Errno if the helper could not wait for the child, else 0. The child is then killed.
    pub wait_errno: AtomicI32,
}

/// A place in the plan, in bytes from its header; 0 for none.
#[repr(transparent)]
pub(crate) struct Ref<T>(u32, PhantomData<*const T>);

impl<T> Ref<T> {
    pub const NONE: Self = Ref(0, PhantomData);

    pub const fn at(offset: u32) -> Self {
        Ref(offset, PhantomData)
    }

    pub const fn offset(self) -> usize {
        self.0 as usize
    }

    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<T> {}

impl<T> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// A NUL-terminated string.
pub(crate) type Text = Ref<u8>;

/// An array of values.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Table<T> {
    pub first: Ref<T>,
    pub len: u32,
}

impl<T> Table<T> {
    pub const NONE: Self = Table { first: Ref::NONE, len: 0 };
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Table<T> {}

/// Offsets of strings, then 0. The helper turns them into the pointers that `execve(2)` takes.
pub(crate) type Strings = Ref<u64>;

/// The start of a plan.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub actions: Table<Action>,
    /// Descriptors of the caller whose close-on-exec flag was cleared for the helper.
    pub inherited: Table<c_int>,
    /// Whether only `mount(2)` makes mounts; see [`Classic`].
    pub classic: Classic,
    /// If nobody waits for the outcome, the helper writes a failure to descriptor 2: the text for
    /// the action, and the text for the errno from `causes`.
    pub words: Table<Text>,
    pub causes: Table<Text>,
}

/// Whether the newer mount calls are missing. Mounts are then prepared in a tmpfs of their own.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Classic {
    No,
    /// The caller's mounts may still propagate into the view.
    Yes,
    /// The view's mounts are private.
    Private,
}

/// One action of the helper. Descriptor numbers are those of the caller. All descriptors of the
/// helper are close-on-exec, except those that [`Action::Descriptor`] puts in place.
#[repr(C, u32)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// Restore the capabilities of the caller's thread, which exec may have changed.
    SetCapabilities(Capabilities),
    /// Open the caller's `/proc`, for later actions that write files below it.
    OpenProc,
    /// Enter a cgroup through its `cgroup.procs` or `tasks`. `born`: a process that was made in the
    /// cgroup of version 2 is already there.
    EnterGroup {
        fd: c_int,
        born: bool,
    },
    /// Make new namespaces.
    Unshare(c_int),
    /// Enter the time namespace that was made for children.
    EnterOwnTime,
    /// Write a file below `/proc` with one write(2).
    WriteProc(WriteProc),
    /// Open a namespace link below `/proc`, and send its descriptor over `socket`.
    SendNamespace {
        link: Text,
        socket: c_int,
    },
    /// Make a socket, and send it over `socket`.
    SendSocket {
        domain: c_int,
        kind: c_int,
        protocol: c_int,
        socket: c_int,
    },
    /// Join an existing namespace.
    Join {
        fd: c_int,
        kind: c_int,
        inode: u64,
    },
    /// Drop supplementary groups, unless the user namespace forbids setgroups(2).
    DropGroups,
    /// Become uid 0 and gid 0, each if it is mapped.
    BecomeRoot,
    /// Make a child of the caller, in new namespaces of these kinds and in the cgroup v2 directory
    /// `cgroup`, unless that is -1. The child carries out the remaining actions.
    Clone {
        kinds: c_int,
        socket: c_int,
        cgroup: c_int,
    },
    /// Ask for the parent set-up, and wait until it is done. `parent` is the parent's pidfd, or -1
    /// if a child does the set-up: `child` is then its pid, and the helper reaps it.
    AwaitParent {
        socket: c_int,
        parent: c_int,
        child: c_int,
        dumpable: bool,
    },
    SetHostname(Table<u8>),
    SetDomainname(Table<u8>),
    Mount {
        source: Text,
        target: Text,
        fstype: Text,
        flags: c_ulong,
        data: Text,
    },
    /// Do one operation on the file system view.
    Rootfs(MountOp),
    ChangeDirectory(Text),
    /// Change to a directory that is open.
    EnterDirectory(c_int),
    /// Make the working directory the root directory.
    ChangeRoot,
    LoopbackUp,
    NewSession,
    /// Make a terminal the controlling terminal of the session.
    ControllingTerminal(c_int),
    /// Fork the program's process, which carries out the remaining actions; stay as its init.
    Init(Init),
    /// Keep the permitted capabilities across the change of uid.
    KeepCapabilities,
    SetGroups(Table<u32>),
    SetGid(u32),
    SetUid(u32),
    /// Make every permitted capability inheritable and ambient.
    RaiseAmbient,
    /// Drop all capabilities but `keep`. `bounding`: fail if the bounding set cannot be reduced.
    KeepOnly {
        keep: u64,
        bounding: bool,
    },
    /// `prctl(2)`.
    Control {
        option: c_int,
        argument: usize,
    },
    SetLimit(Limit),
    SetPriority(c_int),
    SetAffinity(Table<u64>),
    SetUmask(u32),
    SetPersonality(u32),
    Landlock(Ruleset),
    /// Install a seccomp filter.
    Seccomp(Table<u64>),
    /// Install a seccomp filter that asks the caller, and send its listener over `socket`.
    NotifyFilter {
        program: Table<u64>,
        socket: c_int,
    },
    /// Duplicate `from` to the number `to`, without close-on-exec.
    Descriptor {
        from: c_int,
        to: c_int,
    },
    /// Close a range of descriptors, both ends included.
    Close {
        first: c_uint,
        last: c_uint,
    },
    /// Unblock all signals. `all`: reset every signal to its default. Otherwise only SIGPIPE and
    /// SIGXFSZ, which the kernel sends for a pipe without a reader and a file that is too large.
    ResetSignals {
        all: bool,
    },
    /// Execute the first candidate that can be executed. `program` is for messages.
    Execute {
        program: Text,
        candidates: Table<Text>,
        argv: Strings,
        envp: Strings,
    },
}

/// The capability sets of a thread, `capabilities(7)`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub ambient: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriteProc {
    pub path: Text,
    pub data: Table<u8>,
    /// The file may be missing.
    pub optional: bool,
    /// An ordinary user may write this file of the process only while the process is dumpable.
    pub dumpable: bool,
}

/// Options of the init process. A missing descriptor is -1.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Init {
    /// The pipe to which the [`Report`] is written.
    pub report: c_int,
    /// Pidfd of the process whose end also ends the namespace.
    pub parent: c_int,
    /// Nanoseconds from now until the namespace ends; 0 for never.
    pub deadline: u64,
    pub wait_for_all: bool,
    /// Execute the helper again, so that its memory belongs to its own user namespace. An ordinary
    /// caller, who owns that, can then open its namespaces, but no process inside may trace it.
    pub anew: bool,
}

/// What the init process writes when the program has ended.
#[repr(C)]
pub(crate) struct Report {
    pub timed_out: u32,
    /// The wait status, as `wait(2)` returns it.
    pub status: i32,
    /// `struct rusage`.
    pub usage: [u64; 18],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub resource: u32,
    pub soft: u64,
    pub hard: u64,
}

/// A Landlock ruleset. The helper makes it where the program's paths are visible.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ruleset {
    /// `struct landlock_ruleset_attr`; `size` is how much of it the kernel knows.
    pub attributes: Ref<[u64; 3]>,
    pub size: usize,
    pub paths: Table<PathRule>,
    pub ports: Table<PortRule>,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathRule {
    pub path: Text,
    /// Skip the rule if the path cannot be reached.
    pub optional: bool,
    pub access: u64,
    /// The rights that a rule for a file (not a directory) may have.
    pub of_files: u64,
}

/// `struct landlock_net_port_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortRule {
    pub access: u64,
    pub port: u64,
}

/// One operation on the file system view.
#[repr(C, u32)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum MountOp {
    /// Open the mount tree at `source` and put its descriptor into `slot`. If `fd` is not -1,
    /// `source` must still lead to the file that `fd` refers to.
    Open {
        source: Text,
        fd: c_int,
        recursive: bool,
        optional: bool,
        slot: Slot,
    },
    /// Mount the tmpfs in which mount(2) prepares mounts.
    Prepare,
    /// Mount what [`MountOp::Open`] has put into `slot`.
    Bind {
        source: Text,
        slot: Slot,
        recursive: bool,
        attributes: Attributes,
        at: Place,
    },
    /// Mount a new file system.
    Filesystem {
        kind: Text,
        options: Options,
        attributes: u64,
        at: Place,
    },
    /// Mount an overlay. `thrown_away`: its layer is [`UPPER`] and [`WORK`] in a new tmpfs.
    /// `optional`: `lower` may have been removed since the plan was made.
    Overlay {
        lower: Text,
        options: Options,
        thrown_away: bool,
        optional: bool,
        attributes: u64,
        at: Place,
    },
    Dir {
        mode: u32,
        at: Place,
    },
    Symlink {
        to: Text,
        at: Place,
    },
    File {
        data: Table<u8>,
        mode: u32,
        at: Place,
    },
    /// Hide a directory under an empty tmpfs with these options, or a file under `/dev/null`.
    Mask {
        options: Options,
        at: Place,
    },
    Chmod {
        mode: u32,
        at: Place,
    },
    ReadOnly {
        recursive: bool,
        optional: bool,
        at: Place,
    },
    Propagation {
        flag: u64,
        at: Place,
    },
    /// Make the working directory the root, and detach the old root.
    Pivot,
    /// Change to a directory of the view.
    Enter {
        path: Text,
        optional: bool,
    },
}

/// Directories in the tmpfs that is the writable layer of an overlay.
pub(crate) const UPPER: &core::ffi::CStr = c"upper";
pub(crate) const WORK: &core::ffi::CStr = c"work";

/// Where the helper keeps a descriptor: -1 until it is open.
pub(crate) type Slot = Ref<AtomicI32>;

/// Attributes for `mount_setattr(2)`. `id_map` is the descriptor of a user namespace, or -1.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    pub set: u64,
    pub id_map: c_int,
}

impl Attributes {
    pub fn of(set: u64) -> Self {
        Attributes { set, id_map: -1 }
    }
}

/// A target in the view. `parts` has an entry for each directory on the way and one for the target:
/// its path and its last component. An entry of none ends it. `/` has no parts.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub path: Text,
    pub parts: Ref<[Text; 2]>,
}

/// The options of a file system. `each` has one entry for each option and ends with a name of none.
/// `joined` is the string for mount(2), or none if mount(2) cannot take these options.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub each: Ref<[Text; 2]>,
    pub joined: Text,
}
