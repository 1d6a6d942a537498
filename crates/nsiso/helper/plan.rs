//! The plan: what the library writes and the helper carries out.
//!
//! It is a memfd. Its first page is the [`Page`], which both sides map shared; what follows is
//! mapped privately by the helper: the [`Header`], and all that its actions refer to. A [`Ref`]
//! counts bytes from the header, so the plan means the same at any address.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicI32, AtomicU32};

use super::kernel::{c_int, c_uint, c_ulong};

/// The page of a plan comes first, and takes this many bytes of the file.
pub(crate) const PAGE: usize = 4096;

/// What the helper and its child tell the library. A program that is already running may have
/// written anything in here if it is as privileged as the helper was, so the library checks what it
/// reads.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Page {
    /// The helper's thread id with `FUTEX_WAITERS`. When the helper executes the program or ends,
    /// the kernel sets `FUTEX_OWNER_DIED` and wakes the library, `set_robust_list(2)`. Without
    /// `FUTEX_WAITERS` the helper has locked the plan's file until then, `fcntl(2)`.
    pub owner: AtomicU32,
    /// Which action is being carried out: its index.
    pub progress: AtomicU32,
    /// 0, or why that action failed.
    pub errno: AtomicI32,
    /// The pid of the process that the helper made, 0 if there is none. The kernel writes it.
    pub child: AtomicI32,
    /// Not 0 once that process has executed the program, has ended or stays as init: the helper
    /// says so. A helper that was killed does not.
    pub settled: AtomicU32,
    /// Why the helper could not wait for that process, which is ended then.
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

/// A string that ends with NUL.
pub(crate) type Text = Ref<u8>;

/// Several values in a row.
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

/// Strings, each by its offset, then 0: the helper makes pointers of them, as `execve(2)` takes
/// them.
pub(crate) type Strings = Ref<u64>;

/// What a plan begins with.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub actions: Table<Action>,
    /// Descriptors of the host's, which lost close-on-exec for the helper.
    pub inherited: Table<c_int>,
    /// Mounts are made by `mount(2)` alone; see [`Classic`].
    pub classic: Classic,
    /// Where nobody waits for the outcome, a failure is written to descriptor 2: the words for each
    /// action, and for each errno.
    pub words: Table<Text>,
    pub causes: Table<Text>,
}

/// Whether the newer calls for mounts are missing, so that mounts are made ready in a small file
/// system of their own.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Classic {
    No,
    /// Mounts of the host may still change those of the view.
    Yes,
    /// The view's mounts are private.
    Private,
}

/// One thing that the helper does. Numbers of descriptors are the host's own. All descriptors of
/// the helper are close-on-exec, but those that [`Action::Descriptor`] puts in their place.
#[repr(C, u32)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// Set the capabilities that the calling thread of the host has: exec may have changed them.
    SetCapabilities(Capabilities),
    /// Open the host's `/proc`, below which files are written later.
    OpenProc,
    /// Go into a cgroup: its `cgroup.procs` or `tasks`. `born`: a process that was made in the
    /// cgroup of version 2 is there already.
    EnterGroup {
        fd: c_int,
        born: bool,
    },
    /// Make new namespaces.
    Unshare(c_int),
    /// Enter the time namespace that was made for children.
    EnterOwnTime,
    /// Write a file below `/proc` in one go.
    WriteProc(WriteProc),
    /// Open a link below `/proc`, and send what it leads to over a socket.
    SendNamespace {
        link: Text,
        socket: c_int,
    },
    /// Make a socket, and send it over another one.
    SendSocket {
        domain: c_int,
        kind: c_int,
        protocol: c_int,
        socket: c_int,
    },
    /// Enter an existing namespace.
    Join {
        fd: c_int,
        kind: c_int,
        inode: u64,
    },
    /// No supplementary groups, unless the user namespace forbids any change.
    DropGroups,
    /// Uid and gid 0, where they are mapped.
    BecomeRoot,
    /// Make a child of the host's, in new namespaces of these kinds and in a cgroup of version 2,
    /// if there is one. It carries out the rest.
    Clone {
        kinds: c_int,
        socket: c_int,
        cgroup: c_int,
    },
    /// Ask the host for its part, and wait until that is done. `parent` is the host's pidfd, -1
    /// where a child answers: `child` is its pid, and it is collected.
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
    /// Build the file system view.
    Rootfs(MountOp),
    ChangeDirectory(Text),
    /// Enter a directory that is open.
    EnterDirectory(c_int),
    /// Make the working directory the root.
    ChangeRoot,
    LoopbackUp,
    NewSession,
    /// Make a terminal the controlling one of the session.
    ControllingTerminal(c_int),
    /// Make the program's process, which carries out the rest, and stay as its init process.
    Init(Init),
    /// Keep the permitted capabilities over the change of uid.
    KeepCapabilities,
    SetGroups(Table<u32>),
    SetGid(u32),
    SetUid(u32),
    /// Make every permitted capability inheritable and ambient.
    RaiseAmbient,
    /// Give up all capabilities but these; `bounding`: it must be for good.
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
    /// Install a filter of system calls.
    Filter(Table<u64>),
    /// Install one that asks the host, and send the host its descriptor over a socket.
    NotifyFilter {
        program: Table<u64>,
        socket: c_int,
    },
    /// Put `from` at the number `to`, open over exec.
    Descriptor {
        from: c_int,
        to: c_int,
    },
    /// Close a range of descriptors, both ends included.
    Close {
        first: c_uint,
        last: c_uint,
    },
    /// No signal is blocked; `all`: each one is at its default, else only those that the kernel
    /// sends for a pipe without reader or a file that is too large.
    ResetSignals {
        all: bool,
    },
    /// Execute the first candidate that can be. `program` is for messages.
    Execute {
        program: Text,
        candidates: Table<Text>,
        argv: Strings,
        envp: Strings,
    },
}

