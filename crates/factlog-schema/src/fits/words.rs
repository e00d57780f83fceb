//! What is said of a change: from old to new, and of who is concerned.

use serde_json::Value;

use super::kinds::tag;
use crate::shape::{Alternative, Array, Kind};

/// Who reads whose data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The new program what the old one wrote.
    Backward,
    /// The old program what the new one writes.
    Forward,
}

/// The sentences of one direction.
#[derive(Clone, Copy)]
pub(super) struct Words(pub(super) Direction);

impl Words {
    /// The sentence for this direction.
    fn either(self, backward: impl Into<String>, forward: impl Into<String>) -> String {
        match self.0 {
            Direction::Backward => backward.into(),
            Direction::Forward => forward.into(),
        }
    }

    pub(super) fn became(self, writer: &str, reader: &str) -> String {
        self.either(format!("{writer} became {reader}"), format!("{reader} became {writer}"))
    }

    pub(super) fn rounded(self, writer: &Kind, reader: &Kind) -> String {
        let exact = "a whole number may be larger than a fraction holds exactly";
        format!("{}: {exact}", self.became(&name_of(writer), &name_of(reader)))
    }

    pub(super) fn required(self, optional: bool) -> String {
        match optional {
            true => self.either(
                "it was optional or had a default, and is required now",
                "it may be left out now, and older programs require it",
            ),
            false => self
                .either("required field added without default", "field removed that older programs require"),
        }
    }

    pub(super) fn refused(self) -> String {
        self.either(
            "field removed, and unknown fields are refused",
            "field added, and older programs refuse unknown fields",
        )
    }

    pub(super) fn no_member(self) -> String {
        self.either(
            "the names of the map's members are restricted now",
            "older programs restrict the names of the map's members",
        )
    }

    pub(super) fn map_to_struct(self) -> String {
        self.either(
            "a map became a struct, which drops its members",
            "a struct became a map, whose members older programs drop",
        )
    }

    pub(super) fn to_set(self) -> String {
        self.either(
            "a list became a set, which holds each item once",
            "a set became a list, of which older programs hold each item once",
        )
    }

    pub(super) fn lengths(self, writer: &Array, reader: &Array) -> String {
        self.became(&length(writer), &length(reader))
    }

    /// No alternative of the reader is like this one of the writer.
    pub(super) fn no_such(self, one: &Alternative, read: &[Alternative], choice: bool) -> String {
        let variant = match (&one.kind, tag(&one.kind, choice)) {
            (_, Some(tag)) => Some(tag.variant().to_owned()),
            (Kind::Const(Value::String(constant)), None) => Some(constant.clone()),
            _ => None,
        };
        if let Some(variant) = variant.filter(|_| read.iter().any(|other| is_variant(other, choice))) {
            return self.either(
                format!("variant `{variant}` removed"),
                format!("variant `{variant}` added, which older programs do not know"),
            );
        }
        if one.kind == Kind::Null {
            return self
                .either("null is no longer accepted", "it may be null now, which older programs refuse");
        }
        let mut names: Vec<String> = read.iter().map(|other| name_of(&other.kind)).collect();
        names.dedup();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(" or ") };
        self.became(&name_of(&one.kind), &names)
    }
}

/// A keyword that is not understood is not what it was.
pub(super) fn opaque(keyword: &str) -> String {
    format!("`{keyword}` changed, which cannot be judged; give the new shape a version of its own")
}

fn is_variant(alternative: &Alternative, choice: bool) -> bool {
    matches!(alternative.kind, Kind::Const(_)) || tag(&alternative.kind, choice).is_some()
}

fn length(array: &Array) -> String {
    match array.max {
        Some(max) if array.min == max => format!("a list of {max}"),
        Some(max) => format!("a list of {} to {max}", array.min),
        None if array.min == 0 => "a list of any length".to_owned(),
        None => format!("a list of {} or more", array.min),
    }
}

/// What people call it.
pub(super) fn name_of(kind: &Kind) -> String {
    match kind {
        Kind::Any => "any value".to_owned(),
        Kind::Null => "null".to_owned(),
        Kind::Bool => "boolean".to_owned(),
        Kind::Whole(whole) => whole.to_string(),
        Kind::Number(numbers) => numbers.to_string(),
        Kind::Text(_) => "text".to_owned(),
        Kind::Const(constant) => constant.to_string(),
        Kind::Array(_) => "list".to_owned(),
        Kind::Object(_) => "object".to_owned(),
    }
}
