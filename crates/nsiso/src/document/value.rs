//! Values that have a short form: `true` in place of settings, one in place of a list.

use std::fmt;
use std::marker::PhantomData;
use std::os::fd::RawFd;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::strict::List;

/// One value, or a list of them.
///
/// ```
/// use nsiso::document::{Document, OneOrMany};
///
/// let one = Document::from_json(r#"{"caps": "net_raw"}"#)?;
/// assert_eq!(one.caps, Some(OneOrMany::One("net_raw".into())));
/// let many = Document::from_json(r#"{"caps": ["net_raw", "kill"]}"#)?;
/// assert_eq!(many.caps, Some(OneOrMany::Many(vec!["net_raw".into(), "kill".into()])));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged)]
#[cfg_attr(feature = "schema", schemars(rename = "OneOrMany_{T}"))]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// A list.
    Many(Vec<T>),
}

/// A descriptor of the caller, or a word or object.
///
/// ```
/// use nsiso::document::{DescriptorOr, Document};
///
/// // Standard output goes where the caller's standard error goes.
/// let fds = [(1, DescriptorOr::Descriptor(2))];
/// let document = Document { fds: Some(fds.into()), ..Document::default() };
/// assert_eq!(document.to_json(), r#"{"fds":{"1":2}}"#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged)]
#[cfg_attr(feature = "schema", schemars(rename = "DescriptorOr_{T}"))]
pub enum DescriptorOr<T> {
    /// A descriptor of the caller's.
    Descriptor(RawFd),
    /// The word or object.
    Other(T),
}

impl<T> OneOrMany<T> {
    pub(super) fn items(&self) -> &[T] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

/// `true`, `false`, or a value in place of `true`.
///
/// ```
/// use nsiso::document::{Document, Switch};
///
/// let document = Document::from_json(r#"{"mount_proc": true, "pty": [50, 120]}"#)?;
/// assert_eq!(document.mount_proc, Some(Switch::Bool(true)));
/// assert_eq!(document.pty, Some(Switch::Value((50, 120))));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged)]
#[cfg_attr(feature = "schema", schemars(rename = "Switch_{T}"))]
pub enum Switch<T> {
    /// On, with the default, or off.
    Bool(bool),
    /// On, with this value.
    Value(T),
}

impl<T: Clone> Switch<T> {
    /// The value where it is on.
    pub(super) fn or(&self, default: T) -> Option<T> {
        match self {
            Switch::Bool(on) => on.then_some(default),
            Switch::Value(value) => Some(value.clone()),
        }
    }
}

/// `true` or left out.
pub(super) fn flag(on: bool) -> Option<bool> {
    on.then_some(true)
}

/// A list, left out where it is empty.
pub(super) fn list<T>(items: impl IntoIterator<Item = T>) -> Option<Vec<T>> {
    Some(items.into_iter().collect()).filter(|items: &Vec<T>| !items.is_empty())
}

// By hand: what serde derives for such an enum forgets why the value did not fit, and where.

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Switch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SwitchVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for DescriptorOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DescriptorOrVisitor(PhantomData))
    }
}

struct SwitchVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SwitchVisitor<T> {
    type Value = Switch<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, or settings in place of true")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Switch<T>, E> {
        Ok(Switch::Bool(on))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Switch<T>, E> {
        T::deserialize(text.into_deserializer()).map(Switch::Value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Switch<T>, A::Error> {
        T::deserialize(List(SeqAccessDeserializer::new(items))).map(Switch::Value)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Switch<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Switch::Value)
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
        T::deserialize(text.into_deserializer()).map(OneOrMany::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<OneOrMany<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items)).map(OneOrMany::Many)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<OneOrMany<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(OneOrMany::One)
    }
}

struct DescriptorOrVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for DescriptorOrVisitor<T> {
    type Value = DescriptorOr<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a descriptor, a word or an object")
    }

    fn visit_i64<E: Error>(self, fd: i64) -> Result<DescriptorOr<T>, E> {
        RawFd::deserialize(fd.into_deserializer()).map(DescriptorOr::Descriptor)
    }

    fn visit_u64<E: Error>(self, fd: u64) -> Result<DescriptorOr<T>, E> {
        RawFd::deserialize(fd.into_deserializer()).map(DescriptorOr::Descriptor)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DescriptorOr<T>, E> {
        T::deserialize(text.into_deserializer()).map(DescriptorOr::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<DescriptorOr<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(DescriptorOr::Other)
    }
}
