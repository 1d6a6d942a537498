//! What the program may do less than its user, and how it is treated.

use std::time::Duration;

use super::Spec;
use crate::{Error, Kinds, Result};

/// `capabilities(7)`, each at its number.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// CAP_SYS_RESOURCE, as a bit of a set.
const SYS_RESOURCE: u64 = 1 << 24;

/// `getrlimit(2)`.
const LIMITS: [(&str, u32); 16] = [
    ("as", libc::RLIMIT_AS),
    ("core", libc::RLIMIT_CORE),
    ("cpu", libc::RLIMIT_CPU),
    ("data", libc::RLIMIT_DATA),
    ("fsize", libc::RLIMIT_FSIZE),
    ("locks", libc::RLIMIT_LOCKS),
    ("memlock", libc::RLIMIT_MEMLOCK),
    ("msgqueue", libc::RLIMIT_MSGQUEUE),
    ("nice", libc::RLIMIT_NICE),
    ("nofile", libc::RLIMIT_NOFILE),
    ("nproc", libc::RLIMIT_NPROC),
    ("rss", libc::RLIMIT_RSS),
    ("rtprio", libc::RLIMIT_RTPRIO),
    ("rttime", libc::RLIMIT_RTTIME),
    ("sigpending", libc::RLIMIT_SIGPENDING),
    ("stack", libc::RLIMIT_STACK),
];

/// No limit, for [`Spec::rlimit`].
pub const UNLIMITED: u64 = libc::RLIM_INFINITY;

/// Processors have numbers below this.
const CPUS: usize = 8192;

/// How the program is treated; nothing where it is as the caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct Treatment {
    pub capabilities: Option<u64>,
    pub securebits: Option<u32>,
    pub no_new_privs: bool,
    pub no_user_namespaces: bool,
    /// Bounds on terminals and inotify, which all processes of the user share on the whole host.
    pub few_user_resources: bool,
    pub rlimits: Vec<(u32, libc::rlimit64)>,
    pub nice: Option<i32>,
    pub oom_score_adj: Option<i32>,
    pub cpus: Option<Vec<u64>>,
    pub umask: Option<u32>,
    pub personality: Option<u32>,
    pub deadline: Option<Duration>,
}

