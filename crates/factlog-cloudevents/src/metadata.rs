//! Event metadata as CloudEvents attributes: a flat JSON object in one canonical form, values as written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::RESERVED;

/// More members than this in one object are refused: nobody writes them by hand, and finding repeats is quadratic.
const MEMBERS_MAX: usize = 256;

/// The members of a JSON object in the order written, each value as its text.
#[derive(Clone, Debug, Default)]
pub struct Members<'a>(
    /// Name and value as written, none of them twice.
    pub Vec<(Cow<'a, str>, &'a RawValue)>,
);

impl<'a> Members<'a> {
    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// The text of this name, if it is a JSON string.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.get(name)?)
    }

    /// Those an attribute can say: a lower-case alphanumeric name without another meaning, and a simple value.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        let sayable = |(name, value): &(&str, &RawValue)| is_extension_name(name) && is_simple(value);
        self.0.iter().map(|(name, value)| (name.as_ref(), *value)).filter(sayable)
    }

    /// The one form in which an import writes metadata: `id`, `source`, `time`, then the rest as they came.
    ///
    /// No member, no byte: an event without attributes has empty metadata.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        let first = ["id", "source", "time"];
        let leading = first.iter().filter_map(|name| self.get(name).map(|value| (*name, value)));
        let rest = self.0.iter().map(|(name, value)| (name.as_ref(), *value));
        let members = leading.chain(rest.filter(|(name, _)| !first.contains(name)));
        let mut text = Vec::new();
        for (name, value) in members {
            text.push(if text.is_empty() { b'{' } else { b',' });
            write_string(&mut text, name);
            text.push(b':');
            text.extend_from_slice(value.get().as_bytes());
        }
        if !text.is_empty() {
            text.push(b'}');
        }
        text
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The text of a JSON string; `None` for any other value.
pub(crate) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0)
}

/// Appends a JSON string.
pub(crate) fn write_string(line: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(line, text).expect("a string can always be written to memory");
}

fn is_extension_name(name: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !name.is_empty() && name.bytes().all(alphanumeric) && !RESERVED.contains(&name)
}

fn is_simple(value: &RawValue) -> bool {
    !value.get().starts_with(['{', '[', 'n'])
}

/// A JSON string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members(Vec::with_capacity(16));
        while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
            if members.get(&name).is_some() {
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
            if MEMBERS_MAX <= members.0.len() {
                return Err(A::Error::custom(format!("more than {MEMBERS_MAX} members")));
            }
            members.0.push((name, map.next_value()?));
        }
        Ok(members)
    }
}
