//! Plans the limits, the scheduling and the privileges of the program: rlimits, nice value,
//! capabilities, Landlock and seccomp. `spec::privileges` holds the options.

use super::Plan;
use super::format::{Action, Limit, PathRule, PortRule, Ruleset, Table};
use crate::error::Step;
use crate::spec::landlock::{BIND_TCP, CONNECT_TCP, OF_FILES, WRITE};
use crate::spec::{Mount, Seccomp};
use crate::{Kinds, Result, Spec, rlimit};

impl Plan {
    /// Lowers the limits of `/proc/sys/user`. To be called before the program's root file system
    /// replaces the caller's and its `/proc`.
    pub(super) fn forbid_user_namespaces(&mut self, spec: &Spec) {
        if spec.privileges.no_user_namespaces {
            self.write_proc(Step::UserNamespaces, c"sys/user/max_user_namespaces", "0", false);
        }
        if spec.resources.few_user_resources && spec.kinds.contains(Kinds::USER) {
            self.write_proc(Step::UserNamespaces, c"sys/user/max_inotify_instances", "32", true);
            self.write_proc(Step::UserNamespaces, c"sys/user/max_inotify_watches", "4096", true);
        }
    }

    /// To be called before the joins: lowering the score takes CAP_SYS_RESOURCE in the initial user
    /// namespace.
    pub(super) fn oom_score(&mut self, spec: &Spec) {
        if let Some(score) = spec.scheduling.oom_score_adj {
            self.write_own(Step::OomScore, c"self/oom_score_adj", &score.to_string());
        }
    }

    /// Sets what may take privileges. To be called before the change of uid, which drops them.
    pub(super) fn limits(&mut self, spec: &Spec) {
        self.rlimits(spec, is_raised);
        if let Some(nice) = spec.scheduling.nice {
            self.push(Step::Nice, Action::SetPriority(nice));
        }
        if let Some(mask) = &spec.scheduling.cpus {
            let mask = self.arena.table(mask);
            self.push(Step::Affinity, Action::SetAffinity(mask));
        }
        if let Some(mask) = spec.program.umask {
            self.push(Step::Umask, Action::SetUmask(mask));
        }
        if let Some(personality) = spec.program.personality {
            self.push(Step::Personality, Action::SetPersonality(personality));
        }
    }

    /// Lowers rlimits late, because the helper and the init process may need more than the program
    /// is allowed.
    pub(super) fn lowered_limits(&mut self, spec: &Spec) {
        self.rlimits(spec, |resource, limit| !is_raised(resource, limit));
    }

    fn rlimits(&mut self, spec: &Spec, which: impl Fn(u32, &libc::rlimit64) -> bool) {
        for (index, (resource, limit)) in spec.resources.rlimits.iter().enumerate() {
            if which(*resource, limit) {
                let limit = Limit { resource: *resource, soft: limit.rlim_cur, hard: limit.rlim_max };
                self.push_nth(Step::Rlimit, index, Action::SetLimit(limit));
            }
        }
    }

    /// To be called after the change of uid.
    pub(super) fn privileges(&mut self, spec: &Spec) {
        let privileges = &spec.privileges;
        if let Some(bits) = privileges.securebits {
            let (option, argument) = (libc::PR_SET_SECUREBITS, bits as usize);
            self.push(Step::Securebits, Action::Control { option, argument });
        }
        if let Some(keep) = privileges.capabilities {
            // The helper may lack CAP_SETPCAP to lower the bounding set. With no_new_privs the
            // program cannot regain capabilities from it, so a refusal is accepted then.
            let bounding = !privileges.no_new_privs || spec.kinds.contains(Kinds::USER);
            self.push(Step::Capabilities, Action::KeepOnly { keep, bounding });
        }
        if privileges.no_user_namespaces && privileges.capabilities.is_none() {
            // A program with CAP_SYS_RESOURCE could raise the limit again.
            const CAP_SYS_RESOURCE: usize = 24;
            let (option, argument) = (libc::PR_CAPBSET_DROP, CAP_SYS_RESOURCE);
            self.push(Step::Capabilities, Action::Control { option, argument });
        }
        if privileges.no_new_privs {
            self.push(Step::NoNewPrivs, Action::Control { option: libc::PR_SET_NO_NEW_PRIVS, argument: 1 });
        }
    }

    /// Plans the Landlock ruleset. Its paths are resolved in the program's root file system.
    pub(super) fn landlock(&mut self, spec: &Spec) -> Result<()> {
        let Some(rules) = &spec.privileges.landlock else { return Ok(()) };
        let version = landlock_version();
        let Some(attributes) = rules.attributes(version)? else { return Ok(()) };
        let below_root = |mount: &&Mount| mount.at.as_bytes() != b"/" && mount.is_written();
        let written = spec.rootfs.mounts.iter().filter(|mount| rules.as_mounted && below_root(mount));
        let paths: Vec<PathRule> = rules
            .paths
            .iter()
            .map(|(path, access)| (path, *access, false))
            .chain(written.map(|mount| (&mount.at, WRITE, true)))
            .map(|(path, access, optional)| {
                let path = self.arena.text(path);
                let access = access & attributes[0];
                PathRule { path, optional, access, of_files: OF_FILES }
            })
            .collect();
        let granted = |ports: &Option<Vec<u16>>, access: u64| -> Vec<PortRule> {
            let ports = ports.iter().flatten().filter(|_| attributes[1] & access != 0);
            ports.map(|port| PortRule { access, port: u64::from(*port) }).collect()
        };
        let mut ports = granted(&rules.bind, BIND_TCP);
        ports.extend(granted(&rules.connect, CONNECT_TCP));
        let size = size_of::<u64>() * if version < 4 { 1 } else { 2 + usize::from(version >= 6) };
        let ruleset = Ruleset {
            attributes: self.arena.value(attributes),
            size,
            paths: self.arena.table(&paths),
            ports: self.arena.table(&ports),
        };
        self.push(Step::Landlock, Action::Landlock(ruleset));
        Ok(())
    }

    /// Installs the seccomp filters. To be called last: a filter may refuse calls that the helper
    /// still needs.
    pub(super) fn filters(&mut self, spec: &Spec) {
        for (index, filter) in spec.privileges.filters.iter().enumerate() {
            let program = self.filter_program(filter);
            self.push_nth(Step::Seccomp, index, Action::Seccomp(program));
        }
        if let (Some(filter), Some(socket)) = (&spec.privileges.notify, self.socket) {
            let program = self.filter_program(filter);
            self.push(Step::Seccomp, Action::NotifyFilter { program, socket });
        }
    }

    fn filter_program(&mut self, filter: &Seccomp) -> Table<u64> {
        // SAFETY: an instruction has eight bytes and no padding, and any eight bytes are a valid
        // u64.
        let words =
            filter.program().iter().map(|instruction| unsafe { std::mem::transmute_copy(instruction) });
        self.arena.table(&words.collect::<Vec<u64>>())
    }
}

fn is_raised(resource: u32, limit: &libc::rlimit64) -> bool {
    limit.rlim_max > rlimit::hard(resource)
}

fn landlock_version() -> i32 {
    const VERSION: usize = 1;
    // SAFETY: the call takes numbers only. With this flag it makes nothing.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, VERSION) as i32 }
}
