//! JSON text and the errors in it: the path of the value, what was expected, the nearest name.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::Document;
use super::strict::{DEEPEST, Strict};
use crate::{Error, Result};

/// Names that are longer are not compared with known ones, and not repeated whole.
const LONGEST_NAME: usize = 64;

pub(super) fn from_str(text: &str) -> Result<Document> {
    let hint = match text.trim_start().starts_with('{') {
        true => "",
        false => "a spec document is a JSON object; nsiso run --spec and Python also read TOML",
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let value = Unique { depth: 0 }.deserialize(tracked).map_err(|error| {
        let syntax = !error.is_data();
        let text = error.to_string();
        // What is wrong with a value has its path, so the line and column are left out.
        let text = if syntax { &text } else { text.split(" at line ").next().unwrap_or(&text) };
        let place = if syntax { "spec document".into() } else { place(&track.path().to_string()) };
        Error::argument(format!("{place}: {text}")).with_hint(hint)
    })?;
    json.end().map_err(|error| Error::argument(format!("spec document: {error}")))?;
    from_value(&value)
}

/// Reads a document or a part of one, such as an endpoint.
pub(super) fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T> {
    serde_path_to_error::deserialize(Strict(value, 0)).map_err(|error| {
        let path = error.path().to_string();
        let text = error.into_inner().to_string();
        let (text, hint) = match unknown(&text) {
            Some((what, name, hint)) => (format!("unknown {what} {:?}", short(name)), hint),
            None => (plain(&text), String::new()),
        };
        Error::argument(format!("{}: {text}", place(&path))).with_hint(hint)
    })
}

/// A path for an error message: without control characters, which would reach a terminal.
fn place(path: &str) -> String {
    match path {
        "" | "." => "spec document".into(),
        path => short(path)
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect(),
    }
}

fn short(name: &str) -> &str {
    let end = name.char_indices().nth(LONGEST_NAME).map_or(name.len(), |(at, _)| at);
    &name[..end]
}

/// The name of an unknown field or variant in serde's message, and the nearest known one.
fn unknown(text: &str) -> Option<(&'static str, &str, String)> {
    const MANY: usize = 20;
    let prefixes = [("unknown field `", "key"), ("unknown variant `", "value")];
    let (what, rest) =
        prefixes.into_iter().find_map(|(prefix, what)| Some((what, text.strip_prefix(prefix)?)))?;
    let (name, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let distance = |known: &&&str| strsim::damerau_levenshtein(short(name), known);
    let nearest = known.iter().min_by_key(distance).filter(|known| distance(known) <= 1 + name.len() / 3);
    let meant = MEANT.iter().find(|(other, option)| {
        *other == name && option.split('.').next().is_some_and(|key| known.contains(&key))
    });
    let hint = match meant.map(|(_, option)| option).or(nearest) {
        Some(nearest) if name.len() <= LONGEST_NAME => format!("did you mean {nearest}?"),
        _ if known.len() > MANY => "nsiso_spec(5) lists the keys".into(),
        _ => format!("known are: {}", known.join(", ")),
    };
    Some((what, name, hint))
}

/// Words that users of other tools write, and the options that they mean.
const MEANT: [(&str, &str); 9] = [
    ("timeout", "deadline"),
    ("command", "args"),
    ("cmd", "args"),
    ("argv", "args"),
    ("executable", "program"),
    ("mem", "limits.memory"),
    ("memory", "limits.memory"),
    ("cpu", "limits.cpu"),
    ("pids", "limits.pids"),
];

/// What serde says of a value, without its own words for types.
fn plain(text: &str) -> String {
    let wrong = ["invalid type: ", "invalid value: ", "invalid length "];
    let Some(rest) = wrong.iter().find_map(|prefix| text.strip_prefix(prefix)) else {
        return text.into();
    };
    let (found, wanted) = rest.split_once(", expected ").unwrap_or((rest, "something else"));
    let wanted = match wanted {
        "u16" => "a number from 0 to 65535",
        "u32" => "a number from 0 to 4294967295",
        "i32" => "a number from -2147483648 to 2147483647",
        "u64" | "usize" => "a number, 0 or more",
        "f64" => "a number",
        "u8" => "a number from 0 to 255",
        "a boolean" => "true or false",
        "a string" => "text",
        "a sequence" => "a list",
        "a map" => "an object",
        "a tuple of size 2" => "a list of two",
        "a tuple of size 3" => "a list of three",
        "a tuple of size 4" => "a list of four",
        other => other,
    };
    let found = match found.split_once(' ') {
        Some(("string" | "integer" | "boolean", value)) => value.trim_matches('`'),
        Some(("floating", value)) => value.trim_start_matches("point ").trim_matches('`'),
        _ if found.parse::<usize>().is_ok() => return format!("expected {wanted}, not of {found}"),
        _ if found == "sequence" => "a list",
        _ if found == "map" => "an object",
        _ => found,
    };
    format!("expected {wanted}, not {found}")
}

/// Reads JSON. Refuses a key that comes twice, and deep nesting.
#[derive(Clone, Copy)]
struct Unique {
    depth: usize,
}

impl Unique {
    fn below<E: de::Error>(self) -> std::result::Result<Self, E> {
        match self.depth > DEEPEST {
            true => Err(E::custom("it is nested too deep")),
            false => Ok(Unique { depth: self.depth + 1 }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(below)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Value, A::Error> {
        let below = self.below()?;
        let mut values = BTreeMap::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(below)?;
            if values.insert(name, value).is_some() {
                return Err(de::Error::custom("a key comes twice in it"));
            }
        }
        Ok(Value::Object(values.into_iter().collect()))
    }
}
