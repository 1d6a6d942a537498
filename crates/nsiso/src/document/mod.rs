//! The spec document: the options of a [`Spec`] as data, in JSON, under the names that they have in
//! every language. Its JSON Schema is made from the types in here.

mod descriptors;
mod export;
mod json;
mod mount;
mod network;
mod resources;
mod restrictions;
mod units;

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, RawFd};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use descriptors::{FdSource, JoinOption, JoinProcess, StdioWord};
use export::utf8;
pub use mount::{Content, MountEntry, MountType};
pub use network::{EndpointOption, LinkOption, RouteOption, UplinkOption, UplinkPorts};
pub use resources::{Bound, IoOption, LimitsOption, Rlimit, Unlimited};
pub use restrictions::{Action, LandlockOption, LandlockRules, Off, SeccompFilter, SeccompOption};
pub use units::{Rate, Size, Time};

use crate::{ClockOffset, Error, IdRange, Kinds, Mount, Result, Spec};

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged, expecting = "one value of the right type, or a list of them")]
#[cfg_attr(feature = "schema", schemars(rename = "OneOrMany_{T}"))]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn items(&self) -> &[T] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

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

/// `true`, `false`, or a value in place of `true`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged, expecting = "true, false, or a value in place of true")]
#[cfg_attr(feature = "schema", schemars(rename = "Switch_{T}"))]
pub enum Switch<T> {
    /// On, with the default, or off.
    Bool(bool),
    /// On, with this value.
    Value(T),
}

