//! A spec written as a document.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::fd::AsRawFd;

use super::value::{flag, list};
use super::*;
use crate::spec::limit_name;
use crate::{ClockOffset, Error, IdRange};

/// A map, left out where it is empty.
fn map<K: Ord, V>(entries: impl Iterator<Item = (K, V)>) -> Option<BTreeMap<K, V>> {
    Some(entries.collect()).filter(|entries: &BTreeMap<K, V>| !entries.is_empty())
}

fn bytes(text: &(impl AsRef<CStr> + ?Sized)) -> ByteString {
    text.as_ref().into()
}

impl Document {
    /// The options of a spec. A spec that was made a sandbox is written as one, with what differs
    /// from it. EINVAL for what a document cannot say: an environment variable whose name is not
    /// UTF-8, a sandbox without one of its user, pid and mount namespaces, or one whose filter was
    /// removed and others added.
    pub fn of(spec: &Spec) -> Result<Self> {
        let mut document = Self::plain(spec)?;
        if spec.sandbox {
            let mut bare = Spec::new("sh")?;
            bare.sandbox()?;
            document = document.without_defaults_of(&Self::plain(&bare)?)?;
            let shared = bare.kinds - spec.kinds;
            check_shared(shared).at("share")?;
            document.share = list(kinds(shared)).map(OneOrMany::Many);
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
        let variables: Vec<_> = entries(true)
            .filter_map(|change| change.entry.as_ref())
            .map(|entry| variable(entry.as_bytes()).at("env"))
            .collect::<Result<_>>()?;
        let named = program.argv.first() != Some(&program.path);
        Ok(Document {
            args: list(program.argv.iter().map(bytes)),
            program: named.then(|| bytes(&program.path)),
            env: map(variables.into_iter()),
            env_unset: list(
                entries(false)
                    .map(|change| change.prefix.strip_suffix(b"=").unwrap_or(&change.prefix).into()),
            ),
            env_clear: flag(program.environment.cleared),
            cwd: program.cwd.as_ref().map(bytes),
            cwd_at: program.cwd_at.map(|fd| fd.as_raw_fd()),
            root_at: spec.rootfs.root_at.map(|fd| fd.as_raw_fd()),
            fds: map(program.descriptors.iter().map(|(number, source)| (*number, source.into()))),
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
            join: list(spec.joins.iter().map(JoinOption::from)),
            pin: map(spec
                .pins
                .iter()
                .flat_map(|(kind, at)| kinds(*kind).into_iter().map(|kind| (kind, at.as_os_str().into())))),
            sync_fds: spec.sync_fds.map(|(info, block)| (info.as_raw_fd(), block.as_raw_fd())),
            map_root: flag(identity.uid_map.caller == Some(Some(0))),
            map_current: flag(identity.uid_map.caller == Some(None)),
            map_auto: flag(identity.uid_map.subordinate),
            uid_map: list(identity.uid_map.ranges.iter().map(range)),
            gid_map: list(identity.gid_map.ranges.iter().map(range)),
            setgroups: identity.setgroups,
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups.clone(),
            keep_caps: flag(identity.keep_caps),
            keep_credentials: flag(identity.keep_credentials),
            hostname: spec.names.hostname.as_ref().map(bytes),
            domainname: spec.names.domainname.as_ref().map(bytes),
            monotonic: spec.clocks.monotonic.map(Time::from),
            boottime: spec.clocks.boottime.map(Time::from),
            propagation: Some(spec.rootfs.propagation)
                .filter(|propagation| *propagation != Propagation::default()),
            mount_proc: spec.rootfs.proc_mount.as_ref().map(|path| Switch::Value(bytes(path))),
            root: None,
            mounts: list(spec.rootfs.mounts.iter().map(MountEntry::of)),
            loopback: Some(false).filter(|_| !spec.network.loopback),
            links: list(
                spec.network
                    .links
                    .iter()
                    .map(|(inside, outside)| LinkOption { inside: inside.into(), outside: outside.into() }),
            ),
            devices: map(spec.network.devices.iter().map(|(device, inside)| (device.clone(), inside.into()))),
            uplink: spec.network.uplink.as_ref().map(|uplink| {
                Switch::Value(UplinkPorts {
                    tcp: list(uplink.tcp.iter().copied()),
                    udp: list(uplink.udp.iter().copied()),
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
            landlock: privileges.landlock.as_ref().map(|rules| Switch::Value(LandlockRules::of(rules))),
            seccomp: super::restrictions::seccomp_of(&privileges.filters),
            seccomp_notify: privileges.notify.as_ref().and_then(|filter| match filter.rules() {
                crate::spec::Rules::Notify(calls) => Some(calls.clone()),
                _ => None,
            }),
            limits: super::resources::limits(spec),
            rlimits: map(spec.resources.rlimits.iter().map(|(resource, limit)| {
                let limit = Rlimit::Each(limit.rlim_cur.into(), limit.rlim_max.into());
                (limit_name(*resource).to_owned(), limit)
            })),
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

    /// Returns the options that differ from a plain sandbox. What the sandbox turns on and this
    /// spec does not is written as off.
    fn without_defaults_of(self, sandbox: &Document) -> Result<Self> {
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
        let mut own = own.into();
        without_nulls(&mut own);
        super::json::from_value(&own)
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

fn range(range: &IdRange) -> (u32, u32, u32) {
    (range.inside(), range.outside(), range.count())
}

/// The name and the value of an entry of the environment.
fn variable(entry: &[u8]) -> Result<(String, ByteString)> {
    let end = entry.iter().position(|byte| *byte == b'=').unwrap_or(entry.len());
    match std::str::from_utf8(&entry[..end]) {
        Ok(name) => Ok((name.to_owned(), entry.get(end + 1..).unwrap_or_default().into())),
        Err(_) => {
            let name = String::from_utf8_lossy(&entry[..end]);
            Err(Error::argument(format!("the name {name:?} is not UTF-8, so it cannot be a key")))
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
