//! The spec document: the options of a [`Spec`] as data, in JSON, under the names that they have in
//! every language. Its JSON Schema is made from the types in here.

mod apply;
mod bytes;
mod descriptors;
mod export;
mod json;
mod mount;
mod network;
mod resources;
mod restrictions;
#[cfg(feature = "schema")]
mod schema;
mod strict;
#[cfg(all(test, feature = "schema"))]
mod tests;
mod units;
mod value;

use std::collections::BTreeMap;
use std::os::fd::RawFd;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bytes::ByteString;
pub use descriptors::{FdSource, JoinOption, JoinProcess, StdioWord};
pub use mount::{MountEntry, MountType};
pub use network::{EndpointOption, LinkOption, RouteOption, UplinkPorts};
pub use resources::{Bound, IoOption, LimitsOption, Rlimit, Unlimited};
pub use restrictions::{Action, LandlockRules, SeccompFilter};
pub use units::{Rate, Size, Time};
pub use value::{DescriptorOr, OneOrMany, Switch};

use crate::{Error, Kinds, Propagation, Result, Spec};

/// A kind of namespace, under its name in `/proc/PID/ns`.
///
/// ```
/// use nsiso::Kinds;
/// use nsiso::document::{Document, Kind};
///
/// let pin = [(Kind::Net, "/run/netns/blue".into())];
/// let document = Document { pin: Some(pin.into()), ..Document::default() };
/// assert_eq!(document.to_json(), r#"{"pin":{"net":"/run/netns/blue"}}"#);
/// assert_eq!(Kinds::from(Kind::Net), Kinds::NET);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Kind {
    User,
    Pid,
    Mnt,
    Net,
    Ipc,
    Uts,
    Time,
    Cgroup,
}

/// Each kind in a document, and in the rest of the library.
const KINDS: [(Kind, Kinds); 8] = [
    (Kind::User, Kinds::USER),
    (Kind::Pid, Kinds::PID),
    (Kind::Mnt, Kinds::MNT),
    (Kind::Net, Kinds::NET),
    (Kind::Ipc, Kinds::IPC),
    (Kind::Uts, Kinds::UTS),
    (Kind::Time, Kinds::TIME),
    (Kind::Cgroup, Kinds::CGROUP),
];

impl From<Kind> for Kinds {
    fn from(kind: Kind) -> Self {
        KINDS.into_iter().filter(|(known, _)| *known == kind).map(|(_, kinds)| kinds).collect()
    }
}

/// The kinds in a set.
fn kinds(set: Kinds) -> Vec<Kind> {
    KINDS.into_iter().filter(|(_, kinds)| set.contains(*kinds)).map(|(kind, _)| kind).collect()
}

/// EINVAL if `shared` has a kind that a sandbox cannot share.
fn check_shared(shared: Kinds) -> Result<()> {
    match shared & (Kinds::USER | Kinds::PID | Kinds::MNT) {
        none if none.is_empty() => Ok(()),
        own => Err(Error::argument(format!(
            "a sandbox cannot do without a {own} namespace of its own; net, ipc, uts, time and cgroup can be shared"
        ))),
    }
}

/// The options of a spec. Every field may be left out.
///
/// An option brings the namespace that it needs: a host name asks for a new UTS namespace, an id
/// map for a new user namespace. Descriptors are numbers of the caller's, which it keeps open
/// until the spawn.
///
/// ```
/// use nsiso::Document;
///
/// let text = r#"{"args": ["id", "-u"], "map_root": true, "hostname": "box"}"#;
/// let document = Document::from_json(text)?;
/// assert_eq!(document.spec()?.spawn()?.wait()?.code(), Some(0));
/// let error = Document::from_json(r#"{"hostnam": "box"}"#).unwrap_err();
/// assert_eq!(error.hint(), "did you mean hostname?");
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "an object")]
#[cfg_attr(
    feature = "schema",
    schemars(
        title = "nsiso spec",
        description = "What nsiso runs and how it is isolated. Every option may be left out."
    )
)]
pub struct Document {
    /// The program and its arguments. Default: the shell.
    pub args: Option<Vec<ByteString>>,
    /// The file to execute, if it is not the first of `args`.
    pub program: Option<ByteString>,
    /// Environment variables to set.
    pub env: Option<BTreeMap<String, ByteString>>,
    /// Environment variables to remove.
    pub env_unset: Option<Vec<ByteString>>,
    /// Start with an empty environment instead of the caller's.
    pub env_clear: Option<bool>,
    /// The working directory, a path that the program sees. Default: the caller's.
    pub cwd: Option<ByteString>,
    /// A descriptor of a directory that becomes the working directory. `cwd` and `mounts` take
    /// precedence.
    pub cwd_at: Option<RawFd>,
    /// A descriptor of a directory that becomes the root directory, chroot(2).
    pub root_at: Option<RawFd>,
    /// Descriptors of the program, by number. Each is a descriptor of the caller; 0, 1 and 2 may
    /// also be "inherit", "null" or "pipe". All others are closed.
    pub fds: Option<BTreeMap<i32, FdSource>>,
    /// Run the program in a new session, setsid(2).
    pub new_session: Option<bool>,
    /// Reset all signals to their default action. Otherwise signals that the caller ignores stay
    /// ignored, except SIGPIPE and SIGXFSZ.
    pub reset_signals: Option<bool>,
    /// Give the program a new pseudo-terminal as controlling terminal, and as standard input,
    /// output and error unless these are given, pty(7). true is 24 rows and 80 columns; otherwise
    /// [rows, columns].
    pub pty: Option<Switch<(u16, u16)>>,
    /// File mode creation mask as a number, umask(2). Default: the caller's.
    pub umask: Option<u32>,
    /// Execution domain, personality(2).
    pub personality: Option<u32>,

