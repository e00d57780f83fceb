//! How event data stands in a JSON line: as JSON, as a string, or in base64, and back to the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

/// Data as a JSON line can hold it.
#[derive(Debug, PartialEq, Eq)]
pub enum Embedded<'a> {
    /// There is none.
    Nothing,
    /// JSON, to be written as it is.
    Json(&'a str),
    /// Text, to be written as a JSON string.
    Text(&'a str),
    /// Anything else, to be written in base64.
    Bytes(&'a [u8]),
}

/// The form of `data` from which the same bytes can be read back, the most readable one there is.
pub fn embed<'a>(data: &'a [u8], content_type: &str) -> Embedded<'a> {
    if data.is_empty() {
        return Embedded::Nothing;
    }
    let Ok(text) = std::str::from_utf8(data) else { return Embedded::Bytes(data) };
    if is_json(content_type) {
        return if fits_a_line(text) { Embedded::Json(text) } else { Embedded::Bytes(data) };
    }
    if is_text(content_type) { Embedded::Text(text) } else { Embedded::Bytes(data) }
}

/// The bytes behind a `data` member.
///
/// # Errors
/// Why it holds none.
pub fn from_json(raw: &RawValue, content_type: &str) -> Result<Vec<u8>, String> {
    let text = raw.get();
    if is_json(content_type) || !text.starts_with('"') {
        return Ok(text.as_bytes().to_vec());
    }
    serde_json::from_str::<String>(text)
        .map(String::into_bytes)
        .map_err(|error| format!("`data` is no string: {error}"))
}

/// The bytes behind a `data_base64` member.
///
/// # Errors
/// Why it holds none.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("it is not base64: {error}"))
}

/// In base64.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `application/json`, `text/json`, `application/vnd.bank+json; charset=utf-8`.
fn is_json(content_type: &str) -> bool {
    let subtype = subtype(content_type);
    subtype.eq_ignore_ascii_case("json") || ends_with_ignoring_case(subtype, "+json")
}

fn is_text(content_type: &str) -> bool {
    let subtype = subtype(content_type);
    content_type.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
        || subtype.eq_ignore_ascii_case("xml")
        || ends_with_ignoring_case(subtype, "+xml")
}

fn subtype(content_type: &str) -> &str {
    let essence = content_type.split_once(';').map_or(content_type, |(essence, _)| essence).trim_end();
    essence.split_once('/').map_or("", |(_, subtype)| subtype)
}

fn ends_with_ignoring_case(text: &str, end: &str) -> bool {
    let start = text.len().checked_sub(end.len());
    start.and_then(|start| text.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// Whether it is one JSON value that stands in a line as it is: no line break, and no space around it, which reading would drop.
fn fits_a_line(text: &str) -> bool {
    !text.contains(['\n', '\r'])
        && serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get().len() == text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit_and_line_breaks_do_not_break_the_line() {
        let cases: [(&[u8], &str, Embedded<'_>); 9] = [
            (b"{\"amount\":1.10}", "application/json", Embedded::Json("{\"amount\":1.10}")),
            (b"{ \"a\" : 1 }", "Application/JSON; charset=utf-8", Embedded::Json("{ \"a\" : 1 }")),
            (b"{\n}", "application/json", Embedded::Bytes(b"{\n}")),
            (b" 1", "application/json", Embedded::Bytes(b" 1")),
            (b"{broken", "application/json", Embedded::Bytes(b"{broken")),
            (b"1", "application/vnd.bank+json", Embedded::Json("1")),
            (b"<a/>\n", "application/xml", Embedded::Text("<a/>\n")),
            (b"\xff", "text/plain", Embedded::Bytes(b"\xff")),
            (b"", "application/json", Embedded::Nothing),
        ];
        for (data, content_type, expected) in cases {
            assert_eq!(embed(data, content_type), expected, "{content_type}");
        }
    }
}
