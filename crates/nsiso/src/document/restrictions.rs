//! Landlock and seccomp in a spec document.

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use libc::sock_filter;

use super::setting::each;
use super::value::{flag, list};
use super::{ByteString, OneOrMany, Switch};
use crate::spec::Rules;
use crate::spec::landlock::{EXECUTE, WRITE_FILE};
use crate::{Error, Landlock, Result, Seccomp, SeccompAction, Spec};

/// Rules of Landlock: everything that they do not grant is refused. landlock(7).
///
/// ```
/// use nsiso::document::{Document, LandlockRules, OneOrMany, Switch};
///
/// let read = Some(OneOrMany::Many(vec!["/etc".into(), "/usr".into()]));
/// let rules = LandlockRules { read, best_effort: Some(true), ..LandlockRules::default() };
/// let document = Document { landlock: Some(Switch::Value(rules)), ..Document::default() };
/// assert_eq!(document.to_value()["landlock"]["read"][1], "/usr");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub struct LandlockRules {
    /// Paths below which files may be read and directories listed.
    pub read: Option<OneOrMany<ByteString>>,
    /// Paths below which files may be read and executed.
    pub execute: Option<OneOrMany<ByteString>>,
    /// Paths below which files may be read, written, made and removed.
    pub write: Option<OneOrMany<ByteString>>,
    /// The TCP ports that sockets may be bound to. Linux 6.7.
    pub bind_tcp: Option<Vec<u16>>,
    /// The TCP ports that connections may be made to. Linux 6.7.
    pub connect_tcp: Option<Vec<u16>>,
    /// No signals to processes outside the sandbox, no connections to abstract Unix sockets made
    /// outside. Linux 6.12.
    pub scoped: Option<bool>,
    /// Every writable mount of the view except the root may be written.
    pub as_mounted: Option<bool>,
    /// Where the kernel lacks a part, the rest is enforced. Without it the spawn fails.
    pub best_effort: Option<bool>,
}

impl LandlockRules {
    pub(super) fn of(rules: &Landlock) -> Self {
        let granted = |wanted: fn(u64) -> bool| {
            let paths = rules.paths.iter().filter(|(_, access)| wanted(*access));
            list(paths.map(|(path, _)| path.as_c_str().into())).map(OneOrMany::Many)
        };
        LandlockRules {
            read: granted(|access| access & (EXECUTE | WRITE_FILE) == 0),
            execute: granted(|access| access & EXECUTE != 0),
            write: granted(|access| access & WRITE_FILE != 0),
            bind_tcp: rules.bind.clone(),
            connect_tcp: rules.connect.clone(),
            scoped: flag(rules.scopes),
            as_mounted: flag(rules.as_mounted),
            best_effort: flag(rules.best_effort),
        }
    }

    fn rules(&self) -> Result<Landlock> {
        fn paths(option: &Option<OneOrMany<ByteString>>) -> impl Iterator<Item = &ByteString> {
            option.iter().flat_map(OneOrMany::items)
        }
        let mut rules = paths(&self.read).try_fold(Landlock::new(), Landlock::read)?;
        rules = paths(&self.execute).try_fold(rules, Landlock::execute)?;
        rules = paths(&self.write).try_fold(rules, Landlock::write)?;
        if let Some(ports) = &self.bind_tcp {
            rules = rules.bind_tcp(ports);
        }
        if let Some(ports) = &self.connect_tcp {
            rules = rules.connect_tcp(ports);
        }
        type Flag = (Option<bool>, fn(Landlock) -> Landlock);
        let flags: [Flag; 3] = [
            (self.scoped, Landlock::scoped),
            (self.as_mounted, Landlock::as_mounted),
            (self.best_effort, Landlock::best_effort),
        ];
        let given = flags.into_iter().filter(|(flag, _)| *flag == Some(true));
        Ok(given.fold(rules, |rules, (_, set)| set(rules)))
    }
}

/// What happens to a system call.
///
/// ```
/// use nsiso::document::{Action, SeccompFilter};
///
/// let filter = SeccompFilter { action: Some(Action::Kill), ..SeccompFilter::default() };
/// assert_eq!(serde_json::to_value(filter).unwrap()["action"], "kill");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It fails with `errno`.
    #[default]
    Fail,
    /// The program is killed by SIGSYS.
    Kill,
    /// The thread gets SIGSYS, which it may handle.
    Trap,
    /// It is made, and written to the audit log.
    Log,
}

/// A filter of system calls: one of `deny`, `allow`, `raw` and `untrusted`. seccomp(2).
///
/// ```
/// use nsiso::document::{Document, OneOrMany, SeccompFilter, Switch};
///
/// let deny = Some(vec!["ptrace".into(), "socket".into()]);
/// let filter = OneOrMany::One(SeccompFilter { deny, ..SeccompFilter::default() });
/// let document = Document { seccomp: Some(Switch::Value(filter)), ..Document::default() };
/// let spec = document.spec()?;
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub struct SeccompFilter {
    /// The filter for programs that are not trusted, beside others.
    pub untrusted: Option<bool>,
    /// These calls get the action; all others are allowed.
    pub deny: Option<Vec<String>>,
    /// These calls are allowed; all others get the action.
    pub allow: Option<Vec<String>>,
    /// Instructions of classic BPF instead of rules, each [code, jt, jf, k]. seccomp(2).
    pub raw: Option<Vec<(u16, u8, u8, u32)>>,
    /// What happens to a call that is not allowed: fail by default.
    pub action: Option<Action>,
    /// The errno of `fail`, as a number: 1 (EPERM) by default.
    pub errno: Option<i32>,
}

