//! What a setting can be: its kinds with their bounds, and how text and TOML become a value.
//!
//! A refusal says what is wanted and never repeats what was given: that may be a secret in the wrong place.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::time;
use toml::de::{DeInteger, DeValue};

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An IP address and a port.
    Address,
    Directory,
    File,
    /// A number of bytes, with `KiB`, `MiB` or `GiB` behind it where that reads better.
    Bytes {
        min: u64,
        max: u64,
    },
    /// A time, as `90s`, `30m`, `1h` or `2d`, of so many seconds at most.
    Time {
        max: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any text but none, for who uses it to understand.
    Text,
    Switch,
}

/// What a setting is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Address(SocketAddr),
    Path(PathBuf),
    Bytes(u64),
    Time(Duration),
    Word(&'static str),
    Text(String),
    Switch(bool),
}

const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl Kind {
    /// A cache in memory.
    pub(crate) const CACHE: Self = Self::Bytes { min: 0, max: 64 << 30 };

    /// The value that a word on a command line or in the environment is.
    ///
    /// # Errors
    /// What is wanted instead.
    pub(crate) fn parse(self, text: &OsStr) -> Result<Value, String> {
        let word = || text.to_str().ok_or_else(|| self.wanted());
        match self {
            Self::Directory | Self::File if text.is_empty() => Err(self.wanted()),
            Self::Directory | Self::File => Ok(Value::Path(PathBuf::from(text))),
            Self::Address => word()?.parse().map(Value::Address).map_err(|_| self.wanted()),
            Self::Bytes { .. } => {
                bytes(word()?).and_then(|count| self.bounded(count)).ok_or_else(|| self.wanted())
            }
            Self::Time { max } => {
                let seconds = time::seconds(word()?).filter(|seconds| *seconds <= max);
                seconds.map(Duration::from_secs).map(Value::Time).ok_or_else(|| self.wanted())
            }
            Self::Word(words) => self.one_of(words, word()?),
            Self::Text if text.is_empty() => Err(self.wanted()),
            Self::Text => Ok(Value::Text(word()?.to_owned())),
            Self::Switch => match word()? {
                "true" => Ok(Value::Switch(true)),
                "false" => Ok(Value::Switch(false)),
                _ => Err(self.wanted()),
            },
        }
    }

    /// The value that TOML gives; a path is seen from the directory of its file.
    ///
    /// # Errors
    /// What is wanted instead, and what kind of thing is there.
    pub(crate) fn of_toml(self, value: &DeValue<'_>, directory: &Path) -> Result<Value, String> {
        let found = match (self, value) {
            (Self::Switch, DeValue::Boolean(on)) => return Ok(Value::Switch(*on)),
            (Self::Switch, DeValue::String(_)) => None,
            (Self::Bytes { .. }, DeValue::Integer(number)) => {
                integer(number).and_then(|count| self.bounded(count))
            }
            (_, DeValue::String(text)) => self.parse(OsStr::new(&**text)).ok(),
            _ => None,
        };
        match found {
            Some(Value::Path(path)) => Ok(Value::Path(directory.join(path))),
            Some(value) => Ok(value),
            None if self.is_given_as(value) => Err(self.wanted()),
            None => Err(format!("{}, and there is {}", self.wanted(), described(value))),
        }
    }

    /// Whether TOML has the type for it that it should have.
    fn is_given_as(self, value: &DeValue<'_>) -> bool {
        match self {
            Self::Switch => value.is_bool(),
            Self::Bytes { .. } => value.is_integer() || value.is_str(),
            Self::Address | Self::Directory | Self::File | Self::Time { .. } => value.is_str(),
            Self::Word(_) | Self::Text => value.is_str(),
        }
    }

    fn bounded(self, count: u64) -> Option<Value> {
        let Self::Bytes { min, max } = self else { return None };
        (min..=max).contains(&count).then_some(Value::Bytes(count))
    }

    fn one_of(self, words: &'static [&'static str], text: &str) -> Result<Value, String> {
        words.iter().find(|word| **word == text).map(|word| Value::Word(word)).ok_or_else(|| self.wanted())
    }

    /// "it takes ...".
    fn wanted(self) -> String {
        format!("it takes {}", self.takes())
    }

    /// What it takes, for people.
    pub(crate) fn takes(self) -> String {
        match self {
            Self::Address => "an IP address and a port, such as 127.0.0.1:4270 or [::1]:4270".to_owned(),
            Self::Directory => "the path of a directory".to_owned(),
            Self::File => "the path of a file".to_owned(),
            Self::Bytes { min, max } => {
                format!("a number of bytes from {} to {}", byte_text(min), byte_text(max))
            }
            Self::Time { max } => format!("a time such as 90s, 30m, 1h or 2d, up to {}", time::text(max)),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Text => "text".to_owned(),
            Self::Switch => "true or false".to_owned(),
        }
    }

    /// What stands for a value in a help text.
    pub(crate) fn placeholder(self) -> &'static str {
        match self {
            Self::Address => "ADDRESS",
            Self::Directory => "DIR",
            Self::File => "FILE",
            Self::Bytes { .. } => "BYTES",
            Self::Time { .. } => "TIME",
            Self::Word(_) => "WORD",
            Self::Text => "TEXT",
            Self::Switch => "BOOL",
        }
    }
}

impl Value {
    /// As it is written on a command line.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Path(path) => path.display().to_string(),
            Self::Bytes(count) => byte_text(*count),
            Self::Time(time) => time::text(time.as_secs()),
            Self::Word(word) => (*word).to_owned(),
            Self::Text(text) => text.clone(),
            Self::Switch(on) => on.to_string(),
        }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Bytes(count) => (*count).into(),
            Self::Switch(on) => (*on).into(),
            Self::Address(_) | Self::Path(_) | Self::Time(_) | Self::Word(_) | Self::Text(_) => {
                self.text().into()
            }
        }
    }
}

/// A number, and a unit behind it.
fn bytes(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1));
    let number = number.trim_end_matches(' ');
    if !number.starts_with(|digit: char| digit.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(size)
}

/// In the largest unit that leaves no fraction.
fn byte_text(count: u64) -> String {
    let whole = |(_, size): &&(&str, u64)| 0 < count && count.is_multiple_of(*size);
    match UNITS.iter().rev().find(whole) {
        Some((unit, size)) => format!("{}{unit}", count / size),
        None => count.to_string(),
    }
}

fn integer(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
