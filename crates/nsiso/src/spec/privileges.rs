//! What the program may do less than its user: capabilities, new privileges, user namespaces.

use super::{Filter, Landlock, Spec};
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

#[derive(Clone, Debug, Default)]
pub(crate) struct Privileges {
    pub capabilities: Option<u64>,
    pub securebits: Option<u32>,
    pub no_new_privs: bool,
    pub no_user_namespaces: bool,
    pub landlock: Option<Landlock>,
    pub filters: Vec<Filter>,
    /// The filter whose calls the caller answers.
    pub notify: Option<Filter>,
}

impl Spec<'_> {
    /// The capabilities that the program keeps, by name (`"net_admin"`, `"CAP_CHOWN"`), none or some, in all of its sets; it can never
    /// get any other. In a new user namespace it has all of them to choose from, otherwise those of the caller. `capabilities(7)`.
    pub fn caps<S: AsRef<str>>(&mut self, keep: impl IntoIterator<Item = S>) -> Result<&mut Self> {
        let mut set = 0;
        for name in keep {
            set |= 1 << capability(name.as_ref())?;
        }
        self.privileges.capabilities = Some(set);
        Ok(self)
    }

    /// `PR_SET_SECUREBITS`, `capabilities(7)`: how root is treated.
    pub fn securebits(&mut self, bits: u32) -> &mut Self {
        self.privileges.securebits = Some(bits);
        self
    }

    /// Whether set-user-ID programs and file capabilities give the program and its descendants
    /// more privileges: by default they do. `PR_SET_NO_NEW_PRIVS(2const)`. Landlock and seccomp
    /// need `false`.
    pub fn new_privs(&mut self, allowed: bool) -> &mut Self {
        self.privileges.no_new_privs = !allowed;
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
        self.privileges.no_user_namespaces = !allowed;
        if allowed { self } else { self.unshare(Kinds::USER) }
    }

    /// Options that cannot be enforced beside each other, whatever their order.
    pub(super) fn check_privileges(&self) -> Result<()> {
        let all_or_none = if self.identity.keep_caps { u64::MAX } else { 0 };
        let kept = self.privileges.capabilities.unwrap_or(all_or_none);
        if self.privileges.no_user_namespaces && kept & SYS_RESOURCE != 0 {
            return Err(Error::argument(
                "the ban on user namespaces does not go with CAP_SYS_RESOURCE, which can lift it",
            )
            .with_hint("name the capabilities to keep without sys_resource, or allow user namespaces"));
        }
        Ok(())
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
