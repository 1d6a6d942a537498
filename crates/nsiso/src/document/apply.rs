//! A document put into a spec: every option by its setter, errors with the option's path.

use super::{Document, OneOrMany, Time, descriptor, json, network, resources};
use crate::{ClockOffset, Error, IdRange, Kinds, Mount, Result, Spec};

/// Whether an option is given and `true`.
fn on(option: Option<bool>) -> bool {
    option == Some(true)
}

impl Document {
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
