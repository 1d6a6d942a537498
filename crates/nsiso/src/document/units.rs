//! Sizes, rates and times of the spec document: numbers, or strings with a unit.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Bytes: a number, or a string such as `"64K"`, `"256M"`, `"2GiB"` or `"1T"` (powers of 1024).
///
/// ```
/// use nsiso::document::{LimitsOption, Size};
///
/// let limits = LimitsOption::from_value(&serde_json::json!({"memory": "1.5G"}))?;
/// assert_eq!(limits.memory, Some(Size(1536 << 20)));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// Bits per second: a number, or a string such as `"100kbit"`, `"10mbit"` or `"1gbit"` (powers of
/// 1000).
///
/// ```
/// use nsiso::document::{EndpointOption, Rate};
///
/// let endpoint = EndpointOption::from_value(&serde_json::json!({"rate": "10mbit"}))?;
/// assert_eq!(endpoint.rate, Some(Rate(10_000_000)));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub u64);

/// A time in nanoseconds: seconds as a number, or a string such as `"250ms"`, `"1.5s"` or `"2m"`.
///
/// ```
/// use std::time::Duration;
/// use nsiso::document::{Document, Time};
///
/// let document = Document::from_json(r#"{"deadline": "250ms"}"#)?;
/// assert_eq!(document.deadline, Some(Time::from(Duration::from_millis(250))));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub i64);

const NANOS: i64 = 1_000_000_000;

impl Time {
    /// Returns the time, or `None` if it is negative.
    pub fn duration(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_nanos)
    }
}

impl From<Duration> for Time {
    fn from(time: Duration) -> Self {
        Time(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// What a number can be written in: plain, or as text with a unit.
struct Units {
    expected: &'static str,
    /// Each unit with what it multiplies by.
    units: &'static [(&'static str, i64)],
    /// What a plain number counts.
    plain: i64,
    /// The JSON Schema: the type of a plain number, and the pattern of a text.
    #[cfg(feature = "schema")]
    schema: (&'static str, &'static str),
}

static SIZE: Units = Units {
    expected: "a size in bytes, such as 4096 or \"256M\"",
    units: &[
        ("", 1),
        ("k", 1 << 10),
        ("kib", 1 << 10),
        ("m", 1 << 20),
        ("mib", 1 << 20),
        ("g", 1 << 30),
        ("gib", 1 << 30),
        ("t", 1 << 40),
        ("tib", 1 << 40),
    ],
    plain: 1,
    #[cfg(feature = "schema")]
    schema: ("integer", "^[0-9]+(\\.[0-9]+)?([KMGTkmgt]([iI][bB])?)?$"),
};

static RATE: Units = Units {
    expected: "bits per second, such as 1000000 or \"10mbit\"",
    units: &[("bit", 1), ("kbit", 1000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)],
    plain: 1,
    #[cfg(feature = "schema")]
    schema: ("integer", "^[0-9]+(\\.[0-9]+)?[kmgKMG]?[bB][iI][tT]$"),
};

static TIME: Units = Units {
    expected: "seconds, such as 1.5, \"1.5s\" or \"250ms\"",
    units: &[
        ("", NANOS),
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", NANOS),
        ("m", 60 * NANOS),
        ("h", 3600 * NANOS),
    ],
    plain: NANOS,
    #[cfg(feature = "schema")]
    schema: ("number", "^-?[0-9]+(\\.[0-9]+)?([nNuUmM]?[sS]|[mMhH])?$"),
};

impl Units {
    fn read<'de, D: Deserializer<'de>, T: TryFrom<i128>>(&self, deserializer: D) -> Result<T, D::Error> {
        let value = deserializer.deserialize_any(self)?;
        T::try_from(value).map_err(|_| de::Error::custom(format!("expected {}", self.expected)))
    }

    /// A decimal number and a unit, whose product is a whole number.
    fn parse(&self, text: &str) -> Option<i128> {
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = &text[digits.len()..];
        let unit = self.units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1;
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
}

impl Visitor<'_> for &Units {
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
        self.parse(value).ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SIZE.read(deserializer).map(Size)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RATE.read(deserializer).map(Rate)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TIME.read(deserializer).map(Time)
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
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{RATE, Rate, SIZE, Size, TIME, Time, Units};

    impl Units {
        fn schema(&self, description: &str) -> Schema {
            let (number, pattern) = self.schema;
            json_schema!({
                "description": description,
                "anyOf": [{ "type": number }, { "type": "string", "pattern": pattern }],
            })
        }
    }

    impl JsonSchema for Size {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Size".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            SIZE.schema("Bytes: a number, or a string such as \"256M\" (K, M, G, T: powers of 1024).")
        }
    }

    impl JsonSchema for Rate {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Rate".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            RATE.schema(
                "Bits per second: a number, or a string such as \"10mbit\" (kbit, mbit, gbit: powers of 1000).",
            )
        }
    }

    impl JsonSchema for Time {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Time".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            TIME.schema("Seconds: a number, or a string such as \"1.5s\" (ns, us, ms, s, m, h).")
        }
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
        assert_eq!(of("\"64kib\""), Ok(Size(64 << 10)));
        assert_eq!(of("18446744073709551615"), Ok(Size(u64::MAX)));
        assert_eq!(of("\"10mbit\""), Ok(Rate(10_000_000)));
        assert_eq!(of("1.5"), Ok(Time(1_500_000_000)));
        assert_eq!(of("\"-250ms\""), Ok(Time(-250_000_000)));
        assert_eq!(of("\"0.000000001s\""), Ok(Time(1)));
        assert_eq!(of("\"2m\""), Ok(Time(120_000_000_000)));
    }

    #[test]
    fn what_is_no_size_or_time_is_refused() {
        for bad in [
            "\"lots\"",
            "\"1iB\"",
            "\"1KiBiB\"",
            "-1",
            "\"-1K\"",
            "\"1KB\"",
            "1.5",
            "\"\"",
            "\".\"",
            "true",
            "1e30",
            "null",
            "[]",
        ] {
            assert!(of::<Size>(bad).is_err(), "{bad}");
        }
        for bad in [
            "\"5siB\"",
            "\"1 s\"",
            "\"1d\"",
            "\"s\"",
            "1e30",
            "9300000000",
            "\"99999999999999999999s\"",
            "{}",
        ] {
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