impl<T: Clone> Switch<T> {
    /// The value where it is on.
    fn or(&self, default: T) -> Option<T> {
        match self {
            Switch::Bool(on) => on.then_some(default),
            Switch::Value(value) => Some(value.clone()),
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
#[serde(deny_unknown_fields, default)]
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
    pub share: Option<OneOrMany<Kind>>,

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
    /// A way out for the program's network, by pasta(1).
    pub uplink: Option<UplinkOption>,

    /// The capabilities that the program keeps, such as ["net_admin"]. capabilities(7).
    pub caps: Option<OneOrMany<String>>,
    /// How the kernel treats root, as a number. capabilities(7).
    pub securebits: Option<u32>,
    /// Whether set-user-ID programs and file capabilities give more privileges: true by default.
    pub new_privs: Option<bool>,
    /// Whether user namespaces can be made inside: true by default.
    pub user_namespaces: Option<bool>,
    /// What the program may reach, by path and port. landlock(7).
    pub landlock: Option<LandlockOption>,
    /// Which system calls the program may make. seccomp(2).
    pub seccomp: Option<SeccompOption>,

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

/// Whether an option is given and `true`.
fn on(option: Option<bool>) -> bool {
    option == Some(true)
}

/// A descriptor of the caller's. It is looked at by number when the program is spawned.
fn descriptor(fd: RawFd) -> Result<BorrowedFd<'static>> {
    match fd {
        // SAFETY: the document's own promise: the caller keeps it open until the spawn.
        0.. => Ok(unsafe { BorrowedFd::borrow_raw(fd) }),
        _ => Err(Error::argument(format!("{fd} is no descriptor")).with_errno(libc::EBADF)),
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

    /// The JSON Schema of documents.
    #[cfg(feature = "schema")]
    pub fn schema() -> String {
        let mut schema = schemars::schema_for!(Document);
        schemars::transform::transform_subschemas(&mut WithoutNull, &mut schema);
        serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
    }

    /// A spec with these options.
    pub fn spec(&self) -> Result<Spec<'static>> {
        let mut spec = Spec::new("sh")?;
        self.apply(&mut spec)?;
        Ok(spec)
    }

    /// Adds these options to a spec. EINVAL for a value that cannot be: the message begins with
    /// the path of the option.
    pub fn apply(&self, spec: &mut Spec<'static>) -> Result<()> {
        // The sandbox comes first, since the others add to it or replace a part.
        if on(self.sandbox) {
            at("sandbox", spec.sandbox())?;
        }
        self.put_namespaces(spec)?;
        self.put_identity(spec)?;
        self.put_root(spec)?;
        self.put_network(spec)?;
        self.put_program(spec)?;
        self.put_privileges(spec)?;
        self.put_resources(spec)?;
        // Last, since other options may bring what these turn off.
        self.put_switches(spec)
    }

    fn put_program(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(args) = &self.args {
            at("args", spec.argv(args))?;
        }
        if let Some(program) = &self.program {
            at("program", spec.program(program))?;
        }
        if on(self.env_clear) {
            spec.env_clear();
        }
        for (name, value) in self.env.iter().flatten() {
            at("env", spec.env(name, value))?;
        }
        for name in self.env_unset.iter().flatten() {
            at("env_unset", spec.env_remove(name))?;
        }
        if let Some(cwd) = &self.cwd {
            at("cwd", spec.cwd(cwd))?;
        }
        if let Some(fd) = self.cwd_at {
            spec.cwd_at(at("cwd_at", descriptor(fd))?);
        }
        for (number, source) in self.fds.iter().flatten() {
            at("fds", source.put(*number, spec))?;
        }
        if on(self.new_session) {
            spec.new_session();
        }
        if on(self.reset_signals) {
            spec.reset_signals();
        }
        if let Some((rows, columns)) = self.pty.as_ref().and_then(|pty| pty.or((24, 80))) {
            spec.pty(rows, columns);
        }
        if let Some(umask) = self.umask {
            at("umask", spec.umask(umask))?;
        }
        if let Some(personality) = self.personality {
            spec.personality(personality);
        }
        Ok(())
    }

    fn put_namespaces(&self, spec: &mut Spec<'static>) -> Result<()> {
        let kinds = [
            (self.user, Kinds::USER),
            (self.pid, Kinds::PID),
            (self.mnt, Kinds::MNT),
            (self.net, Kinds::NET),
            (self.ipc, Kinds::IPC),
            (self.uts, Kinds::UTS),
            (self.time, Kinds::TIME),
            (self.cgroup, Kinds::CGROUP),
        ];
        for (_, kind) in kinds.into_iter().filter(|(option, _)| on(*option)) {
            spec.unshare(kind);
        }
        for kind in self.share.iter().flat_map(OneOrMany::items) {
            let (kind, name) = (Kinds::from(*kind), *kind);
            if kind.intersects(Kinds::USER | Kinds::PID | Kinds::MNT) {
                return Err(Error::argument(
                    format!("share: a sandbox cannot do without a {name:?} namespace of its own")
                        .to_lowercase(),
                ));
            }
            spec.share(kind);
        }
        for (index, join) in self.join.iter().flatten().enumerate() {
            nth("join", index, join.put(spec))?;
        }
        for (kind, path) in self.pin.iter().flatten() {
            at("pin", spec.pin((*kind).into(), path))?;
        }
        if let Some((info, block)) = self.sync_fds {
            spec.sync_fds(at("sync_fds", descriptor(info))?, at("sync_fds", descriptor(block))?);
        }
        if let Some(name) = &self.hostname {
            at("hostname", spec.hostname(name))?;
        }
        if let Some(name) = &self.domainname {
            at("domainname", spec.domainname(name))?;
        }
        let offset = |time: Time| {
            let nanos = 1_000_000_000;
            ClockOffset::new(time.0.div_euclid(nanos), time.0.rem_euclid(nanos) as u32)
        };
        if let Some(time) = self.monotonic {
            at("monotonic", offset(time).and_then(|offset| spec.monotonic(offset).map(drop)))?;
        }
        if let Some(time) = self.boottime {
            at("boottime", offset(time).and_then(|offset| spec.boottime(offset).map(drop)))?;
        }
        Ok(())
    }

    fn put_identity(&self, spec: &mut Spec<'static>) -> Result<()> {
        if on(self.map_root) && on(self.map_current) {
            return Err(Error::argument(
                "map_root: it does not go with map_current, since one id cannot be two",
            ));
        }
        if on(self.map_root) {
            spec.map_root();
        }
        if on(self.map_current) {
            spec.map_current();
        }
        if on(self.map_auto) {
            spec.map_auto();
        }
        for (index, (inside, outside, count)) in self.uid_map.iter().flatten().enumerate() {
            let range = IdRange::new(*inside, *outside, *count);
            nth("uid_map", index, range.and_then(|range| spec.uid_map(range).map(drop)))?;
        }
        for (index, (inside, outside, count)) in self.gid_map.iter().flatten().enumerate() {
            let range = IdRange::new(*inside, *outside, *count);
            nth("gid_map", index, range.and_then(|range| spec.gid_map(range).map(drop)))?;
        }
        if let Some(allowed) = self.setgroups {
            spec.setgroups(allowed);
        }
        if let Some(uid) = self.uid {
            at("uid", spec.uid(uid))?;
        }
        if let Some(gid) = self.gid {
            at("gid", spec.gid(gid))?;
        }
        if let Some(groups) = &self.groups {
            at("groups", spec.groups(groups))?;
        }
        if on(self.keep_caps) {
            spec.keep_caps();
        }
        if on(self.keep_credentials) {
            spec.keep_credentials();
        }
        Ok(())
    }

    fn put_root(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(propagation) = self.propagation {
            spec.propagation(propagation.into());
        }
        if let Some(fd) = self.root_at {
            spec.root_at(at("root_at", descriptor(fd))?);
        }
        if let Some(root) = &self.root {
            spec.mount(at("root", Mount::bind(root, "/"))?);
        }
        for (index, entry) in self.mounts.iter().flatten().enumerate() {
            spec.mount(nth("mounts", index, entry.mount())?);
        }
        if let Some(path) = self.mount_proc.as_ref().and_then(|path| path.or("/proc".into())) {
            at("mount_proc", spec.mount_proc(path))?;
        }
        Ok(())
    }

    fn put_network(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(up) = self.loopback {
            spec.loopback(up);
        }
        for (index, link) in self.links.iter().flatten().enumerate() {
            nth("links", index, link.put(spec))?;
        }
        for (device, inside) in self.devices.iter().flatten() {
            at("devices", network::put_device(device, inside, spec))?;
        }
        match &self.uplink {
            Some(uplink) => at("uplink", uplink.put(spec)),
            None => Ok(()),
        }
    }

    fn put_privileges(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(caps) = &self.caps {
            at("caps", spec.caps(caps.items()))?;
        }
        if let Some(bits) = self.securebits {
            spec.securebits(bits);
        }
        if let Some(landlock) = &self.landlock {
            at("landlock", landlock.put(spec))?;
        }
        if let Some(seccomp) = &self.seccomp {
            at("seccomp", seccomp.put(spec))?;
        }
        match &self.seccomp_notify {
            Some(calls) => at("seccomp_notify", spec.seccomp_notify(calls)).map(drop),
            None => Ok(()),
        }
    }

    fn put_resources(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(limits) = &self.limits {
            at("limits", limits.put(spec))?;
        }
        if let Some(rlimits) = &self.rlimits {
            at("rlimits", resources::put_rlimits(rlimits, spec))?;
        }
        if let Some(nice) = self.nice {
            at("nice", spec.nice(nice))?;
        }
        if let Some(score) = self.oom_score_adj {
            at("oom_score_adj", spec.oom_score_adj(score))?;
        }
        match &self.cpus {
            Some(cpus) => at("cpus", spec.cpus(cpus)).map(drop),
            None => Ok(()),
        }
    }

    fn put_switches(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(time) = self.deadline {
            let after = time.duration().unwrap_or_default();
            at("deadline", spec.deadline(after))?;
        }
        type Set = for<'a> fn(&'a mut Spec<'static>, bool) -> &'a mut Spec<'static>;
        let switches: [(Option<bool>, Set); 5] = [
            (self.new_privs, Spec::new_privs),
            (self.user_namespaces, Spec::user_namespaces),
            (self.wait_for_all, Spec::wait_for_all),
            (self.die_with_parent, Spec::die_with_parent),
            (self.init, Spec::init),
        ];
        for (option, set) in switches {
            if let Some(on) = option {
                set(spec, on);
            }
        }
        if self.init == Some(false) && (on(self.wait_for_all) || on(self.die_with_parent)) {
            return Err(Error::argument("init: wait_for_all and die_with_parent need it"));
        }
        Ok(())
    }
}

/// Takes `null` out of a schema: it stands for an option that is left out, so nobody writes it.
#[cfg(feature = "schema")]
struct WithoutNull;

#[cfg(feature = "schema")]
impl schemars::transform::Transform for WithoutNull {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        schemars::transform::transform_subschemas(self, schema);
        let Some(fields) = schema.as_object_mut() else { return };
        if fields.get("default").is_some_and(serde_json::Value::is_null) {
            fields.remove("default");
        }
        if let Some(serde_json::Value::Array(types)) = fields.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                fields.insert("type".into(), only);
            }
        }
        if let Some(serde_json::Value::Array(choices)) = fields.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
            if let [serde_json::Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                fields.remove("anyOf");
                fields.extend(only);
            }
        }
    }
}

