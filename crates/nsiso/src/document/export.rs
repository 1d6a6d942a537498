//! A spec written as a document.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::AsRawFd;

use super::*;
use crate::spec::{Join, Source, limit_name};
use crate::{ClockOffset, IdRange, Stdio};

/// A string of the spec. JSON has Unicode alone.
pub(super) fn utf8(text: &CString) -> Result<String> {
    let text =
        text.to_str().map_err(|_| Error::argument(format!("{text:?} is not UTF-8, and so not in JSON")))?;
    Ok(text.to_owned())
}

pub(super) fn path(path: &std::path::Path) -> Result<String> {
    let text =
        path.to_str().ok_or_else(|| Error::argument(format!("{path:?} is not UTF-8, and so not in JSON")))?;
    Ok(text.to_owned())
}

/// `true` or left out.
pub(super) fn flag(on: bool) -> Option<bool> {
    on.then_some(true)
}

/// A list, left out where it is empty.
fn list<T>(items: impl Iterator<Item = Result<T>>) -> Result<Option<Vec<T>>> {
    let items: Vec<T> = items.collect::<Result<_>>()?;
    Ok(Some(items).filter(|items| !items.is_empty()))
}

impl Document {
    /// The options of a spec. A spec that was made a sandbox is written as one, with what differs
    /// from it. EINVAL for a string that is not UTF-8, which JSON cannot have.
    pub fn of(spec: &Spec) -> Result<Self> {
        let mut document = Self::plain(spec)?;
        if spec.sandbox {
            let mut bare = Spec::new("sh")?;
            bare.sandbox()?;
            document = document.beside(&Self::plain(&bare)?)?;
            let shared = bare.kinds - spec.kinds;
            document.share = shared_kinds(shared)?;
            document.sandbox = Some(true);
        }
        Ok(document)
    }

