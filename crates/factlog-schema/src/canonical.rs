//! One text for one value: members sorted, two spaces, so that a change of a shape is a change of its lines.
//!
//! It does not rely on the order in which `serde_json` keeps members, which other crates of a build may change.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

/// Keywords that only tell people something. They are no part of a shape.
const ANNOTATIONS: [&str; 8] =
    ["title", "description", "examples", "deprecated", "readOnly", "writeOnly", "$schema", "$comment"];
/// Keywords whose members are named by the user, so that a field called `title` is no annotation.
const NAMED_BY_USERS: [&str; 4] = ["properties", "$defs", "definitions", "patternProperties"];

/// The value as text of many lines.
pub(crate) fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

/// A hash of the value, the same for any order of its members.
pub(crate) fn fingerprint(value: &Value) -> String {
    format!("{:016x}", xxh3_64(pretty(value).as_bytes()))
}

/// The schema without what only tells people something; descriptions stay if they are to.
pub(crate) fn bare(schema: &Value, descriptions: bool) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut kept = Map::new();
    for (name, member) in members {
        let name = name.as_str();
        if (descriptions && name == "description") || !ANNOTATIONS.contains(&name) {
            kept.insert(name.to_owned(), bare_member(name, member, descriptions));
        }
    }
    Value::Object(kept)
}

fn bare_member(name: &str, member: &Value, descriptions: bool) -> Value {
    match member {
        Value::Object(named) if NAMED_BY_USERS.contains(&name) => {
            named.iter().map(|(name, schema)| (name.clone(), bare(schema, descriptions))).collect()
        }
        // What stands in these is the user's data, whatever it looks like.
        _ if ["const", "enum", "default"].contains(&name) => member.clone(),
        Value::Array(schemas) => schemas.iter().map(|schema| bare(schema, descriptions)).collect(),
        other => bare(other, descriptions),
    }
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let indent = |depth: usize| "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            text.push_str("{\n");
            for (index, (name, member)) in sorted.iter().enumerate() {
                let comma = if index + 1 < sorted.len() { "," } else { "" };
                text.push_str(&format!("{}{}: ", indent(depth + 1), Value::from(name.as_str())));
                write(member, depth + 1, text);
                text.push_str(&format!("{comma}\n"));
            }
            text.push_str(&format!("{}}}", indent(depth)));
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            text.push_str("[\n");
            for (index, item) in items.iter().enumerate() {
                let comma = if index + 1 < items.len() { "," } else { "" };
                text.push_str(&indent(depth + 1));
                write(item, depth + 1, text);
                text.push_str(&format!("{comma}\n"));
            }
            text.push_str(&format!("{}]", indent(depth)));
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            text.push_str(&format!("[{}]", items.join(", ")));
        }
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A doc comment that was corrected must not look like a change of the shape, and a field called `title` must.
    #[test]
    fn what_only_tells_people_something_is_no_part_of_a_shape() {
        let schema = json!({
            "title": "Moved", "description": "d", "type": "object",
            "properties": { "title": { "type": "string", "description": "e" } },
            "oneOf": [{ "const": { "title": "kept" }, "description": "f" }],
        });
        let expected = json!({
            "type": "object",
            "properties": { "title": { "type": "string" } },
            "oneOf": [{ "const": { "title": "kept" } }],
        });
        assert_eq!(bare(&schema, false), expected);
        assert_eq!(bare(&schema, true)["properties"]["title"]["description"], "e");
    }

    /// Two programs that keep members in another order must write the same bytes.
    #[test]
    fn the_text_is_sorted_and_reads_back() {
        let value = json!({ "b": [1, "x"], "a": { "d": [{ "e": null }], "c": {} } });
        let text = pretty(&value);
        assert_eq!(
            text,
            "{\n  \"a\": {\n    \"c\": {},\n    \"d\": [\n      {\n        \"e\": null\n      }\n    ]\n  },\n  \"b\": [1, \"x\"]\n}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
