//! How the options of a document are read from a spec.

use std::collections::BTreeMap;
use std::ffi::CStr;

pub(super) use super::value::{flag, list};
use super::*;
use crate::spec::{Privileges, limit_name};
use crate::{ClockOffset, Error, IdRange};

/// A map, left out where it is empty.
pub(super) fn map<K: Ord, V>(entries: impl Iterator<Item = (K, V)>) -> Option<BTreeMap<K, V>> {
    Some(entries.collect()).filter(|entries: &BTreeMap<K, V>| !entries.is_empty())
}

pub(super) fn bytes(text: &(impl AsRef<CStr> + ?Sized)) -> ByteString {
    text.as_ref().into()
}

impl Document {
    /// The options of a spec. A spec that was made a sandbox is written as one, with what differs
    /// from it. EINVAL for what a document cannot say: an environment variable whose name is not
    /// UTF-8, a sandbox without one of its user, pid and mount namespaces, or one whose filter was
    /// removed and others added.
    pub fn of(spec: &Spec) -> Result<Self> {
        variables(spec).try_for_each(|variable| variable.map(drop)).at("env")?;
        let document = Self::get_each(spec);
        if !spec.sandbox {
            return Ok(document);
        }
        let mut bare = Spec::new("sh")?;
        bare.sandbox()?;
        let mut document = document.without_defaults_of(&Self::get_each(&bare))?;
        let shared = bare.kinds - spec.kinds;
        check_shared(shared).at("share")?;
        document.share = list(kinds(shared)).map(OneOrMany::Many);
        document.sandbox = Some(true);
        Ok(document)
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

pub(super) fn range(range: &IdRange) -> (u32, u32, u32) {
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
        if number == crate::UNLIMITED {
            Bound::Word(Unlimited::Unlimited)
        } else {
            Bound::Number(Size(number))
        }
    }
}

/// The variables that are set. An error for a name that is not UTF-8.
pub(super) fn variables(spec: &Spec) -> impl Iterator<Item = Result<(String, ByteString)>> {
    let entries = spec.program.environment.changes.iter().filter_map(|change| change.entry.as_ref());
    entries.map(|entry| variable(entry.as_bytes()))
}

pub(super) fn removed_variables(spec: &Spec) -> impl Iterator<Item = ByteString> {
    let removed = spec.program.environment.changes.iter().filter(|change| change.entry.is_none());
    removed.map(|change| change.prefix.strip_suffix(b"=").unwrap_or(&change.prefix).into())
}

pub(super) fn rlimit((resource, limit): &(u32, libc::rlimit64)) -> (String, Rlimit) {
    (limit_name(*resource).to_owned(), Rlimit::Each(limit.rlim_cur.into(), limit.rlim_max.into()))
}

pub(super) fn processors(mask: &[u64]) -> Vec<usize> {
    (0..mask.len() * 64).filter(|cpu| mask[cpu / 64] >> (cpu % 64) & 1 == 1).collect()
}

pub(super) fn new_privs(privileges: &Privileges) -> Option<bool> {
    // These would turn it off.
    let restricted =
        privileges.landlock.is_some() || !privileges.filters.is_empty() || privileges.notify.is_some();
    if privileges.no_new_privs { Some(false) } else { flag(restricted) }
}