impl SeccompFilter {
    fn filter(&self) -> Result<Seccomp> {
        let errno = self.errno.unwrap_or(libc::EPERM);
        if self.errno.is_some() && self.action.is_some_and(|action| action != Action::Fail) {
            return Err(Error::argument("only the action fail has one").at("errno"));
        }
        if self.raw.is_some() && (self.errno.is_some() || self.action.is_some()) {
            return Err(Error::argument("instructions have their own actions").at("raw"));
        }
        let action = match self.action.unwrap_or_default() {
            Action::Fail if (1..4096).contains(&errno) => SeccompAction::Fail(errno),
            Action::Fail => {
                return Err(Error::argument(format!("{errno} is no errno, 1 to 4095")).at("errno"));
            }
            Action::Kill => SeccompAction::Kill,
            Action::Trap => SeccompAction::Trap,
            Action::Log => SeccompAction::Log,
        };
        if self.untrusted == Some(true) {
            return match self {
                SeccompFilter { deny: None, allow: None, raw: None, action: None, errno: None, .. } => {
                    Ok(Seccomp::untrusted())
                }
                _ => Err(Error::argument("this filter takes no other field").at("untrusted")),
            };
        }
        match (&self.deny, &self.allow, &self.raw) {
            (Some(calls), None, None) => Seccomp::deny(calls, action),
            (None, Some(calls), None) => Seccomp::allow(calls, action),
            (None, None, Some(program)) => {
                let instruction =
                    |(code, jt, jf, k): &_| sock_filter { code: *code, jt: *jt, jf: *jf, k: *k };
                Seccomp::raw(program.iter().map(instruction).collect())
            }
            _ => Err(Error::argument("a filter has one of deny, allow, raw and untrusted")),
        }
    }

    /// None for the filter for programs that are not trusted.
    fn of(filter: &Seccomp) -> Option<Self> {
        let plain = SeccompFilter::default();
        let with = |action: &SeccompAction, filter: SeccompFilter| match action {
            SeccompAction::Fail(errno) => SeccompFilter { errno: Some(*errno), ..filter },
            SeccompAction::Kill => SeccompFilter { action: Some(Action::Kill), ..filter },
            SeccompAction::Trap => SeccompFilter { action: Some(Action::Trap), ..filter },
            SeccompAction::Log => SeccompFilter { action: Some(Action::Log), ..filter },
            SeccompAction::Allow => filter,
        };
        match filter.rules() {
            Rules::Untrusted => None,
            Rules::Deny(calls, action) if *action != SeccompAction::Allow => {
                Some(with(action, SeccompFilter { deny: Some(calls.clone()), ..plain }))
            }
            Rules::Allow(calls, action) if *action != SeccompAction::Allow => {
                Some(with(action, SeccompFilter { allow: Some(calls.clone()), ..plain }))
            }
            // A filter that allows everything has no other form.
            _ => {
                let program = filter.program().iter().map(|line| (line.code, line.jt, line.jf, line.k));
                Some(SeccompFilter { raw: Some(program.collect()), ..plain })
            }
        }
    }
}

pub(super) fn put_landlock(option: &Switch<LandlockRules>, spec: &mut Spec<'static>) -> Result<()> {
    let rules = match option {
        Switch::Bool(false) => None,
        Switch::Bool(true) => return Err(Error::argument("true has no rules: give an object with rules")),
        Switch::Value(rules) => Some(rules.rules()?),
    };
    spec.landlock(rules);
    Ok(())
}

pub(super) fn put_seccomp(option: &Switch<OneOrMany<SeccompFilter>>, spec: &mut Spec<'static>) -> Result<()> {
    let mut add = |filter: &SeccompFilter| -> Result<()> {
        spec.seccomp(filter.filter()?);
        Ok(())
    };
    match option {
        Switch::Value(OneOrMany::One(filter)) => add(filter),
        Switch::Value(OneOrMany::Many(filters)) => each(filters, add),
        Switch::Bool(on) => {
            spec.seccomp(on.then(Seccomp::untrusted));
            Ok(())
        }
    }
}

/// The option that gives these filters; None for none.
pub(super) fn seccomp_of(filters: &[Seccomp]) -> Option<Switch<OneOrMany<SeccompFilter>>> {
    let untrusted = || SeccompFilter { untrusted: Some(true), ..SeccompFilter::default() };
    match filters {
        [] => None,
        [only] if SeccompFilter::of(only).is_none() => Some(Switch::Bool(true)),
        several => {
            let filters = several.iter().map(|filter| SeccompFilter::of(filter).unwrap_or_else(untrusted));
            Some(Switch::Value(OneOrMany::Many(filters.collect())))
        }
    }
}
