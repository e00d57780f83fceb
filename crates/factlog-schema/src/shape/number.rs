//! Numbers: the range a Rust type holds, and what of it is lost where another one reads it.

use std::fmt;

use serde_json::{Map, Value};

/// Whole numbers up to these are exact as `f64` and as `f32`.
const EXACT: (i128, i128) = (1 << 53, 1 << 24);

/// Whole numbers from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) min: i128,
    pub(crate) max: i128,
}

impl Whole {
    pub(crate) fn of(members: &Map<String, Value>) -> Self {
        let format = members.get("format").and_then(Value::as_str).unwrap_or("int128");
        let (min, max) = range_of(format);
        // A limit that is no whole number, or beyond all types, is left to the format.
        let limit = |name: &str| members.get(name).and_then(whole);
        Self { min: limit("minimum").unwrap_or(min).max(min), max: limit("maximum").unwrap_or(max).min(max) }
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    pub(crate) fn holds(&self, other: &Self) -> bool {
        self.min <= other.min && other.max <= self.max
    }

    pub(crate) fn holds_constant(&self, constant: &Value) -> bool {
        whole(constant).is_some_and(|number| self.min <= number && number <= self.max)
    }
}

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = TYPES.iter().find(|(_, min, max)| (*min, *max) == (self.min, self.max));
        match known {
            Some((name, ..)) => f.write_str(name),
            None => write!(f, "whole numbers {} to {}", self.min, self.max),
        }
    }
}

/// Numbers that may have a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Numbers {
    /// Whether it is an `f32`, which rounds more.
    pub(crate) single: bool,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Numbers {
    pub(crate) fn of(members: &Map<String, Value>) -> Self {
        let single = members.get("format").and_then(Value::as_str) == Some("float");
        let limit = |name: &str| members.get(name).and_then(Value::as_f64);
        Self { single, min: limit("minimum"), max: limit("maximum") }
    }

    pub(crate) fn holds(&self, other: &Self) -> bool {
        let within = |min: Option<f64>, max: Option<f64>| {
            self.min.is_none_or(|limit| min.is_some_and(|min| limit <= min))
                && self.max.is_none_or(|limit| max.is_some_and(|max| max <= limit))
        };
        (other.single || !self.single) && within(other.min, other.max)
    }

    /// Whether it holds every one of these without rounding.
    pub(crate) fn holds_whole(&self, whole: &Whole) -> bool {
        let exact = if self.single { EXACT.1 } else { EXACT.0 };
        let limits = Whole {
            min: self.min.map_or(-exact, |min| (min.ceil() as i128).max(-exact)),
            max: self.max.map_or(exact, |max| (max.floor() as i128).min(exact)),
        };
        limits.holds(whole)
    }

    pub(crate) fn holds_constant(&self, constant: &Value) -> bool {
        constant.as_f64().is_some_and(|number| {
            self.min.is_none_or(|min| min <= number) && self.max.is_none_or(|max| number <= max)
        })
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.single { "float" } else { "double" })?;
        match (self.min, self.max) {
            (None, None) => Ok(()),
            (Some(min), None) => write!(f, " from {min}"),
            (None, Some(max)) => write!(f, " up to {max}"),
            (Some(min), Some(max)) => write!(f, " from {min} to {max}"),
        }
    }
}

/// What `schemars` calls Rust's whole numbers. The first of a range is its name; `u128` is taken for up to `i128::MAX`.
const TYPES: [(&str, i128, i128); 12] = [
    ("int8", i8::MIN as i128, i8::MAX as i128),
    ("int16", i16::MIN as i128, i16::MAX as i128),
    ("int32", i32::MIN as i128, i32::MAX as i128),
    ("int64", i64::MIN as i128, i64::MAX as i128),
    ("int128", i128::MIN, i128::MAX),
    ("uint8", 0, u8::MAX as i128),
    ("uint16", 0, u16::MAX as i128),
    ("uint32", 0, u32::MAX as i128),
    ("uint64", 0, u64::MAX as i128),
    ("uint128", 0, i128::MAX),
    ("int", i64::MIN as i128, i64::MAX as i128),
    ("uint", 0, u64::MAX as i128),
];

fn range_of(format: &str) -> (i128, i128) {
    let known = TYPES.iter().find(|(name, ..)| *name == format);
    known.map_or((i128::MIN, i128::MAX), |(_, min, max)| (*min, *max))
}

fn whole(number: &Value) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}