    /// Isolate a program that is not trusted. The other options add to the sandbox or replace a
    /// part of it.
    pub sandbox: Option<bool>,
    /// Kinds of namespace that the sandbox shares with the caller: net, ipc, uts, time, cgroup.
    pub share: Option<OneOrMany<Kind>>,

    /// Make a new user namespace, user_namespaces(7). An ordinary user needs it, or an option that
    /// implies it, for all other kinds.
    pub user: Option<bool>,
    /// Make a new pid namespace, pid_namespaces(7).
    pub pid: Option<bool>,
    /// Make a new mount namespace, mount_namespaces(7).
    pub mnt: Option<bool>,
    /// Make a new network namespace, network_namespaces(7).
    pub net: Option<bool>,
    /// Make a new IPC namespace, ipc_namespaces(7).
    pub ipc: Option<bool>,
    /// Make a new UTS namespace, uts_namespaces(7).
    pub uts: Option<bool>,
    /// Make a new time namespace, time_namespaces(7).
    pub time: Option<bool>,
    /// Make a new cgroup namespace, cgroup_namespaces(7).
    pub cgroup: Option<bool>,
    /// Run the program in existing namespaces, setns(2): descriptors of namespaces, or {"pidfd":
    /// N, "kinds": [...]} for those of a process. New namespaces are made inside the joined ones.
    /// Needs the permission to trace the process, ptrace(2), and CAP_SYS_ADMIN in the user
    /// namespace that owns a joined namespace; joining that user namespace, too, gives this
    /// capability.
    pub join: Option<Vec<JoinOption>>,
    /// Bind-mount new namespaces at these paths, by kind, so that they outlive the program.
    pub pin: Option<BTreeMap<Kind, ByteString>>,
    /// Two descriptors, [info, block]. The child writes its pid and a line feed to the first once
    /// it is in its new namespaces. It sets up nothing until the second is readable or its other
    /// end is closed. The start of the program returns only after that, so another thread or
    /// process must respond.
    pub sync_fds: Option<(RawFd, RawFd)>,

    /// Map the uid and gid of the caller to root in a new user namespace. Not with `map_current`.
    pub map_root: Option<bool>,
    /// Map the uid and gid of the caller to themselves in a new user namespace.
    pub map_current: Option<bool>,
    /// Map the subordinate ids of the caller, subuid(5), from 0 on. Ids that another option maps
    /// are left out. An ordinary user needs newuidmap(1).
    pub map_auto: Option<bool>,
    /// Ranges of uids to map in a new user namespace, each [inside, outside, count]: the first id
    /// in it, the first id of the caller, and their number. At most 340 ranges.
    pub uid_map: Option<Vec<(u32, u32, u32)>>,
    /// Ranges of gids to map in a new user namespace, each [inside, outside, count].
    pub gid_map: Option<Vec<(u32, u32, u32)>>,
    /// Allow or deny setgroups(2) in the new user namespace. Default: denied if only the gid of
    /// the caller is mapped.
    pub setgroups: Option<bool>,
    /// The uid of the program, as seen inside. Default: the caller's. If it is not mapped in a new
    /// user namespace, 0 or the lowest mapped id.
    pub uid: Option<u32>,
    /// The gid of the program, as seen inside. Default: as for `uid`.
    pub gid: Option<u32>,
    /// Supplementary groups, as seen inside. Default: those of the caller, or none if the program
    /// runs with other ids.
    pub groups: Option<Vec<u32>>,
    /// Keep the capabilities in a new user namespace across execve(2), as ambient capabilities,
    /// also if the program is not root inside.
    pub keep_caps: Option<bool>,
    /// Keep the uid, gid and groups of the caller in a joined user namespace.
    pub keep_credentials: Option<bool>,

    /// Host name in a new UTS namespace, at most 64 bytes.
    pub hostname: Option<ByteString>,
    /// NIS domain name in a new UTS namespace, at most 64 bytes.
    pub domainname: Option<ByteString>,
    /// Offset of CLOCK_MONOTONIC in a new time namespace, time_namespaces(7). It may be negative,
    /// but the clock may not.
    pub monotonic: Option<Time>,
    /// Offset of CLOCK_BOOTTIME in a new time namespace, time_namespaces(7). It may be negative,
    /// but the clock may not.
    pub boottime: Option<Time>,