/// The sets of a thread, `capabilities(7)`.
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
    /// It need not exist.
    pub optional: bool,
    /// It is a file of the process's own, which an ordinary user may write only while the process
    /// is dumpable.
    pub dumpable: bool,
}

/// What the init process does. Descriptors are -1 where there is none.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Init {
    /// Where the program's status is written.
    pub report: c_int,
    /// The pidfd of the process with which everything ends.
    pub parent: c_int,
    /// Nanoseconds from now until everything ends; 0 for never.
    pub deadline: u64,
    pub wait_for_all: bool,
    /// It executes the helper anew, so that its memory belongs to its own user namespace: an
    /// ordinary caller, who owns that, can open its namespaces then, although nobody inside may
    /// trace it.
    pub anew: bool,
}

/// What the init process writes when the program has ended.
#[repr(C)]
pub(crate) struct Report {
    pub timed_out: u32,
    /// As `wait(2)` gives it.
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

/// A ruleset that the child makes where it can see the paths.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ruleset {
    /// `struct landlock_ruleset_attr`, and how much of it the kernel knows.
    pub attributes: Ref<[u64; 3]>,
    pub size: usize,
    pub paths: Table<PathRule>,
    pub ports: Table<PortRule>,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathRule {
    pub path: Text,
    /// What cannot be reached needs no rule.
    pub optional: bool,
    pub access: u64,
    /// Which rights a rule for a file may have.
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
    /// Open the tree at `source`; where `fd` is not -1, this alone. The slot is for its descriptor.
    Open {
        source: Text,
        fd: c_int,
        recursive: bool,
        optional: bool,
        slot: Slot,
    },
    /// Make the place where mounts are made ready by mount(2).
    Stage,
    /// Mount what was opened.
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
    /// Mount an overlay. If it is thrown away, its layer is [`UPPER`] and [`WORK`] in a new tmpfs.
    Overlay {
        lower: Text,
        options: Options,
        thrown_away: bool,
        attributes: u64,
        at: Place,
    },
    Directory {
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
    /// Hide a directory by an empty tmpfs with these options, a file by `/dev/null`.
    Mask {
        options: Options,
        at: Place,
    },
    Permissions {
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
    /// Make the working directory the root, and detach the old one.
    Pivot,
    /// Go to a directory of the view.
    Enter {
        path: Text,
        optional: bool,
    },
}

/// Directories of the layer of an overlay that is thrown away.
pub(crate) const UPPER: &core::ffi::CStr = c"upper";
pub(crate) const WORK: &core::ffi::CStr = c"work";

/// Where the helper keeps a descriptor: -1 until it is open.
pub(crate) type Slot = Ref<AtomicI32>;

/// What `mount_setattr(2)` sets; `id_map` is -1 for none.
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

/// A target in the view: its path, and each directory on the way with its last part, itself
/// included, then two of none. No part for `/`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub path: Text,
    pub parts: Ref<[Text; 2]>,
}

/// The options of a file system: one by one, then a name of none; and as mount(2) takes them, none
/// where it cannot take them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub each: Ref<[Text; 2]>,
    pub joined: Text,
}
