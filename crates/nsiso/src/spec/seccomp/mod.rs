//! [`Seccomp`]: which system calls the program may make, assembled as classic BPF, `seccomp(2)`.
//! The helper installs the filters just before it executes the program.

mod bpf;
mod untrusted;

use std::collections::BTreeSet;
use std::str::FromStr;

use libc::sock_filter;
use syscalls::Sysno;

use super::Spec;
use crate::{Error, Result};
use bpf::{Rule, assemble};

/// What the kernel does with a system call, `seccomp(2)`.
///
/// ```
/// use nsiso::{Seccomp, SeccompAction, Spec};
///
/// let filter = Seccomp::deny(["uname"], SeccompAction::Fail(libc::EPERM))?;
/// assert_eq!(Spec::new("uname")?.seccomp(filter).spawn()?.wait()?.code(), Some(1));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeccompAction {
    /// Executes the call.
    Allow,
    /// Fails the call with this errno.
    Fail(i32),
    /// Kills the process with SIGSYS.
    Kill,
    /// Sends SIGSYS to the thread, which may handle it; the call is not executed.
    Trap,
    /// Executes the call and writes it to the audit log.
    Log,
}

/// A filter of system calls, as a program that the kernel runs for each call, `seccomp(2)`.
///
/// Calls of another architecture than the library's own fail with ENOSYS in every filter but
/// [`Seccomp::raw`], so that no call gets round the rules.
///
/// ```
/// use nsiso::{Seccomp, Spec};
///
/// let mut spec = Spec::new("unshare")?;
/// spec.args(["--user", "true"])?.seccomp(Seccomp::untrusted());
/// assert_ne!(spec.spawn()?.wait()?.code(), Some(0));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Seccomp {
    program: Vec<sock_filter>,
    #[cfg_attr(not(feature = "serde"), allow(dead_code))]
    rules: Rules,
}

/// What a filter was made of.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "serde"), allow(dead_code))]
pub(crate) enum Rules {
    Untrusted,
    Deny(Vec<String>, SeccompAction),
    Allow(Vec<String>, SeccompAction),
    Notify(Vec<String>),
    Raw,
}

/// Returns each name once, since a filter has room for few rules.
fn distinct<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = names.into_iter().map(|name| name.as_ref().to_owned());
    names.filter(|name| seen.insert(name.clone())).collect()
}

impl Seccomp {
    /// Makes a filter that applies `action` to these calls and allows all others.
    ///
    /// Calls are given by name, `syscalls(2)`. EINVAL: a name is not a system call of this machine.
    pub fn deny<S: AsRef<str>>(calls: impl IntoIterator<Item = S>, action: SeccompAction) -> Result<Self> {
        let calls = distinct(calls);
        let program = assemble(&named(&calls, action)?, SeccompAction::Allow);
        Ok(Seccomp { program, rules: Rules::Deny(calls, action) })
    }

    /// Makes a filter that allows these calls and applies `otherwise` to all others.
    ///
    /// Calls are given by name, `syscalls(2)`. `execve`, which starts the program, is always
    /// allowed. EINVAL: a name is not a system call of this machine.
    pub fn allow<S: AsRef<str>>(
        calls: impl IntoIterator<Item = S>,
        otherwise: SeccompAction,
    ) -> Result<Self> {
        let calls = distinct(calls);
        let mut rules = named(&calls, SeccompAction::Allow)?;
        rules.push(Rule {
            number: Sysno::execve.id() as u32,
            when: Vec::new(),
            action: SeccompAction::Allow,
        });
        Ok(Seccomp { program: assemble(&rules, otherwise), rules: Rules::Allow(calls, otherwise) })
    }

