//! The spec document: the options of a [`Spec`] as data, in JSON, under the names that they have in
//! every language. Its JSON Schema is made from the types in here.

mod apply;
mod descriptors;
mod export;
mod json;
mod mount;
mod network;
mod resources;
mod restrictions;
#[cfg(feature = "schema")]
mod schema;
#[cfg(all(test, feature = "schema"))]
mod tests;
mod units;
mod value;

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, RawFd};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use descriptors::{FdSource, JoinOption, JoinProcess, StdioWord};
use export::utf8;
pub use mount::{Content, MountEntry, MountType};
pub use network::{EndpointOption, LinkOption, RouteOption, UplinkPorts};
pub use resources::{Bound, IoOption, LimitsOption, Rlimit, Unlimited};
pub use restrictions::{Action, LandlockRules, SeccompFilter};
pub use units::{Rate, Size, Time};
pub use value::{OneOrMany, Switch};

use crate::{Error, Kinds, Result, Spec};

/// How mounts propagate between the new mount namespace and the caller's. mount_namespaces(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Propagation {
    /// In neither direction. Default.
    Private,
    /// From the caller's namespace into the new one.
    Slave,
    /// In both directions.
    Shared,
    /// As the kernel copied them.
    Unchanged,
}

impl From<Propagation> for crate::Propagation {
    fn from(propagation: Propagation) -> Self {
        match propagation {
            Propagation::Private => crate::Propagation::Private,
            Propagation::Slave => crate::Propagation::Slave,
            Propagation::Shared => crate::Propagation::Shared,
            Propagation::Unchanged => crate::Propagation::Unchanged,
        }
    }
}

/// A kind of namespace, under its name in `/proc/PID/ns`.
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

/// A kind of namespace that a sandbox can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum SharedKind {
    Net,
    Ipc,
    Uts,
    Time,
    Cgroup,
}

impl From<SharedKind> for Kinds {
    fn from(kind: SharedKind) -> Self {
        match kind {
            SharedKind::Net => Kinds::NET,
            SharedKind::Ipc => Kinds::IPC,
            SharedKind::Uts => Kinds::UTS,
            SharedKind::Time => Kinds::TIME,
            SharedKind::Cgroup => Kinds::CGROUP,
        }
    }
}