/// Puts the name of the option in front of the message of an error.
fn at<T>(option: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| named(option, error))
}

fn nth<T>(option: &str, index: usize, result: Result<T>) -> Result<T> {
    result.map_err(|error| named(&format!("{option}[{index}]"), error))
}

fn named(place: &str, error: Error) -> Error {
    let named = Error::argument(format!("{place}{}", json::below(&error)));
    named.with_errno(error.errno()).with_hint(error.hint().to_owned())
}

#[cfg(all(test, feature = "schema"))]
mod tests {
    use super::*;

    /// Where the text is wrong, and the hint.
    fn refusal(text: &str) -> String {
        let error = Document::from_json(text).and_then(|document| document.spec()).unwrap_err();
        assert_eq!(error.errno(), libc::EINVAL, "{error}");
        format!("{} ({})", error.message(), error.hint())
    }

    #[test]
    fn a_mistake_is_told_with_its_path_and_the_nearest_name() {
        for (text, told) in [
            (r#"{"hostnam": "box"}"#, r#"hostnam: there is no option "hostnam" (did you mean hostname?)"#),
            (
                r#"{"mounts": [{"type": "bind", "target": "/a", "sorce": "/"}]}"#,
                r#"mounts[0].sorce: there is no option "sorce" (did you mean source?)"#,
            ),
            (
                r#"{"mounts": [{"type": "mask", "target": "/a"}, {"type": "tmpfs", "target": "/b", "size": "lots"}]}"#,
                r#"mounts[1].size: invalid value: string "lots", expected a size in bytes"#,
            ),
            (
                r#"{"mounts": [{"type": "bind", "target": "/a", "size": 5, "source": "/"}]}"#,
                r#"mounts[0].size: a mount of type "bind" has none; it is for "tmpfs""#,
            ),
            (r#"{"mounts": [{"type": "bind", "target": "/a"}]}"#, "mounts[0].source: it is missing"),
            (
                r#"{"mounts": [{"type": "tmpfs", "target": "a"}]}"#,
                r#"mounts[0]: the target "a" is not absolute"#,
            ),
            (
                r#"{"mounts": [{"type": "bnd", "target": "/a"}]}"#,
                r#"mounts[0].type: there is no option "bnd" (did you mean bind?)"#,
            ),
            (r#"{"uid_map": [[0, 1, 1], [0, 5, 1]]}"#, "uid_map[1]: uid range 0 5 1 overlaps"),
            (r#"{"user": "yes"}"#, r#"user: invalid type: string "yes", expected a boolean"#),
            (r#"{"nice": 100}"#, "nice: 100 is not a nice value"),
            (r#"{"rlimits": {"files": 5}}"#, r#"rlimits.files: "files" is no resource limit"#),
            (r#"{"landlock": true}"#, "landlock: false, or an object of Landlock rules"),
            (r#"{"seccomp": {"deny": ["mkdirr"]}}"#, "seccomp: "),
            (r#"{"share": ["user"]}"#, "share: a sandbox cannot do without a user namespace"),
            (r#"{"deadline": "-1s"}"#, "deadline: a deadline lies more than 0"),
            (
                r#"{"sandbox": true, "init": false, "die_with_parent": true}"#,
                "init: wait_for_all and die_with_parent need it",
            ),
            (r#"{"hostname": "a"} {}"#, "spec document: trailing characters"),
            ("[", "spec document: EOF while parsing"),
        ] {
            assert!(refusal(text).starts_with(told), "{text}: {}", refusal(text));
        }
    }

    /// A document with every option.
    const EVERYTHING: &str = include_str!("everything.json");

    #[test]
    fn every_option_is_kept_over_json() {
        let document = Document::from_json(EVERYTHING).unwrap();
        assert_eq!(Document::from_json(&document.to_json()).unwrap(), document);
        let given: serde_json::Value = serde_json::from_str(EVERYTHING).unwrap();
        let schema: serde_json::Value = serde_json::from_str(&Document::schema()).unwrap();
        let known: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let named: Vec<&String> = given.as_object().unwrap().keys().collect();
        assert_eq!(named, known, "the example leaves out an option");
    }

    /// The options of the document with every one, each as a document of its own.
    fn options() -> Vec<(String, serde_json::Value)> {
        let mut everything: serde_json::Value = serde_json::from_str(EVERYTHING).unwrap();
        // A descriptor of a namespace, which stays open.
        let namespace = std::fs::File::open("/proc/self/ns/net").unwrap();
        everything["join"] = serde_json::json!([std::os::fd::IntoRawFd::into_raw_fd(namespace)]);
        let fields = everything.as_object().unwrap().clone();
        fields
            .into_iter()
            .map(|(option, value)| (option.clone(), serde_json::json!({ option: value })))
            .collect()
    }

    fn of(value: serde_json::Value) -> Document {
        Document::from_value(value).unwrap()
    }

    #[test]
    fn every_option_reaches_the_spec_and_comes_back() {
        for (option, document) in options() {
            // It loosens what the sandbox has set.
            let before = if option == "share" { r#"{"sandbox": true}"# } else { "{}" };
            let mut spec = Document::from_json(before).unwrap().spec().unwrap();
            let was = format!("{spec:?}");
            of(document).apply(&mut spec).unwrap();
            let is = format!("{spec:?}");
            assert!(is != was, "{option} changes nothing");
            let written = Document::of(&spec).unwrap().to_json();
            let again = Document::from_json(&written).unwrap().spec().unwrap();
            assert_eq!(format!("{again:?}"), is, "{option}: {written}");
        }
    }

    #[test]
    fn any_options_together_come_back() {
        let mut random = Random(0x2545_F491_4F6C_DD1D);
        for round in 0..500 {
            let mut document = serde_json::json!({ "sandbox": round % 2 == 0 });
            for (option, value) in options() {
                // They do not go with others, or need them.
                let odd = ["sandbox", "share", "map_current", "args", "program"].contains(&option.as_str());
                if !odd && random.below(3) == 0 {
                    document[&option] = value[&option].clone();
                }
            }
            let spec = of(document.clone()).spec().unwrap();
            let written = Document::of(&spec).unwrap().to_json();
            let again = Document::from_json(&written).unwrap().spec().unwrap();
            assert_eq!(format!("{again:?}"), format!("{spec:?}"), "{document}\n{written}");
        }
    }

    #[test]
    fn a_sandbox_is_written_as_one() {
        let mut spec = Spec::new("sh").unwrap();
        spec.sandbox().unwrap().hostname("judge").unwrap().nice(3).unwrap();
        spec.mount(Mount::tmpfs("/work").unwrap()).rlimit("nofile", 9, 9).unwrap();
        spec.landlock(None).seccomp(None).init(false).new_privs(true).share(Kinds::NET);
        let document = Document::of(&spec).unwrap();
        let written: serde_json::Value = serde_json::from_str(&document.to_json()).unwrap();
        let wanted = serde_json::json!({
            "sandbox": true, "share": ["net"], "hostname": "judge", "nice": 3, "landlock": false, "seccomp": false,
            "init": false, "die_with_parent": false, "new_privs": true, "rlimits": {"nofile": [9, 9]},
            "mounts": [{"type": "tmpfs", "target": "/work", "mode": 493}],
        });
        assert_eq!(written, wanted);
        let again = document.spec().unwrap();
        assert_eq!(format!("{again:?}"), format!("{spec:?}"));
    }

    /// A small generator of numbers that look random: xorshift.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % bound as u64) as usize
        }
    }

    /// Values that are wrong in most places.
    const ODD: [&str; 14] = [
        "null",
        "true",
        "-1",
        "0",
        "1e300",
        "4294967295",
        "18446744073709551615",
        "\"\"",
        "\"/\"",
        "\"\\u0000\"",
        "[]",
        "{}",
        "[[[1]]]",
        "{\"type\": \"bind\"}",
    ];

    /// Replaces, removes or doubles some value in it.
    fn change(value: &mut serde_json::Value, random: &mut Random) {
        let odd = |random: &mut Random| serde_json::from_str(ODD[random.below(ODD.len())]).unwrap();
        match value {
            serde_json::Value::Object(fields) if !fields.is_empty() && random.below(4) > 0 => {
                let name = fields.keys().nth(random.below(fields.len())).unwrap().clone();
                match random.below(6) {
                    0 => drop(fields.remove(&name)),
                    1 => drop(fields.insert(name + "x", odd(random))),
                    _ => change(&mut fields[&name], random),
                }
            }
            serde_json::Value::Array(items) if !items.is_empty() && random.below(4) > 0 => {
                let index = random.below(items.len());
                match random.below(6) {
                    0 => drop(items.remove(index)),
                    1 => items.push(items[index].clone()),
                    _ => change(&mut items[index], random),
                }
            }
            other => *other = odd(random),
        }
    }

    /// NSISO_FUZZ_SECONDS makes it longer.
    #[test]
    fn a_broken_document_is_an_error_and_nothing_worse() {
        let seconds = std::env::var("NSISO_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
        let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds.unwrap_or(1));
        let everything: serde_json::Value = serde_json::from_str(EVERYTHING).unwrap();
        let (mut random, mut refused) = (Random(0x9E37_79B9_7F4A_7C15), 0);
        while refused < 100 || std::time::Instant::now() < end {
            let mut value = everything.clone();
            for _ in 0..1 + random.below(4) {
                change(&mut value, &mut random);
            }
            let mut text = value.to_string().into_bytes();
            if random.below(4) == 0 {
                let at = random.below(text.len());
                text[at] = random.below(128) as u8;
                text.truncate(1 + random.below(text.len()));
            }
            let text = String::from_utf8(text).unwrap();
            match Document::from_json(&text).and_then(|document| document.spec()) {
                Ok(spec) => drop(spec),
                Err(error) => {
                    assert!(!error.message().is_empty(), "{text}");
                    refused += 1;
                }
            }
        }
    }
}
