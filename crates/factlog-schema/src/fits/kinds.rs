//! Kinds of values: which are alike, and whether one without parts fits another.

use serde_json::Value;

use super::words::{Words, name_of};
use crate::shape::{Alternative, Kind, Others, Text, alternatives, is_of};

/// What tells a variant of an enum from the others.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tag {
    /// `{"card": {...}}`
    Outside(String),
    /// `{"type": "card", ...}`: the member and the variant.
    Inside(String, String),
}

impl Tag {
    pub(super) fn variant(&self) -> &str {
        match self {
            Self::Outside(variant) | Self::Inside(_, variant) => variant,
        }
    }
}

/// The variant an object is, where there is a choice.
pub(super) fn tag(kind: &Kind, choice: bool) -> Option<Tag> {
    let Kind::Object(object) = kind else { return None };
    if !choice {
        return None;
    }
    let inside = object.required.iter().find_map(|name| {
        let constant = constant_of(object.fields.get(name)?)?;
        Some(Tag::Inside(name.clone(), constant))
    });
    let outside = match (object.fields.keys().next(), object.fields.len(), &object.others) {
        (Some(name), 1, Others::Refused) if object.required.contains(name) => {
            Some(Tag::Outside(name.clone()))
        }
        _ => None,
    };
    inside.or(outside)
}

fn constant_of(schema: &Value) -> Option<String> {
    match alternatives(schema, &Value::Null).as_slice() {
        [Alternative { kind: Kind::Const(Value::String(constant)), .. }] => Some(constant.clone()),
        _ => None,
    }
}

/// Whether what stands against the one being read as the other tells more than that there is no such alternative.
pub(super) fn alike(writer: &Alternative, reader: &Alternative, choice: bool) -> bool {
    match (&writer.kind, &reader.kind) {
        (Kind::Object(_), Kind::Object(_)) => tag(&writer.kind, choice) == tag(&reader.kind, choice),
        (Kind::Const(left), Kind::Const(right)) => left == right,
        (Kind::Const(constant), kind) => is_of(constant, kind),
        (_, Kind::Const(_)) => false,
        (_, Kind::Any) => true,
        (Kind::Whole(_), Kind::Number(_)) | (Kind::Number(_), Kind::Whole(_)) => true,
        (left, right) => std::mem::discriminant(left) == std::mem::discriminant(right),
    }
}

/// What stands against it, if anything, where neither or only one has parts.
pub(super) fn scalar(writer: &Kind, reader: &Kind, words: Words) -> Option<String> {
    let fits = match (writer, reader) {
        (_, Kind::Any) | (Kind::Null, Kind::Null) | (Kind::Bool, Kind::Bool) => true,
        (Kind::Whole(written), Kind::Whole(read)) => read.holds(written),
        (Kind::Whole(written), Kind::Number(read)) => {
            return (!read.holds_whole(written)).then(|| words.rounded(writer, reader));
        }
        (Kind::Number(written), Kind::Number(read)) => read.holds(written),
        (Kind::Text(written), Kind::Text(read)) => return text(written, read, words),
        (Kind::Const(constant), Kind::Const(other)) => constant == other,
        (Kind::Const(constant), read) => is_of(constant, read) && holds_constant(constant, read),
        _ => false,
    };
    (!fits).then(|| words.became(&name_of(writer), &name_of(reader)))
}

fn holds_constant(constant: &Value, kind: &Kind) -> bool {
    match (constant, kind) {
        (_, Kind::Whole(whole)) => whole.holds_constant(constant),
        (_, Kind::Number(numbers)) => numbers.holds_constant(constant),
        (Value::String(constant), Kind::Text(text)) => {
            let length = constant.chars().count() as u64;
            text.format.is_none()
                && text.pattern.is_none()
                && text.min <= length
                && text.max.is_none_or(|max| length <= max)
        }
        (_, Kind::Array(_) | Kind::Object(_)) => false,
        _ => true,
    }
}

fn text(writer: &Text, reader: &Text, words: Words) -> Option<String> {
    let restricted = |restriction: &Option<String>, before: &Option<String>| {
        restriction.is_some() && restriction != before
    };
    if restricted(&reader.format, &writer.format) {
        return Some(words.became(&formatted(writer), &formatted(reader)));
    }
    if restricted(&reader.pattern, &writer.pattern) {
        let pattern = |text: &Text| format!("text like {}", text.pattern.as_deref().unwrap_or("any"));
        return Some(words.became(&pattern(writer), &pattern(reader)));
    }
    let longest = |text: &Text| text.max.unwrap_or(u64::MAX);
    let fits = reader.min <= writer.min && longest(writer) <= longest(reader);
    let length = |text: &Text| match text.max {
        Some(max) => format!("text of {} to {max} characters", text.min),
        None => format!("text of {} characters or more", text.min),
    };
    (!fits).then(|| words.became(&length(writer), &length(reader)))
}

fn formatted(text: &Text) -> String {
    match &text.format {
        Some(format) => format!("text in the form of a {format}"),
        None => "text".to_owned(),
    }
}