    fn notify<S: AsRef<str>>(calls: impl IntoIterator<Item = S>) -> Result<Self> {
        let calls = distinct(calls);
        let rules = named(&calls, SeccompAction::Allow)?;
        // The child itself makes these calls before exec, when the caller cannot answer yet.
        const NEEDED: [Sysno; 4] = [Sysno::sendmsg, Sysno::close, Sysno::execve, Sysno::exit_group];
        if let Some(needed) =
            NEEDED.iter().find(|call| rules.iter().any(|rule| rule.number == call.id() as u32))
        {
            return Err(Error::argument(format!(
                "{needed} cannot be asked about: it is needed to start the program"
            )));
        }
        let mut program = assemble(&rules, SeccompAction::Allow);
        // The rules follow the architecture checks, two instructions each; the second one returns.
        for pair in program[6..].chunks_mut(2).take(rules.len()) {
            pair[1].k = libc::SECCOMP_RET_USER_NOTIF;
        }
        Ok(Seccomp { program, rules: Rules::Notify(calls) })
    }

    /// The calls that the caller answers.
    #[cfg(feature = "serde")]
    pub(crate) fn notified(&self) -> Option<&[String]> {
        match &self.rules {
            Rules::Notify(calls) => Some(calls),
            _ => None,
        }
    }

    /// Makes a filter from classic BPF instructions, `seccomp(2)`.
    ///
    /// The program must allow `execve`, which starts the program. It is used as it is, without
    /// checks of the architecture. EINVAL: it does not have 1 to 4096 instructions, or, at the
    /// spawn, the kernel rejects it.
    pub fn raw(program: Vec<sock_filter>) -> Result<Self> {
        match program.len() {
            1..=4096 => Ok(Seccomp { program, rules: Rules::Raw }),
            len => Err(Error::argument(format!("a filter has 1 to 4096 instructions, not {len}"))),
        }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn program(&self) -> &[sock_filter] {
        &self.program
    }
}

impl Spec<'_> {
    /// Adds a filter of system calls; `None` removes all filters added before.
    ///
    /// The filters are installed just before the program is executed. The kernel runs all of them
    /// for each call, and the strictest action wins. A filter implies `new_privs(false)`, see
    /// [`Spec::new_privs`], which the kernel demands. EINVAL at the spawn: the kernel rejects the
    /// filter, or was built without filters.
    ///
    /// ```
    /// use nsiso::{Seccomp, SeccompAction, Spec};
    ///
    /// let mut spec = Spec::new("mkdir")?;
    /// spec.arg("/tmp/never")?.seccomp(Seccomp::deny(["mkdir", "mkdirat"], SeccompAction::Kill)?);
    /// assert_eq!(spec.spawn()?.wait()?.code(), None);
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    pub fn seccomp(&mut self, filter: impl Into<Option<Seccomp>>) -> &mut Self {
        match filter.into() {
            Some(filter) => {
                self.privileges.filters.push(filter);
                self.new_privs(false)
            }
            None => {
                self.privileges.filters.clear();
                self
            }
        }
    }
}

impl Spec<'_> {
    /// Makes the caller answer these system calls of the program, `seccomp_unotify(2)`.
    ///
    /// [`Process::take_notify`](crate::Process::take_notify) returns the descriptor from which the
    /// caller reads the calls and to which it writes the answers. The program waits meanwhile.
    /// Calls are given by name; all others are allowed. Implies `new_privs(false)`, see
    /// [`Spec::new_privs`].
    ///
    /// EINVAL: a name is not a system call of this machine, or is one that starts the program:
    /// `sendmsg`, `close`, `execve` or `exit_group`.
    pub fn seccomp_notify<S: AsRef<str>>(&mut self, calls: impl IntoIterator<Item = S>) -> Result<&mut Self> {
        self.privileges.notify = Some(Seccomp::notify(calls)?);
        Ok(self.new_privs(false))
    }
}

fn named<S: AsRef<str>>(calls: impl IntoIterator<Item = S>, action: SeccompAction) -> Result<Vec<Rule>> {
    calls
        .into_iter()
        .map(|name| {
            let name = name.as_ref();
            let number = Sysno::from_str(name).map_err(|()| {
                Error::argument(format!("{name:?} is no system call of this machine, syscalls(2)"))
            })?;
            Ok(Rule { number: number.id() as u32, when: Vec::new(), action })
        })
        .collect()
}
