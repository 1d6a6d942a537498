//! Sizes and times of the spec document: numbers, or strings with a unit.

use std::fmt;
use std::time::Duration;

#[cfg(feature = "schema")]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Bytes: a number, or a string such as `"64K"`, `"256M"`, `"2G"` or `"1T"` (powers of 1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// Bits per second: a number, or a string such as `"100kbit"`, `"10mbit"` or `"1gbit"` (powers of
/// 1000).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub u64);

/// A time in nanoseconds: seconds as a number, or a string such as `"250ms"`, `"1.5s"` or `"2m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub i64);

const NANOS: i64 = 1_000_000_000;

impl Time {
    /// Fails for a negative time.
    pub fn duration(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

impl From<Duration> for Time {
    fn from(time: Duration) -> Self {
        Time(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// The letters behind a size, each with what it multiplies by.
const SIZES: [(&str, i64); 5] = [("", 1), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];
const RATES: [(&str, i64); 4] = [("bit", 1), ("kbit", 1000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];
const TIMES: [(&str, i64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS),
    ("m", 60 * NANOS),
    ("h", 3600 * NANOS),
    ("", NANOS),
];

/// A decimal number and one of these units, whose product is a whole number.
fn parse(text: &str, units: &[(&str, i64)]) -> Option<i128> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = units.iter().find(|(name, _)| *name == &text[digits.len()..])?.1;
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let digit = |letter: char| letter.is_ascii_digit();
    if whole.is_empty() || !whole.chars().all(digit) || !part.chars().all(digit) || part.len() > 18 {
        return None;
    }
    let (scaled, tenths) =
        (part.parse::<i128>().unwrap_or(0) * i128::from(unit), 10i128.pow(part.len() as u32));
    if scaled % tenths != 0 {
        return None;
    }
    let fraction = scaled / tenths;
    let value = whole.parse::<i128>().ok()?.checked_mul(unit.into())?.checked_add(fraction)?;
    Some(if negative { -value } else { value })
}

/// Reads a number or a string with a unit.
struct WithUnit {
    expected: &'static str,
    units: &'static [(&'static str, i64)],
    /// What a plain number counts.
    plain: i64,
}

impl Visitor<'_> for WithUnit {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<i128, E> {
        Ok(i128::from(value) * i128::from(self.plain))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i128, E> {
        Ok(i128::from(value) * i128::from(self.plain))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<i128, E> {
        let scaled = (value * self.plain as f64).round();
        let fits = scaled.abs() < 9.2e18 && (self.plain > 1 || scaled == value);
        if fits { Ok(scaled as i128) } else { Err(E::invalid_value(de::Unexpected::Float(value), &self)) }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<i128, E> {
        parse(value, self.units).ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a size in bytes, such as 4096 or \"256M\"";
        let value = deserializer.deserialize_any(WithUnit { expected, units: &SIZES, plain: 1 })?;
        u64::try_from(value).map(Size).map_err(|_| de::Error::custom(format!("expected {expected}")))
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "bits per second, such as 1000000 or \"10mbit\"";
        let value = deserializer.deserialize_any(WithUnit { expected, units: &RATES, plain: 1 })?;
        u64::try_from(value).map(Rate).map_err(|_| de::Error::custom(format!("expected {expected}")))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "seconds, such as 1.5, \"1.5s\" or \"250ms\"";
        let value = deserializer.deserialize_any(WithUnit { expected, units: &TIMES, plain: NANOS })?;
        i64::try_from(value).map(Time).map_err(|_| de::Error::custom(format!("expected {expected}")))
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 % NANOS {
            0 => serializer.serialize_i64(self.0 / NANOS),
            // A float would not hold all nanoseconds.
            _ => serializer.collect_str(&format_args!("{}ns", self.0)),
        }
    }
}

#[cfg(feature = "schema")]
fn schema(description: &str, pattern: &str, number: &str) -> Schema {
    json_schema!({
        "description": description,
        "anyOf": [{ "type": number }, { "type": "string", "pattern": pattern }],
    })
}

#[cfg(feature = "schema")]
impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(
            "Bytes: a number, or a string such as \"256M\" (K, M, G, T: powers of 1024).",
            "^[0-9]+(\\.[0-9]+)?[KMGT]?$",
            "integer",
        )
    }
}

#[cfg(feature = "schema")]
impl JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(
            "Bits per second: a number, or a string such as \"10mbit\" (kbit, mbit, gbit: powers of 1000).",
            "^[0-9]+(\\.[0-9]+)?[kmg]?bit$",
            "integer",
        )
    }
}

#[cfg(feature = "schema")]
impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(
            "Seconds: a number, or a string such as \"1.5s\" (ns, us, ms, s, m, h).",
            "^-?[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h)?$",
            "number",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn units_multiply() {
        assert_eq!(of("4096"), Ok(Size(4096)));
        assert_eq!(of("\"1.5K\""), Ok(Size(1536)));
        assert_eq!(of("\"2T\""), Ok(Size(2 << 40)));
        assert_eq!(of("18446744073709551615"), Ok(Size(u64::MAX)));
        assert_eq!(of("\"10mbit\""), Ok(Rate(10_000_000)));
        assert_eq!(of("1.5"), Ok(Time(1_500_000_000)));
        assert_eq!(of("\"-250ms\""), Ok(Time(-250_000_000)));
        assert_eq!(of("\"0.000000001s\""), Ok(Time(1)));
        assert_eq!(of("\"2m\""), Ok(Time(120_000_000_000)));
    }

    #[test]
    fn what_is_no_size_or_time_is_refused() {
        for bad in
            ["\"lots\"", "-1", "\"-1K\"", "\"1KB\"", "1.5", "\"\"", "\".\"", "true", "1e30", "null", "[]"]
        {
            assert!(of::<Size>(bad).is_err(), "{bad}");
        }
        for bad in ["\"1 s\"", "\"1d\"", "\"s\"", "1e30", "9300000000", "\"99999999999999999999s\"", "{}"] {
            assert!(of::<Time>(bad).is_err(), "{bad}");
        }
        assert!(of::<Size>("\"lots\"").unwrap_err().contains("expected a size in bytes"));
    }

    #[test]
    fn times_keep_their_nanoseconds() {
        for nanoseconds in [0, 1, -1, NANOS, 90 * NANOS, 1_500_000_001] {
            let json = serde_json::to_string(&Time(nanoseconds)).unwrap();
            assert_eq!(of(&json), Ok(Time(nanoseconds)), "{json}");
        }
    }
}