impl From<Kind> for Kinds {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::User => Kinds::USER,
            Kind::Pid => Kinds::PID,
            Kind::Mnt => Kinds::MNT,
            Kind::Net => Kinds::NET,
            Kind::Ipc => Kinds::IPC,
            Kind::Uts => Kinds::UTS,
            Kind::Time => Kinds::TIME,
            Kind::Cgroup => Kinds::CGROUP,
        }
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
    /// The program and its arguments; the shell by default.
    pub args: Option<Vec<String>>,
    /// The file that is executed in place of the first of `args`.
    pub program: Option<String>,
    /// Environment variables that are set.
    pub env: Option<BTreeMap<String, String>>,
    /// Environment variables that are removed.
    pub env_unset: Option<Vec<String>>,
    /// Begin with an empty environment instead of the caller's.
    pub env_clear: Option<bool>,
    /// The working directory; the caller's by default.
    pub cwd: Option<String>,
    /// The working directory as a descriptor.
    pub cwd_at: Option<RawFd>,
    /// The root directory as a descriptor. chroot(2).
    pub root_at: Option<RawFd>,
    /// The program's descriptors by number: one of the caller's, or, for 0 to 2, "inherit", "null"
    /// or "pipe".
    pub fds: Option<BTreeMap<i32, FdSource>>,
    /// Run the program in a session of its own. setsid(2).
    pub new_session: Option<bool>,
    /// Every signal has its default action in the program, also those that the caller ignores.
    pub reset_signals: Option<bool>,
    /// A terminal of its own: true (24 rows, 80 columns) or [rows, columns]. pty(7).
    pub pty: Option<Switch<(u16, u16)>>,
    /// The permissions that new files do not get, as a number. umask(2).
    pub umask: Option<u32>,
    /// The execution domain. personality(2).
    pub personality: Option<u32>,

    /// Isolation for a program that is not trusted; the other options add to it or replace a part.
    pub sandbox: Option<bool>,
    /// Kinds of namespace that the sandbox shares with the caller: net, ipc, uts, time, cgroup.
    pub share: Option<OneOrMany<SharedKind>>,

    /// A new user namespace. user_namespaces(7).
    pub user: Option<bool>,
    /// A new pid namespace. pid_namespaces(7).
    pub pid: Option<bool>,
    /// A new mount namespace. mount_namespaces(7).
    pub mnt: Option<bool>,
    /// A new network namespace. network_namespaces(7).
    pub net: Option<bool>,
    /// A new IPC namespace. ipc_namespaces(7).
    pub ipc: Option<bool>,
    /// A new UTS namespace. uts_namespaces(7).
    pub uts: Option<bool>,
    /// A new time namespace. time_namespaces(7).
    pub time: Option<bool>,
    /// A new cgroup namespace. cgroup_namespaces(7).
    pub cgroup: Option<bool>,
    /// Existing namespaces that the program joins: a descriptor of a namespace, or
    /// {"pidfd": N, "kinds": [...]} for those of a process. setns(2).
    pub join: Option<Vec<JoinOption>>,
    /// Paths at which new namespaces are kept, by kind, also when the program has ended.
    pub pin: Option<BTreeMap<Kind, String>>,
    /// Two descriptors, [info, block]: the child writes its pid to the first, and waits until the
    /// second can be read, before it sets anything up.
    pub sync_fds: Option<(RawFd, RawFd)>,

    /// Map the caller to root inside.
    pub map_root: Option<bool>,
    /// Map the caller to its own ids inside.
    pub map_current: Option<bool>,
    /// Map the caller's ids of /etc/subuid and /etc/subgid from 0 on. subuid(5).
    pub map_auto: Option<bool>,
    /// Ranges of uids, each [inside, outside, count].
    pub uid_map: Option<Vec<(u32, u32, u32)>>,
    /// Ranges of gids, each [inside, outside, count].
    pub gid_map: Option<Vec<(u32, u32, u32)>>,
    /// Whether setgroups(2) stays allowed in the new user namespace.
    pub setgroups: Option<bool>,
    /// The uid that the program runs as, as seen inside.
    pub uid: Option<u32>,
    /// The gid that the program runs as, as seen inside.
    pub gid: Option<u32>,
    /// Supplementary groups, as seen inside.
    pub groups: Option<Vec<u32>>,
    /// Keep the capabilities of the new user namespace over exec.
    pub keep_caps: Option<bool>,
    /// Keep the caller's ids in a joined user namespace, mapped or not.
    pub keep_credentials: Option<bool>,

    /// The host name inside, at most 64 bytes.
    pub hostname: Option<String>,
    /// The NIS domain name inside, at most 64 bytes.
    pub domainname: Option<String>,
    /// What is added to CLOCK_MONOTONIC. time_namespaces(7).
    pub monotonic: Option<Time>,
    /// What is added to CLOCK_BOOTTIME.
    pub boottime: Option<Time>,

    /// How mounts propagate. Private by default.
    pub propagation: Option<Propagation>,
    /// Mount a fresh proc: true for /proc, or a path.
    pub mount_proc: Option<Switch<String>>,
    /// The directory that becomes the program's root.
    pub root: Option<String>,
    /// The program's file system view, in order.
    pub mounts: Option<Vec<MountEntry>>,

    /// Bring up the loopback device of a new network namespace: true by default.
    pub loopback: Option<bool>,
    /// Links between the program's network namespace and others. veth(4).
    pub links: Option<Vec<LinkOption>>,
    /// Network devices of the caller that move into the program's network namespace.
    pub devices: Option<BTreeMap<String, EndpointOption>>,
    /// A way out for the program's network, by pasta(1): true, or with ports that lead in.
    pub uplink: Option<Switch<UplinkPorts>>,

    /// The capabilities that the program keeps, such as ["net_admin"]. capabilities(7).
    pub caps: Option<OneOrMany<String>>,
    /// How the kernel treats root, as a number. capabilities(7).
    pub securebits: Option<u32>,
    /// Whether set-user-ID programs and file capabilities give more privileges: true by default.
    pub new_privs: Option<bool>,
    /// Whether user namespaces can be made inside: true by default.
    pub user_namespaces: Option<bool>,
    /// What the program may reach, by path and port; false for no rules, not even those of the
    /// sandbox. landlock(7).
    pub landlock: Option<Switch<LandlockRules>>,
    /// Which system calls the program may make: true for the filter for programs that are not
    /// trusted, false for no filter, not even that of the sandbox, or filters. seccomp(2).
    pub seccomp: Option<Switch<OneOrMany<SeccompFilter>>>,

    /// System calls that the caller answers. seccomp_unotify(2).
    pub seccomp_notify: Option<Vec<String>>,

    /// Limits of the program and its descendants together. cgroups(7).
    pub limits: Option<LimitsOption>,
    /// Limits of the process, by name. getrlimit(2).
    pub rlimits: Option<BTreeMap<String, Rlimit>>,
    /// The nice value: -20 to 19. setpriority(2).
    pub nice: Option<i32>,
    /// The program's rank for the OOM killer: -1000 to 1000. proc_pid_oom_score_adj(5).
    pub oom_score_adj: Option<i32>,
    /// The processors that the program runs on, by number. sched_setaffinity(2).
    pub cpus: Option<Vec<usize>>,

    /// A small init process is PID 1 in place of the program.
    pub init: Option<bool>,
    /// The init process ends when all descendants of the program have ended.
    pub wait_for_all: Option<bool>,
    /// Kill everything in the pid namespace when the caller dies.
    pub die_with_parent: Option<bool>,
    /// Kill everything in the pid namespace after this time.
    pub deadline: Option<Time>,
}

/// A descriptor of the caller's, which must be open.
fn descriptor(fd: RawFd) -> Result<BorrowedFd<'static>> {
    // SAFETY: a number; only asks.
    let open = fd >= 0 && unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    match open {
        // SAFETY: it is open, and the document's promise is that the caller keeps it so until the
        // spawn.
        true => Ok(unsafe { BorrowedFd::borrow_raw(fd) }),
        false => Err(Error::argument(format!("descriptor {fd} is not open"))),
    }
}

impl Document {
    /// Reads a document. EINVAL for an unknown option, a value of the wrong type, and text that is
    /// no JSON: the message begins with the path of the value, such as `mounts[2].size`.
    pub fn from_json(text: &str) -> Result<Self> {
        json::from_str(text)
    }

    /// Reads a document from a value that has been parsed already, from TOML for example.
    pub fn from_value(value: serde_json::Value) -> Result<Self> {
        json::from_value(value)
    }

    /// The document as JSON, without the options that are not given.
    pub fn to_json(&self) -> String {
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
        let mut value = serde_json::to_value(self).unwrap_or_default();
        without_nulls(&mut value);
        value.to_string()
    }

    /// A spec with these options.
    pub fn spec(&self) -> Result<Spec<'static>> {
        let mut spec = Spec::new("sh")?;
        self.apply(&mut spec)?;
        Ok(spec)
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
