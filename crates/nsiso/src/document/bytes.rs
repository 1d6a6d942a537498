//! Bytes of a spec document: text, or base64 where they are not UTF-8.

use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A path, an argument, or the content of a file: text, or `{"base64": "..."}` for bytes that are
/// not UTF-8.
///
/// ```
/// use nsiso::document::{ByteString, Document};
///
/// let cwd = ByteString::from(b"/tmp/\xff".as_slice());
/// let document = Document { cwd: Some(cwd), ..Document::default() };
/// assert_eq!(document.to_json(), r#"{"cwd":{"base64":"L3RtcC//"}}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByteString(pub OsString);

impl AsRef<OsStr> for ByteString {
    fn as_ref(&self) -> &OsStr {
        &self.0
    }
}

impl From<&OsStr> for ByteString {
    fn from(text: &OsStr) -> Self {
        ByteString(text.to_owned())
    }
}

impl From<&[u8]> for ByteString {
    fn from(bytes: &[u8]) -> Self {
        OsStr::from_bytes(bytes).into()
    }
}

impl From<&CStr> for ByteString {
    fn from(text: &CStr) -> Self {
        text.to_bytes().into()
    }
}

impl From<&str> for ByteString {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

const KEY: &str = "base64";

impl Serialize for ByteString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.0.to_str() {
            return serializer.serialize_str(text);
        }
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry(KEY, &BASE64_STANDARD.encode(self.0.as_bytes()))?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for ByteString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrBase64)
    }
}

struct TextOrBase64;

impl<'de> Visitor<'de> for TextOrBase64 {
    type Value = ByteString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or {\"base64\": \"...\"} for bytes that are not UTF-8")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteString, E> {
        Ok(text.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<ByteString, A::Error> {
        match (fields.next_entry::<String, String>()?, fields.next_key::<String>()?) {
            (Some((key, text)), None) if key == KEY => match BASE64_STANDARD.decode(&text) {
                Ok(bytes) => Ok(ByteString(OsString::from_vec(bytes))),
                Err(error) => Err(de::Error::custom(format!("this is not base64: {error}"))),
            },
            _ => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ByteString {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByteString".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Text, or {\"base64\": \"...\"} for bytes that are not UTF-8.",
            "anyOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": { KEY: { "type": "string", "contentEncoding": "base64" } },
                    "required": [KEY],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
