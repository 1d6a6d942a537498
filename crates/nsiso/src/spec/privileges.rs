//! The options that take privileges from the program: capabilities, securebits, new privileges and
//! user namespaces.

use super::{Landlock, Seccomp, Spec};
use crate::{Error, Kinds, Result};

/// The names of `capabilities(7)`; the index is the capability's number.
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

/// CAP_SYS_RESOURCE, as a bit of a capability set.
const SYS_RESOURCE: u64 = 1 << 24;

#[derive(Clone, Debug, Default)]
pub(crate) struct Privileges {
    pub capabilities: Option<u64>,
    pub securebits: Option<u32>,
    pub no_new_privs: bool,
    pub no_user_namespaces: bool,
    pub landlock: Option<Landlock>,
    pub filters: Vec<Seccomp>,
    /// The filter whose calls are sent to the caller.
    pub notify: Option<Seccomp>,
}

impl Spec<'_> {
    /// Keeps only these capabilities, in all capability sets of the program; it can never get
    /// another one.
    ///
    /// A name is written `"net_admin"` or `"CAP_NET_ADMIN"`; an empty list keeps none. In a new
    /// user namespace all capabilities are there to keep, otherwise those of the caller. By default
    /// the program has the capabilities that `execve(2)` leaves it.
    ///
    /// EINVAL: a name is not a capability. EPERM at the spawn: a capability to keep is missing, or
    /// CAP_SETPCAP is missing, which is needed to drop the others for good unless
    /// [`Spec::new_privs`] is `false`. See `capabilities(7)`.
    pub fn caps<S: AsRef<str>>(&mut self, keep: impl IntoIterator<Item = S>) -> Result<&mut Self> {
        let mut set = 0;
        for name in keep {
            set |= 1 << capability(name.as_ref())?;
        }
        self.privileges.capabilities = Some(set);
        Ok(self)
    }

    /// Sets the securebits of the program (`PR_SET_SECUREBITS`), which change how the kernel treats
    /// root.
    ///
    /// EPERM at the spawn: CAP_SETPCAP is missing. See `capabilities(7)`.
    pub fn securebits(&mut self, bits: u32) -> &mut Self {
        self.privileges.securebits = Some(bits);
        self
    }

    /// Sets whether the program and its descendants can gain privileges by executing set-user-ID
    /// programs and files with capabilities.
    ///
    /// Default: `true`. `false` cannot be undone by the program. [`Spec::landlock`],
    /// [`Spec::seccomp`] and [`Spec::seccomp_notify`] set it to `false`, and [`Spec::spawn`] fails
    /// with EINVAL if it is turned on again beside them. See `PR_SET_NO_NEW_PRIVS(2const)`.
    pub fn new_privs(&mut self, allowed: bool) -> &mut Self {
        self.privileges.no_new_privs = !allowed;
        self
    }

    /// Sets whether user namespaces can be created inside the new user namespace.
    ///
    /// Default: `true`. User namespaces give access to kernel code that otherwise only root
    /// reaches. `false` asks for a new user namespace and sets its
    /// `/proc/sys/user/max_user_namespaces` to 0. EACCES, EROFS or ENOENT at the spawn: `/proc/sys`
    /// is missing or not writable. [`Seccomp::untrusted`] refuses to create user namespaces too.
    ///
    /// CAP_SYS_RESOURCE would let the program allow them again. [`Spec::spawn`] refuses it beside
    /// `false` with EINVAL if [`Spec::caps`] names it, or if [`Spec::keep_caps`] is set and
    /// [`Spec::caps`] is not.
    pub fn user_namespaces(&mut self, allowed: bool) -> &mut Self {
        self.privileges.no_user_namespaces = !allowed;
        if allowed { self } else { self.unshare(Kinds::USER) }
    }

    /// Refuses options that cannot be enforced together, in whichever order they were set.
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

/// The capabilities of a set, by name.
#[cfg(feature = "serde")]
pub(crate) fn capability_names(set: u64) -> Vec<String> {
    let names = CAPABILITIES.iter().enumerate();
    names.filter(|(number, _)| set >> number & 1 == 1).map(|(_, name)| (*name).to_owned()).collect()
}