impl Spec<'_> {
    /// The capabilities that the program keeps, by name (`"net_admin"`, `"CAP_CHOWN"`), none or some, in all of its sets; it can never
    /// get any other. In a new user namespace it has all of them to choose from, otherwise those of the caller. `capabilities(7)`.
    pub fn caps<S: AsRef<str>>(&mut self, keep: impl IntoIterator<Item = S>) -> Result<&mut Self> {
        let mut set = 0;
        for name in keep {
            set |= 1 << capability(name.as_ref())?;
        }
        self.treatment.capabilities = Some(set);
        Ok(self)
    }

    /// `PR_SET_SECUREBITS`, `capabilities(7)`: how root is treated.
    pub fn securebits(&mut self, bits: u32) -> &mut Self {
        self.treatment.securebits = Some(bits);
        self
    }

    /// Whether set-user-ID programs and file capabilities give the program and its descendants
    /// more privileges: by default they do. `PR_SET_NO_NEW_PRIVS(2const)`. Landlock and seccomp
    /// need `false`.
    pub fn new_privs(&mut self, allowed: bool) -> &mut Self {
        self.treatment.no_new_privs = !allowed;
        self
    }

    /// Whether user namespaces can be made inside the new one: by default they can, and give
    /// access to kernel code that only root reaches otherwise. `false` asks for a new user
    /// namespace. [`Filter::untrusted`] refuses to make them, too.
    ///
    /// CAP_SYS_RESOURCE would let the program allow them again
    /// (`/proc/sys/user/max_user_namespaces`): [`Spec::spawn`] refuses it beside `false` with
    /// EINVAL if [`Spec::caps`] names it.
    pub fn user_namespaces(&mut self, allowed: bool) -> &mut Self {
        self.treatment.no_user_namespaces = !allowed;
        if allowed { self } else { self.unshare(Kinds::USER) }
    }

    /// Options that cannot be enforced beside each other, whatever their order.
    pub(super) fn check_privileges(&self) -> Result<()> {
        let all_or_none = if self.keep_caps { u64::MAX } else { 0 };
        let kept = self.treatment.capabilities.unwrap_or(all_or_none);
        if self.treatment.no_user_namespaces && kept & SYS_RESOURCE != 0 {
            return Err(Error::argument(
                "the ban on user namespaces does not go with CAP_SYS_RESOURCE, which can lift it",
            )
            .with_hint("name the capabilities to keep without sys_resource, or allow user namespaces"));
        }
        Ok(())
    }

    /// A resource limit by its name (`"nofile"`, `"cpu"`, `"as"`...), in its unit, `getrlimit(2)`; [`UNLIMITED`] for none.
    /// An init process has the caller's.
    pub fn rlimit(&mut self, name: &str, soft: u64, hard: u64) -> Result<&mut Self> {
        let plain = name.to_ascii_lowercase();
        let plain = plain.trim_start_matches("rlimit_");
        let Some((_, resource)) = LIMITS.iter().find(|(known, _)| *known == plain) else {
            return Err(Error::argument(format!("{name:?} is no resource limit, getrlimit(2)")));
        };
        if soft > hard {
            return Err(Error::argument(format!("the limit {plain}: {soft} is above the hard limit {hard}")));
        }
        self.treatment.rlimits.retain(|(other, _)| other != resource);
        self.treatment.rlimits.push((*resource, libc::rlimit64 { rlim_cur: soft, rlim_max: hard }));
        Ok(self)
    }

    /// The nice value, -20 to 19, `setpriority(2)`.
    pub fn nice(&mut self, nice: i32) -> Result<&mut Self> {
        in_range("a nice value", nice, -20..=19)?;
        self.treatment.nice = Some(nice);
        Ok(self)
    }

    /// How willingly the kernel kills the program when memory runs out, -1000 to 1000: `proc_pid_oom_score_adj(5)`.
    pub fn oom_score_adj(&mut self, score: i32) -> Result<&mut Self> {
        in_range("an OOM score", score, -1000..=1000)?;
        self.treatment.oom_score_adj = Some(score);
        Ok(self)
    }

    /// The processors that the program runs on, `sched_setaffinity(2)`.
    pub fn cpus(&mut self, cpus: &[usize]) -> Result<&mut Self> {
        if cpus.is_empty() {
            return Err(Error::argument("no processor is given"));
        }
        let mut mask = vec![0u64; 1];
        for cpu in cpus {
            if *cpu >= CPUS {
                return Err(Error::argument(format!("there is no processor {cpu}")));
            }
            mask.resize(mask.len().max(cpu / 64 + 1), 0);
            mask[cpu / 64] |= 1 << (cpu % 64);
        }
        self.treatment.cpus = Some(mask);
        Ok(self)
    }

    /// The permissions that new files do not get, `umask(2)`.
    pub fn umask(&mut self, mask: u32) -> Result<&mut Self> {
        if mask > 0o777 {
            return Err(Error::argument(format!("{mask:#o} is no umask: it is at most 0777")));
        }
        self.treatment.umask = Some(mask);
        Ok(self)
    }

    /// `personality(2)`.
    pub fn personality(&mut self, personality: u32) -> &mut Self {
        self.treatment.personality = Some(personality);
        self
    }
}

pub(crate) fn limit_name(resource: u32) -> &'static str {
    LIMITS.iter().find(|(_, number)| *number == resource).map_or("a limit", |(name, _)| name)
}

fn in_range(what: &str, value: i32, range: std::ops::RangeInclusive<i32>) -> Result<()> {
    match range.contains(&value) {
        true => Ok(()),
        false => Err(Error::argument(format!("{value} is not {what}: {} to {}", range.start(), range.end()))),
    }
}

fn capability(name: &str) -> Result<usize> {
    let plain = name.to_ascii_lowercase();
    let plain = plain.trim_start_matches("cap_");
    CAPABILITIES
        .iter()
        .position(|known| *known == plain)
        .ok_or_else(|| Error::argument(format!("{name:?} is no capability, capabilities(7)")))
}