    /// Propagation of all mounts in a new mount namespace, mount_namespaces(7). Default: private.
    pub propagation: Option<Propagation>,
    /// Mount a new proc file system for the new pid namespace. true means /proc.
    pub mount_proc: Option<Switch<ByteString>>,
    /// The directory that becomes the root directory of the program: a bind at / before all
    /// `mounts`.
    pub root: Option<ByteString>,
    /// Mounts and changes to files, applied in this order in a new mount namespace.
    pub mounts: Option<Vec<MountEntry>>,

    /// Bring up the loopback device of a new network namespace. Default: true.
    pub loopback: Option<bool>,
    /// Links to other network namespaces, each with the endpoint inside and the one outside. They
    /// are made before the program starts, veth(4). Needs
    /// CAP_NET_ADMIN in the user namespaces that own both network namespaces.
    pub links: Option<Vec<LinkOption>>,
    /// Network devices of the caller to move into the new network namespace, by name. When it
    /// ends, the kernel returns physical devices and removes virtual ones.
    pub devices: Option<BTreeMap<String, EndpointOption>>,
    /// Connect the program's network namespace to outside networks by pasta(1), which must be
    /// installed. Ports that lead in may be given.
    pub uplink: Option<Switch<UplinkPorts>>,

    /// The capabilities that the program keeps, such as net_admin, capabilities(7). It cannot get
    /// any others. An empty list means none. Default: not restricted.
    pub caps: Option<OneOrMany<String>>,
    /// Flags of PR_SET_SECUREBITS as a number, capabilities(7).
    pub securebits: Option<u32>,
    /// Allow set-user-ID programs and file capabilities to give privileges,
    /// PR_SET_NO_NEW_PRIVS(2const). Default: true, or false with `landlock` or `seccomp`, which
    /// need false.
    pub new_privs: Option<bool>,
    /// Allow new user namespaces inside the program's own. Default: true. false implies `user`,
    /// and is refused if the program keeps CAP_SYS_RESOURCE.
    pub user_namespaces: Option<bool>,
    /// Rules for access to files and TCP ports, landlock(7). false removes those of the sandbox.
    pub landlock: Option<Switch<LandlockRules>>,
    /// Filters for system calls, seccomp(2). true is the filter of the sandbox. false removes it.
    pub seccomp: Option<Switch<OneOrMany<SeccompFilter>>>,

    /// System calls that the caller answers, seccomp_unotify(2).
    pub seccomp_notify: Option<Vec<String>>,

    /// Limits for the program and its descendants, enforced by a cgroup made for it, cgroups(7).
    pub limits: Option<LimitsOption>,
    /// Resource limits of the process by name, such as nofile, getrlimit(2): a number, or the soft
    /// and the hard limit; "unlimited" for none. An init process keeps the limits of the caller.
    pub rlimits: Option<BTreeMap<String, Rlimit>>,
    /// Nice value, -20 to 19, setpriority(2).
    pub nice: Option<i32>,
    /// Preference of the kernel to kill the program if memory runs out, -1000 to 1000,
    /// proc_pid_oom_score_adj(5).
    pub oom_score_adj: Option<i32>,
    /// The processors that the program may run on, by number, sched_setaffinity(2).
    pub cpus: Option<Vec<usize>>,

    /// Make a small init process PID 1 of a new pid namespace. It reaps orphans, passes signals on
    /// to the program, and kills everything in the namespace when the program ends. The pid of the
    /// process and its signals are those of the init process; the exit status is that of the
    /// program.
    pub init: Option<bool>,
    /// Let the init process end when all descendants of the program have ended. Implies `init`.
    pub wait_for_all: Option<bool>,
    /// Kill everything in the pid namespace when the calling process dies for any reason. The end
    /// of a thread does not matter. Implies `init`.
    pub die_with_parent: Option<bool>,
    /// Kill everything in the pid namespace after this time. Implies `init`.
    pub deadline: Option<Time>,
}

impl Document {
    /// Reads a document. EINVAL for an unknown option, a value of the wrong type, and text that is
    /// no JSON: the message begins with the path of the value, such as `mounts[2].size`.
    pub fn from_json(text: &str) -> Result<Self> {
        json::from_str(text)
    }

    /// Reads a document from a value that has been parsed already, from TOML for example. Errors
    /// as for [`Document::from_json`].
    pub fn from_value(value: &serde_json::Value) -> Result<Self> {
        json::from_value(value)
    }

    /// The document as JSON, without the options that are not given.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// The document as a JSON object, without the options that are not given.
    pub fn to_value(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        without_nulls(&mut value);
        value
    }

    /// A spec with these options.
    pub fn spec(&self) -> Result<Spec<'static>> {
        let mut spec = Spec::new("sh")?;
        self.apply(&mut spec)?;
        Ok(spec)
    }
}

/// Takes out the options that are not set.
fn without_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Puts a part of the path in front of an error: the name of an option, or an index.
trait At {
    fn at(self, segment: &str) -> Self;
}

impl<T> At for Result<T> {
    fn at(self, segment: &str) -> Self {
        self.map_err(|error| error.at(segment))
    }
}
