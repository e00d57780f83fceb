//! Values and keys as TOML writes them, so that what `factlog config show` prints is a file of settings.

use std::fmt::Write as _;

use super::value::Value;

/// The value as it stands in a file.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Switch(on) => on.to_string(),
        Value::Address(_) | Value::Path(_) | Value::Bytes(_) => quoted(&value.text()),
        Value::Time(_) | Value::Word(_) | Value::Text(_) => quoted(&value.text()),
    }
}

/// A basic string of TOML: what would end it, and every control character, is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
