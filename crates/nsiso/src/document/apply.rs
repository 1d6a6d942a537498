//! A document put into a spec: every option by its setter, errors with the option's path.

use super::descriptors::descriptor;
use super::restrictions::{put_landlock, put_seccomp};
use super::{At, Document, OneOrMany, Time, check_shared, network, resources};
use crate::{ClockOffset, Error, IdRange, Kinds, Mount, Result, Spec};

/// Whether an option is given and `true`.
fn on(option: Option<bool>) -> bool {
    option == Some(true)
}

impl Document {
    /// Adds these options to a spec.
    ///
    /// Lists and maps of mounts, links, devices, joins, pins, filters, id ranges, limits of the
    /// process, descriptors and variables add to those of the spec. Every other option replaces
    /// the earlier value. `false` has an effect only for options that are on by default or that
    /// the sandbox sets. EINVAL for a value that is not possible: the message begins with the path
    /// of the option, and the spec may have some of the options.
    pub fn apply(&self, spec: &mut Spec<'static>) -> Result<()> {
        // The sandbox comes first, since the others add to it or replace a part.
        match self.sandbox {
            Some(true) if !spec.sandbox => drop(spec.sandbox().at("sandbox")?),
            Some(false) if spec.sandbox => {
                return Err(Error::argument("the spec is one already").at("sandbox"));
            }
            _ => {}
        }
        if self.share.is_some() && !spec.sandbox {
            return Err(Error::argument("it loosens a sandbox, and this spec is none").at("share"));
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
            spec.argv(args).at("args")?;
        }
        if let Some(program) = &self.program {
            spec.program(program).at("program")?;
        }
        if on(self.env_clear) {
            spec.env_clear();
        }
        for (name, value) in self.env.iter().flatten() {
            spec.env(name, value).at("env")?;
        }
        for name in self.env_unset.iter().flatten() {
            spec.env_unset(name).at("env_unset")?;
        }
        if let Some(cwd) = &self.cwd {
            spec.cwd(cwd).at("cwd")?;
        }
        if let Some(fd) = self.cwd_at {
            spec.cwd_at(descriptor(fd).at("cwd_at")?);
        }
        for (number, source) in self.fds.iter().flatten() {
            source.put(*number, spec).at("fds")?;
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
            spec.umask(umask).at("umask")?;
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
        let shared = self.share.iter().flat_map(OneOrMany::items);
        let shared: Kinds = shared.map(|kind| Kinds::from(*kind)).collect();
        check_shared(shared).at("share")?;
        for (_, kind) in kinds.into_iter().filter(|(option, _)| on(*option)) {
            if shared.contains(kind) {
                return Err(
                    Error::argument(format!("a {kind} namespace cannot be both shared and new")).at("share")
                );
            }
            spec.unshare(kind);
        }
        for (index, join) in self.join.iter().flatten().enumerate() {
            join.put(spec).at(&format!("join[{index}]"))?;
        }
        for (kind, path) in self.pin.iter().flatten() {
            spec.pin((*kind).into(), &path.0).at("pin")?;
        }
        if let Some((info, block)) = self.sync_fds {
            spec.sync_fds(descriptor(info).at("sync_fds")?, descriptor(block).at("sync_fds")?);
        }
        if let Some(name) = &self.hostname {
            spec.hostname(name).at("hostname")?;
        }
        if let Some(name) = &self.domainname {
            spec.domainname(name).at("domainname")?;
        }
        let offset = |time: Time| {
            let nanos = 1_000_000_000;
            ClockOffset::new(time.0.div_euclid(nanos), time.0.rem_euclid(nanos) as u32)
        };
        if let Some(time) = self.monotonic {
            offset(time).and_then(|offset| spec.monotonic(offset).map(drop)).at("monotonic")?;
        }
        if let Some(time) = self.boottime {
            offset(time).and_then(|offset| spec.boottime(offset).map(drop)).at("boottime")?;
        }
        Ok(())
    }

    fn put_identity(&self, spec: &mut Spec<'static>) -> Result<()> {
        if on(self.map_root) && on(self.map_current) {
            return Err(Error::argument("it excludes map_current").at("map_root"));
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
            range.and_then(|range| spec.uid_map(range).map(drop)).at(&format!("uid_map[{index}]"))?;
        }
        for (index, (inside, outside, count)) in self.gid_map.iter().flatten().enumerate() {
            let range = IdRange::new(*inside, *outside, *count);
            range.and_then(|range| spec.gid_map(range).map(drop)).at(&format!("gid_map[{index}]"))?;
        }
        if let Some(allowed) = self.setgroups {
            spec.setgroups(allowed);
        }
        if let Some(uid) = self.uid {
            spec.uid(uid).at("uid")?;
        }
        if let Some(gid) = self.gid {
            spec.gid(gid).at("gid")?;
        }
        if let Some(groups) = &self.groups {
            spec.groups(groups).at("groups")?;
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
            spec.propagation(propagation);
        }
        if let Some(fd) = self.root_at {
            spec.root_at(descriptor(fd).at("root_at")?);
        }
        if let Some(root) = &self.root {
            spec.mount(Mount::bind(root, "/").at("root")?);
        }
        for (index, entry) in self.mounts.iter().flatten().enumerate() {
            spec.mount(entry.mount().at(&format!("mounts[{index}]"))?);
        }
        if let Some(path) = self.mount_proc.as_ref().and_then(|path| path.or("/proc".into())) {
            spec.mount_proc(path).at("mount_proc")?;
        }
        Ok(())
    }

    fn put_network(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(up) = self.loopback {
            spec.loopback(up);
        }
        for (index, link) in self.links.iter().flatten().enumerate() {
            link.put(spec).at(&format!("links[{index}]"))?;
        }
        for (device, inside) in self.devices.iter().flatten() {
            network::put_device(device, inside, spec).at("devices")?;
        }
        match &self.uplink {
            Some(uplink) => network::put_uplink(uplink, spec).at("uplink"),
            None => Ok(()),
        }
    }

    fn put_privileges(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(caps) = &self.caps {
            spec.caps(caps.items()).at("caps")?;
        }
        if let Some(bits) = self.securebits {
            spec.securebits(bits);
        }
        if let Some(landlock) = &self.landlock {
            put_landlock(landlock, spec).at("landlock")?;
        }
        if let Some(seccomp) = &self.seccomp {
            put_seccomp(seccomp, spec).at("seccomp")?;
        }
        match &self.seccomp_notify {
            Some(calls) => spec.seccomp_notify(calls).at("seccomp_notify").map(drop),
            None => Ok(()),
        }
    }

    fn put_resources(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(limits) = &self.limits {
            limits.put(spec).at("limits")?;
        }
        if let Some(rlimits) = &self.rlimits {
            resources::put_rlimits(rlimits, spec).at("rlimits")?;
        }
        if let Some(nice) = self.nice {
            spec.nice(nice).at("nice")?;
        }
        if let Some(score) = self.oom_score_adj {
            spec.oom_score_adj(score).at("oom_score_adj")?;
        }
        match &self.cpus {
            Some(cpus) => spec.cpus(cpus).at("cpus").map(drop),
            None => Ok(()),
        }
    }

    fn put_switches(&self, spec: &mut Spec<'static>) -> Result<()> {
        if let Some(time) = self.deadline {
            let after = time.duration().unwrap_or_default();
            spec.deadline(after).at("deadline")?;
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
        for kind in self.share.iter().flat_map(OneOrMany::items) {
            spec.share((*kind).into());
        }
        if self.init == Some(false)
            && (on(self.wait_for_all) || on(self.die_with_parent) || self.deadline.is_some())
        {
            return Err(Error::argument("wait_for_all, die_with_parent and deadline need it").at("init"));
        }
        Ok(())
    }
}