    fn plain(spec: &Spec) -> Result<Self> {
        let (program, identity, privileges) = (&spec.program, &spec.identity, &spec.privileges);
        let restricted =
            privileges.landlock.is_some() || !privileges.filters.is_empty() || privileges.notify.is_some();
        let kind = |kind: Kinds| flag(spec.kinds.contains(kind));
        let entries = |set: bool| {
            program.environment.changes.iter().filter(move |change| change.entry.is_some() == set)
        };
        let named = program.argv.first() != Some(&program.path);
        Ok(Document {
            args: list(program.argv.iter().map(utf8))?,
            program: if named { Some(utf8(&program.path)?) } else { None },
            env: Some(
                entries(true)
                    .filter_map(|change| change.entry.as_ref())
                    .map(|entry| {
                        let entry = utf8(entry)?;
                        let (name, value) = entry.split_once('=').unwrap_or((&entry, ""));
                        Ok((name.to_owned(), value.to_owned()))
                    })
                    .collect::<Result<BTreeMap<_, _>>>()?,
            )
            .filter(|variables| !variables.is_empty()),
            env_unset: list(entries(false).map(|change| {
                let name = change.prefix.strip_suffix(b"=").unwrap_or(&change.prefix);
                utf8(&CString::new(name).unwrap_or_default())
            }))?,
            env_clear: flag(program.environment.cleared),
            cwd: program.cwd.as_ref().map(utf8).transpose()?,
            cwd_at: program.cwd_at.map(|fd| fd.as_raw_fd()),
            root_at: spec.rootfs.root_at.map(|fd| fd.as_raw_fd()),
            fds: Some(program.descriptors.iter().map(|(number, source)| (*number, source.into())).collect())
                .filter(|fds: &BTreeMap<_, _>| !fds.is_empty()),
            new_session: flag(program.new_session && program.pty.is_none()),
            reset_signals: flag(program.reset_signals),
            pty: program.pty.map(Switch::Value),
            umask: program.umask,
            personality: program.personality,
            sandbox: None,
            share: None,
            user: kind(Kinds::USER),
            pid: kind(Kinds::PID),
            mnt: kind(Kinds::MNT),
            net: kind(Kinds::NET),
            ipc: kind(Kinds::IPC),
            uts: kind(Kinds::UTS),
            time: kind(Kinds::TIME),
            cgroup: kind(Kinds::CGROUP),
            join: list(spec.joins.iter().map(|join| Ok(join.into())))?,
            pin: Some(
                spec.pins
                    .iter()
                    .map(|(kind, at)| {
                        let kind = KINDS.into_iter().find(|known| Kinds::from(*known) == *kind);
                        Ok((kind.unwrap_or(Kind::User), path(at)?))
                    })
                    .collect::<Result<BTreeMap<_, _>>>()?,
            )
            .filter(|pins| !pins.is_empty()),
            sync_fds: spec.sync_fds.map(|(info, block)| (info.as_raw_fd(), block.as_raw_fd())),
            map_root: flag(identity.uid_map.caller == Some(Some(0))),
            map_current: flag(identity.uid_map.caller == Some(None)),
            map_auto: flag(identity.uid_map.subordinate),
            uid_map: ranges(&identity.uid_map.ranges),
            gid_map: ranges(&identity.gid_map.ranges),
            setgroups: identity.setgroups,
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups.clone(),
            keep_caps: flag(identity.keep_caps),
            keep_credentials: flag(identity.keep_credentials),
            hostname: spec.names.hostname.as_ref().map(utf8).transpose()?,
            domainname: spec.names.domainname.as_ref().map(utf8).transpose()?,
            monotonic: spec.clocks.monotonic.map(Time::from),
            boottime: spec.clocks.boottime.map(Time::from),
            propagation: Some(spec.rootfs.propagation)
                .filter(|propagation| *propagation != crate::Propagation::default())
                .map(Propagation::from),
            mount_proc: spec
                .rootfs
                .proc_mount
                .as_ref()
                .map(|path| utf8(path).map(Switch::Value))
                .transpose()?,
            root: None,
            mounts: list(spec.rootfs.mounts.iter().map(MountEntry::of))?,
            loopback: Some(false).filter(|_| !spec.network.loopback),
            links: list(
                spec.network.links.iter().map(|(inside, outside)| {
                    Ok(LinkOption { inside: inside.into(), outside: outside.into() })
                }),
            )?,
            devices: Some(
                spec.network.devices.iter().map(|(device, inside)| (device.clone(), inside.into())).collect(),
            )
            .filter(|devices: &BTreeMap<_, _>| !devices.is_empty()),
            uplink: spec.network.uplink.as_ref().map(|uplink| {
                Switch::Value(UplinkPorts {
                    tcp: Some(uplink.tcp.clone()).filter(|ports| !ports.is_empty()),
                    udp: Some(uplink.udp.clone()).filter(|ports| !ports.is_empty()),
                    listen: Some(uplink.listen),
                })
            }),
            caps: privileges.capabilities.map(|set| OneOrMany::Many(crate::spec::capability_names(set))),
            securebits: privileges.securebits,
            new_privs: match privileges.no_new_privs {
                true => Some(false),
                // These would turn it off.
                false => flag(restricted),
            },
            user_namespaces: Some(false).filter(|_| privileges.no_user_namespaces),
            landlock: privileges.landlock.as_ref().map(LandlockRules::of).transpose()?.map(Switch::Value),
            seccomp: super::restrictions::seccomp_of(&privileges.filters),
            seccomp_notify: privileges.notify.as_ref().and_then(|filter| match filter.rules() {
                crate::spec::Rules::Notify(calls) => Some(calls.clone()),
                _ => None,
            }),
            limits: super::resources::limits(spec)?,
            rlimits: Some(
                spec.resources
                    .rlimits
                    .iter()
                    .map(|(resource, limit)| {
                        let limit = Rlimit::Each(limit.rlim_cur.into(), limit.rlim_max.into());
                        (limit_name(*resource).to_owned(), limit)
                    })
                    .collect(),
            )
            .filter(|limits: &BTreeMap<_, _>| !limits.is_empty()),
            nice: spec.scheduling.nice,
            oom_score_adj: spec.scheduling.oom_score_adj,
            cpus: spec.scheduling.cpus.as_ref().map(|mask| {
                (0..mask.len() * 64).filter(|cpu| mask[cpu / 64] >> (cpu % 64) & 1 == 1).collect()
            }),
            init: match spec.init {
                Some(_) => Some(true),
                // A deadline would bring one.
                None => spec.deadline.map(|_| false),
            },
            wait_for_all: flag(spec.init.is_some_and(|init| init.wait_for_all)),
            die_with_parent: flag(spec.init.is_some_and(|init| init.die_with_parent)),
            deadline: spec.deadline.map(Time::from),
        })
    }

