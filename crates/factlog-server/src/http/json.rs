//! Events in JSON, in and out, under the same names both ways.
//!
//! * In: `type` is needed; `id`, `stream`, `tags`, `data`, `metadata`, `content_type` may be there, anything else is refused
//!   by name. Data that is no JSON is a string (of a text type) or `data_base64`; metadata is JSON or `metadata_base64`.
//! * Out: the same with `position`, `revision` and `recorded_at`, in one line.
//! * Data and metadata are kept byte for byte. An object with `specversion` is a CloudEvent and read as one.
//! * A list has a bound that holds while it is read, so that a small body never becomes a large memory.

use std::fmt;
use std::marker::PhantomData;

use factlog_cloudevents::{Embedded, Members, embed, from_base64, from_json, from_line, to_base64};
use factlog_core::{ContentType, Event, EventId, EventType, RecordedEvent, StreamId, Tag, Tags, limits};
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::problem::Problem;

/// A list of so many at most.
#[derive(Debug)]
pub(crate) struct AtMost<T, const MAX: usize>(pub(crate) Vec<T>);

impl<T, const MAX: usize> Default for AtMost<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for AtMost<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = AtMost<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if MAX <= items.len() {
                return Err(A::Error::custom(format!("more than {MAX} in one list")));
            }
            items.push(item);
        }
        Ok(AtMost(items))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Said<'a> {
    id: Option<String>,
    #[serde(rename = "type")]
    event_type: String,
    stream: Option<String>,
    #[serde(default)]
    tags: AtMost<String, { limits::TAGS_MAX }>,
    content_type: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    metadata_base64: Option<String>,
}

/// Data may well be `null`.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one event; `new_id` gives the id of one that says none.
///
/// # Errors
/// What is wrong with it; `line` and `column` count within the text.
pub(crate) fn event(text: &str, new_id: impl FnOnce() -> EventId) -> Result<Event, Problem> {
    if is_cloud_event(text) {
        let incoming = from_line(text.as_bytes()).map_err(|error| Problem::invalid(error.to_string()))?;
        return Ok(incoming.event);
    }
    let said: Said<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let content_type = match (&said.content_type, &said.data_base64) {
        (Some(text), _) => ContentType::new(text)?,
        (None, Some(_)) => ContentType::BYTES,
        (None, None) => ContentType::JSON,
    };
    let data = match (said.data, said.data_base64) {
        (None, None) => Ok(Vec::new()),
        (Some(raw), None) => from_json(raw, content_type.as_str()),
        (None, Some(text)) => from_base64(&text).map_err(|why| format!("`data_base64`: {why}")),
        (Some(_), Some(_)) => Err("`data` and `data_base64` are both there".to_owned()),
    };
    let metadata = match (said.metadata, said.metadata_base64) {
        (None, None) => Ok(Vec::new()),
        (Some(raw), None) => Ok(raw.get().as_bytes().to_vec()),
        (None, Some(text)) => from_base64(&text).map_err(|why| format!("`metadata_base64`: {why}")),
        (Some(_), Some(_)) => Err("`metadata` and `metadata_base64` are both there".to_owned()),
    };
    Ok(Event {
        id: said.id.map_or_else(|| Ok(new_id()), |text| text.parse())?,
        event_type: EventType::new(said.event_type)?,
        tags: Tags::new(said.tags.0)?,
        data: data.map_err(Problem::invalid)?.into(),
        metadata: metadata.map_err(Problem::invalid)?.into(),
        content_type,
        stream: said.stream.map(StreamId::new).transpose()?,
    })
}

fn is_cloud_event(text: &str) -> bool {
    text.contains("\"specversion\"")
        && serde_json::from_str::<Members<'_>>(text).is_ok_and(|members| members.get("specversion").is_some())
}

/// What is no JSON, or not of the shape asked for, with its place.
pub(crate) fn malformed(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    Problem::invalid(reason).with("line", error.line()).with("column", error.column())
}

/// Appends a recorded event, as one line without its ending.
pub(crate) fn write(line: &mut Vec<u8>, recorded: &RecordedEvent) {
    let event = &recorded.event;
    line.extend_from_slice(format!("{{\"position\":{}", recorded.position).as_bytes());
    if let Some(revision) = recorded.revision {
        raw(line, "revision", &revision.to_string());
    }
    string(line, "recorded_at", &recorded.recorded_at.to_string());
    string(line, "id", &event.id.to_string());
    string(line, "type", event.event_type.as_str());
    if let Some(stream) = &event.stream {
        string(line, "stream", stream.as_str());
    }
    if !event.tags.is_empty() {
        let tags: Vec<_> = event.tags.iter().map(Tag::as_str).collect();
        raw(line, "tags", &serde_json::to_string(&tags).expect("strings can always be written"));
    }
    let data = embed(&event.data, event.content_type.as_str());
    if event.content_type != ContentType::JSON || matches!(data, Embedded::Bytes(_)) {
        string(line, "content_type", event.content_type.as_str());
    }
    bytes(line, "data", &data);
    bytes(line, "metadata", &embed(&event.metadata, ContentType::JSON.as_str()));
    line.push(b'}');
}

fn bytes(line: &mut Vec<u8>, name: &str, bytes: &Embedded<'_>) {
    match bytes {
        Embedded::Nothing => {}
        Embedded::Json(json) => raw(line, name, json),
        Embedded::Text(text) => string(line, name, text),
        Embedded::Bytes(bytes) => string(line, &format!("{name}_base64"), &to_base64(bytes)),
    }
}

fn string(line: &mut Vec<u8>, name: &str, text: &str) {
    raw(line, name, "");
    serde_json::to_writer(line, text).expect("a string can always be written to memory");
}

fn raw(line: &mut Vec<u8>, name: &str, value: &str) {
    line.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
}
