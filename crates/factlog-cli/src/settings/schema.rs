//! The JSON Schema of a settings file, for editors and for tools that write one.

use serde_json::{Map, Value as Json, json};

use super::value::Kind;
use super::{Setting, TABLE};

/// The schema, in the draft of 2020-12.
pub(crate) fn schema() -> Json {
    let properties: Map<String, Json> =
        TABLE.iter().map(|setting| (setting.name.to_owned(), property(setting))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "factlog.toml",
        "description": "Settings of factlog serve",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn property(setting: &Setting) -> Json {
    let mut property = match setting.kind {
        Kind::Address | Kind::Directory | Kind::File | Kind::Text => {
            json!({ "type": "string", "minLength": 1 })
        }
        Kind::Bytes { min, max } => json!({ "oneOf": [
            { "type": "integer", "minimum": min, "maximum": max },
            { "type": "string", "pattern": "^[0-9]+ *(KiB|MiB|GiB)?$" },
        ] }),
        Kind::Time { .. } => json!({ "type": "string", "pattern": "^[0-9]+[smhd]$" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Switch => json!({ "type": "boolean" }),
    };
    property["description"] = json!(setting.meaning);
    if let Some(default) = setting.default {
        let value = setting.kind.parse(default.as_ref()).expect("the default of a setting is of its kind");
        property["default"] = value.json();
    }
    if setting.hides_value() {
        property["writeOnly"] = json!(true);
    }
    property
}
