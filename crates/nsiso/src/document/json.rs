//! JSON text and the errors in it: the path of the value, what was expected, the nearest name.

use serde::de::DeserializeOwned;

use super::Document;
use crate::{Error, Result};

pub(super) fn from_str(text: &str) -> Result<Document> {
    let mut json = serde_json::Deserializer::from_str(text);
    let document = read(&mut json)?;
    json.end().map_err(|error| Error::argument(format!("spec document: {error}")))?;
    Ok(document)
}

pub(super) fn from_value(value: serde_json::Value) -> Result<Document> {
    read(value)
}

fn read<'de, D, T>(deserializer: D) -> Result<T>
where
    D: serde::Deserializer<'de>,
    D::Error: std::fmt::Display,
    T: DeserializeOwned,
{
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let text = error.into_inner().to_string();
        let place = if path == "." { "spec document".to_owned() } else { path };
        let (text, hint) = match unknown(&text) {
            Some((what, name, hint)) => (format!("unknown {what} {name:?}"), hint),
            None => (text, String::new()),
        };
        Error::argument(format!("{place}: {text}")).with_hint(hint)
    })
}

/// The name of an unknown field or variant in serde's message, and the nearest known one.
fn unknown(text: &str) -> Option<(&'static str, &str, String)> {
    let prefixes = [("unknown field `", "key"), ("unknown variant `", "value")];
    let (what, rest) =
        prefixes.into_iter().find_map(|(prefix, what)| Some((what, text.strip_prefix(prefix)?)))?;
    let (name, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2);
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let nearest = known.clone().min_by_key(distance).filter(|known| distance(known) <= 1 + name.len() / 3);
    let hint = match nearest {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("known are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Some((what, name, hint))
}