    /// The options that a sandbox does not have anyway, and those of its own that were turned off.
    fn beside(self, sandbox: &Document) -> Result<Self> {
        let fields = |document: &Document| match serde_json::to_value(document) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let (mut own, known) = (fields(&self), fields(sandbox));
        for (option, off) in SANDBOXED {
            if own[option].is_null() && !known[option].is_null() {
                own.insert(option.into(), off.into());
            }
        }
        // An environment that was cleared again lacks variables of the sandbox's.
        let cleared =
            known["env"].as_object().is_some_and(|env| env.keys().any(|name| own["env"][name].is_null()));
        own.retain(|option, value| known[option] != *value);
        if cleared {
            own.insert("env_clear".into(), true.into());
        }
        if let (Some(serde_json::Value::Array(own)), Some(known)) =
            (own.get_mut("mounts"), known["mounts"].as_array())
            && own.starts_with(known)
        {
            own.drain(..known.len());
        }
        // Filters add to that of the sandbox, which is the first.
        if let Some(serde_json::Value::Array(filters)) = own.get_mut("seccomp") {
            match filters.first().is_some_and(|filter| filter["untrusted"] == true) {
                true => drop(filters.remove(0)),
                false => {
                    return Err(Error::argument(
                        "a document cannot say that filters replace that of the sandbox",
                    )
                    .at("seccomp"));
                }
            }
        }
        for option in ["rlimits", "env"].into_iter().filter(|option| *option == "rlimits" || !cleared) {
            if let (Some(serde_json::Value::Object(own)), Some(known)) =
                (own.get_mut(option), known[option].as_object())
            {
                own.retain(|name, value| known.get(name) != Some(value));
            }
        }
        Document::from_value(own.into())
    }
}

/// What the sandbox turns on, and the value that turns it off.
const SANDBOXED: [(&str, bool); 6] = [
    ("landlock", false),
    ("seccomp", false),
    ("init", false),
    ("die_with_parent", false),
    ("new_privs", true),
    ("user_namespaces", true),
];

const KINDS: [Kind; 8] =
    [Kind::User, Kind::Pid, Kind::Mnt, Kind::Net, Kind::Ipc, Kind::Uts, Kind::Time, Kind::Cgroup];

fn ranges(ranges: &[IdRange]) -> Option<Vec<(u32, u32, u32)>> {
    let ranges: Vec<_> =
        ranges.iter().map(|range| (range.inside(), range.outside(), range.count())).collect();
    Some(ranges).filter(|ranges| !ranges.is_empty())
}

fn shared_kinds(set: Kinds) -> Result<Option<OneOrMany<SharedKind>>> {
    use SharedKind::{Cgroup, Ipc, Net, Time, Uts};
    let known = [Net, Ipc, Uts, Time, Cgroup].into_iter();
    let shared: Vec<_> = known.filter(|kind| set.contains((*kind).into())).collect();
    let others = shared.iter().fold(set, |set, kind| set - Kinds::from(*kind));
    match others.is_empty() {
        true => Ok(Some(OneOrMany::Many(shared)).filter(|shared| !shared.items().is_empty())),
        false => Err(Error::argument(format!("a sandbox without a {others} namespace is none")).at("share")),
    }
}

fn kinds(set: Kinds) -> Vec<Kind> {
    KINDS.into_iter().filter(|kind| set.contains((*kind).into())).collect()
}

impl From<crate::Propagation> for Propagation {
    fn from(propagation: crate::Propagation) -> Self {
        match propagation {
            crate::Propagation::Private => Propagation::Private,
            crate::Propagation::Slave => Propagation::Slave,
            crate::Propagation::Shared => Propagation::Shared,
            crate::Propagation::Unchanged => Propagation::Unchanged,
        }
    }
}

impl From<ClockOffset> for Time {
    fn from(offset: ClockOffset) -> Self {
        Time(offset.seconds().saturating_mul(1_000_000_000).saturating_add(offset.nanoseconds().into()))
    }
}

impl From<u64> for Bound {
    fn from(number: u64) -> Self {
        if number == crate::UNLIMITED { Bound::Word(Unlimited::Unlimited) } else { Bound::Number(number) }
    }
}

impl From<&Source<'_>> for FdSource {
    fn from(source: &Source) -> Self {
        match source {
            Source::Stdio(Stdio::Inherit) => FdSource::Word(StdioWord::Inherit),
            Source::Stdio(Stdio::Null) => FdSource::Word(StdioWord::Null),
            Source::Stdio(Stdio::Pipe) => FdSource::Word(StdioWord::Pipe),
            Source::Borrowed(fd) => FdSource::Fd(fd.as_raw_fd()),
        }
    }
}

impl From<&Join<'_>> for JoinOption {
    fn from(join: &Join) -> Self {
        match join {
            Join::Namespace(fd) => JoinOption::Namespace(fd.as_raw_fd()),
            Join::Process(pidfd, set) => {
                let kinds = OneOrMany::Many(kinds(*set));
                JoinOption::Process(JoinProcess { pidfd: pidfd.as_raw_fd(), kinds: Some(kinds) })
            }
        }
    }
}
