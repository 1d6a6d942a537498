//! The spec document: the options of a [`Spec`] as data, in JSON, under the names that they have in
//! every language. Its JSON Schema is made from the types in here.

mod bytes;
mod descriptors;
mod json;
mod mount;
mod network;
mod options;
mod reading;
mod resources;
mod restrictions;
#[cfg(feature = "schema")]
mod schema;
mod setting;
mod strict;
#[cfg(all(test, feature = "schema"))]
mod tests;
mod units;
mod value;

use std::collections::BTreeMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bytes::ByteString;
pub use descriptors::{FdSource, JoinOption, JoinProcess, StdioWord};
pub use mount::{MountEntry, MountType};
pub use network::{EndpointOption, LinkOption, RouteOption, UplinkPorts};
pub use options::Document;
pub use resources::{Bound, IoOption, LimitsOption, Rlimit, Unlimited};
pub use restrictions::{Action, LandlockRules, SeccompFilter};
pub use units::{Rate, Size, Time};
pub use value::{DescriptorOr, OneOrMany, Switch};

use crate::{Error, Kinds, Propagation, Result, Spec};

/// A kind of namespace, under its name in `/proc/PID/ns`.
///
/// ```
/// use nsiso::Kinds;
/// use nsiso::document::{Document, Kind};
///
/// let pin = [(Kind::Net, "/run/netns/blue".into())];
/// let document = Document { pin: Some(pin.into()), ..Document::default() };
/// assert_eq!(document.to_json(), r#"{"pin":{"net":"/run/netns/blue"}}"#);
/// assert_eq!(Kinds::from(Kind::Net), Kinds::NET);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Kind {
    User,
    Pid,
    Mnt,
    Net,
    Ipc,
    Uts,
    Time,
    Cgroup,
}

/// Each kind in a document, and in the rest of the library.
const KINDS: [(Kind, Kinds); 8] = [
    (Kind::User, Kinds::USER),
    (Kind::Pid, Kinds::PID),
    (Kind::Mnt, Kinds::MNT),
    (Kind::Net, Kinds::NET),
    (Kind::Ipc, Kinds::IPC),
    (Kind::Uts, Kinds::UTS),
    (Kind::Time, Kinds::TIME),
    (Kind::Cgroup, Kinds::CGROUP),
];

impl From<Kind> for Kinds {
    fn from(kind: Kind) -> Self {
        KINDS.into_iter().filter(|(known, _)| *known == kind).map(|(_, kinds)| kinds).collect()
    }
}

/// The kinds in a set.
fn kinds(set: Kinds) -> Vec<Kind> {
    KINDS.into_iter().filter(|(_, kinds)| set.contains(*kinds)).map(|(kind, _)| kind).collect()
}

/// EINVAL if `shared` has a kind that a sandbox cannot share.
fn check_shared(shared: Kinds) -> Result<()> {
    match shared & (Kinds::USER | Kinds::PID | Kinds::MNT) {
        none if none.is_empty() => Ok(()),
        own => Err(Error::argument(format!(
            "a sandbox cannot do without a {own} namespace of its own; net, ipc, uts, time and cgroup can be shared"
        ))),
    }
}

impl Document {
    /// Reads a document. EINVAL for an unknown option, a value of the wrong type, and text that is
    /// no JSON: the message begins with the path of the value, such as `mounts[2].size`.
    pub fn from_json(text: &str) -> Result<Self> {
        json::from_str(text)
    }

    /// Reads a document from a value that has been parsed already, from TOML for example. Errors
    /// as for [`Document::from_json`].
    pub fn from_value(value: &serde_json::Value) -> Result<Self> {
        json::from_value(value)
    }

    /// The document as JSON, without the options that are not given.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// The document as a JSON object, without the options that are not given.
    pub fn to_value(&self) -> serde_json::Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        without_nulls(&mut value);
        value
    }

    /// A spec with these options.
    pub fn spec(&self) -> Result<Spec<'static>> {
        let mut spec = Spec::new("sh")?;
        self.apply(&mut spec)?;
        Ok(spec)
    }
}

/// Takes out the options that are not set.
fn without_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Puts a part of the path in front of an error: the name of an option, or an index.
trait At {
    fn at(self, segment: &str) -> Self;
}

impl<T> At for Result<T> {
    fn at(self, segment: &str) -> Self {
        self.map_err(|error| error.at(segment))
    }
}
