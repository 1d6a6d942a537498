//! How the program is treated: limits, priorities, and the privileges that it gives up for good.

use super::{Action, Plan};
use crate::error::Step;
use crate::kind::USER;
use crate::spec::landlock::{BIND_TCP, CONNECT_TCP, WRITE};
use crate::spec::{Filter, Mount};
use crate::{Kinds, Result, Spec, rlimit};

/// `struct landlock_path_beneath_attr` is packed, so path and access go separately. The table ends with NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathRule {
    pub path: *const libc::c_char,
    pub access: u64,
    /// What cannot be reached needs no rule.
    pub optional: bool,
}

/// `struct landlock_net_port_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortRule {
    pub access: u64,
    pub port: u64,
}

/// A ruleset that the child makes where it can see the paths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ruleset {
    pub attributes: *const [u64; 3],
    /// How much of the attributes the kernel knows.
    pub size: usize,
    pub paths: *const PathRule,
    pub ports: *const PortRule,
    pub port_count: usize,
}

impl Plan {
    /// Before the program's view takes the host's /proc away.
    pub(super) fn no_user_namespaces(&mut self, spec: &Spec) {
        if spec.treatment.no_user_namespaces {
            self.write_file(Step::UserNamespaces, c"/proc/sys/user/max_user_namespaces", "0");
        }
    }

    /// The kernel gives the score to all who share the memory, but for a child whose parent stands still: any other gets a memory of its own.
    pub(super) fn oom_score(&mut self, spec: &Spec) {
        let Some(score) = spec.treatment.oom_score_adj else { return };
        // A caller whose child will enter a user namespace is not dumpable meanwhile, which makes these files root's; the child's memory is a copy.
        let dumpable = |argument| Action::Control { option: libc::PR_SET_DUMPABLE, argument };
        let enters_user = self.joins.has(USER);
        if enters_user {
            self.push(Step::OomScore, dumpable(1));
        }
        self.write_file(Step::OomScore, c"/proc/self/oom_score_adj", &score.to_string());
        if enters_user {
            self.push(Step::OomScore, dumpable(0));
        }
    }

    /// What may take privileges that go with the uid.
    pub(super) fn limits(&mut self, spec: &Spec) {
        let treatment = &spec.treatment;
        self.rlimits(spec, is_raised);
        if let Some(nice) = treatment.nice {
            self.push(Step::Nice, Action::SetPriority(nice));
        }
        if let Some(mask) = &treatment.cpus {
            let (mask, len) = (self.arena.copy(mask), size_of_val(mask.as_slice()));
            self.push(Step::Affinity, Action::SetAffinity { mask, len });
        }
        if let Some(mask) = treatment.umask {
            self.push(Step::Umask, Action::SetUmask(mask));
        }
        if let Some(personality) = treatment.personality {
            self.push(Step::Personality, Action::SetPersonality(personality));
        }
    }

    /// What the child itself, and an init process, need more of than the program is to have.
    pub(super) fn lowered_limits(&mut self, spec: &Spec) {
        self.rlimits(spec, |resource, limit| !is_raised(resource, limit));
    }

    fn rlimits(&mut self, spec: &Spec, which: impl Fn(u32, &libc::rlimit64) -> bool) {
        for (index, (resource, limit)) in spec.treatment.rlimits.iter().enumerate() {
            if which(*resource, limit) {
                let limit = self.arena.copy(&[*limit]);
                self.push_nth(Step::Rlimit, index, Action::SetLimit { resource: *resource, limit });
            }
        }
    }

    /// After the change of uid.
    pub(super) fn privileges(&mut self, spec: &Spec) {
        let treatment = &spec.treatment;
        if let Some(bits) = treatment.securebits {
            let (option, argument) = (libc::PR_SET_SECUREBITS, bits as usize);
            self.push(Step::Securebits, Action::Control { option, argument });
        }
        if let Some(keep) = treatment.capabilities {
            // What cannot be taken from the bounding set is of no use without new privileges.
            let bounding = !treatment.no_new_privs || spec.kinds.contains(Kinds::USER);
            self.push(Step::Capabilities, Action::KeepOnly { keep, bounding });
        }
        if treatment.no_new_privs {
            self.push(Step::NoNewPrivs, Action::Control { option: libc::PR_SET_NO_NEW_PRIVS, argument: 1 });
        }
    }

    /// In the program's view of the file system.
    pub(super) fn landlock(&mut self, spec: &Spec) -> Result<()> {
        let Some(rules) = &spec.landlock else { return Ok(()) };
        let version = landlock_version();
        let Some(attributes) = rules.attributes(version)? else { return Ok(()) };
        let below_root = |mount: &&Mount| mount.at.as_bytes() != b"/" && mount.is_written();
        let written = spec.mounts.iter().filter(|mount| rules.as_mounted && below_root(mount));
        let mut paths: Vec<PathRule> = rules
            .paths
            .iter()
            .map(|(path, access)| (path, *access, false))
            .chain(written.map(|mount| (&mount.at, WRITE, true)))
            .map(|(path, access, optional)| {
                let path = self.arena.text(path);
                PathRule { path, access: access & attributes[0], optional }
            })
            .collect();
        paths.push(PathRule { path: std::ptr::null(), access: 0, optional: false });
        let granted = |ports: &Option<Vec<u16>>, access: u64| -> Vec<PortRule> {
            let ports = ports.iter().flatten().filter(|_| attributes[1] & access != 0);
            ports.map(|port| PortRule { access, port: u64::from(*port) }).collect()
        };
        let mut ports = granted(&rules.bind, BIND_TCP);
        ports.extend(granted(&rules.connect, CONNECT_TCP));
        let size = size_of::<u64>() * if version < 4 { 1 } else { 2 + usize::from(version >= 6) };
        let ruleset = Ruleset {
            attributes: self.arena.copy(&[attributes]),
            size,
            paths: self.arena.copy(&paths),
            ports: self.arena.copy(&ports),
            port_count: ports.len(),
        };
        self.push(Step::Landlock, Action::Landlock(ruleset));
        Ok(())
    }

    /// Last of all: a filter may refuse what the child still has to do.
    pub(super) fn filters(&mut self, spec: &Spec) {
        for (index, filter) in spec.filters.iter().enumerate() {
            let program = self.filter_program(filter);
            self.push_nth(Step::Seccomp, index, Action::Filter { program });
        }
        if let (Some(filter), Some(socket)) = (&spec.notify, self.over) {
            let program = self.filter_program(filter);
            self.push(Step::Seccomp, Action::NotifyFilter { program, socket });
        }
    }
}

impl Plan {
    fn filter_program(&mut self, filter: &Filter) -> *const libc::sock_fprog {
        let program = filter.program();
        let filter = self.arena.copy(program).cast_mut();
        self.arena.copy(&[libc::sock_fprog { len: program.len() as u16, filter }])
    }
}

fn is_raised(resource: u32, limit: &libc::rlimit64) -> bool {
    limit.rlim_max > rlimit::hard(resource)
}

fn landlock_version() -> i32 {
    const VERSION: usize = 1;
    // SAFETY: numbers only; nothing is made.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, VERSION) as i32 }
}
