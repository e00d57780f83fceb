//! From a recorded event to a CloudEvents line from which `incoming` reads the same event.

use std::borrow::Cow;

use factlog_core::{Event, RecordedEvent, Tags};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::data::{Embedded, embed, to_base64};
use crate::identity::identify;
use crate::metadata::{Members, write_string};
use crate::store_source;

/// What an event without a `source` of its own comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// This store: `urn:factlog:<id>`. The line says where the event was recorded, and reads back as the same event.
    Store(Uuid),
    /// A name that others know it by, a URI; `partitionkey` is its stream, so that a broker keeps a stream in order.
    Named(&'a str),
}

/// The line for a recorded event, without its line ending.
///
/// ```
/// use factlog_cloudevents::{Source, to_line};
/// # use factlog_core::{Event, Position, RecordedEvent, Timestamp};
/// # let event = Event::new("order.placed".parse()?, r#"{"total":5}"#).in_stream("order-17".parse()?);
/// # let position = Position::FIRST;
/// let recorded = RecordedEvent { position, recorded_at: Timestamp::default(), revision: None, event };
/// let line = String::from_utf8(to_line(&recorded, Source::Named("urn:shop:orders")))?;
/// assert!(line.contains(r#""source":"urn:shop:orders","type":"order.placed","subject":"order-17""#));
/// assert!(line.contains(r#""partitionkey":"order-17""#) && line.ends_with(r#""data":{"total":5}}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn to_line(recorded: &RecordedEvent, from: Source<'_>) -> Vec<u8> {
    let event = &recorded.event;
    let parsed = serde_json::from_slice::<Members<'_>>(&event.metadata);
    let members = parsed.unwrap_or_default();
    let whole = !says_it_all(event, &members, from);
    let mut line = Line(Vec::with_capacity(256 + event.data.len() + event.metadata.len()));
    line.text("specversion", "1.0");
    match members.get("id").filter(|_| !whole) {
        Some(id) => line.raw("id", id.get()),
        None => line.text("id", &event.id.to_string()),
    }
    let simple = |name: &str| members.attributes().find(|(other, _)| *other == name).map(|(_, value)| value);
    match simple("source").filter(|source| is_filled_string(source)) {
        Some(source) => line.raw("source", source.get()),
        None => line.text("source", &from.text()),
    }
    line.text("type", event.event_type.as_str());
    if let Some(stream) = &event.stream {
        line.text("subject", stream.as_str());
    }
    if let Some(time) = simple("time") {
        line.raw("time", time.get());
    }
    line.text("datacontenttype", event.content_type.as_str());
    for (name, value) in members.attributes().filter(|(name, _)| !["id", "source", "time"].contains(name)) {
        line.raw(name, value.get());
    }
    if !event.tags.is_empty() {
        line.text("tags", &json_array(&event.tags));
    }
    if whole {
        line.known_metadata(event, &members);
    }
    line.text("recordedtime", &recorded.recorded_at.to_string());
    line.text("sequence", &format!("{:020}", recorded.position.get()));
    match from {
        Source::Store(store) => line.text("storeid", &store.to_string()),
        Source::Named(_) if members.get("partitionkey").is_some() => {}
        Source::Named(_) => {
            if let Some(stream) = &event.stream {
                line.text("partitionkey", stream.as_str());
            }
        }
    }
    if whole {
        match std::str::from_utf8(&event.metadata) {
            Ok(text) => line.text("factlogmeta", text),
            Err(_) => line.text("factlogmetabase64", &to_base64(&event.metadata)),
        }
    }
    match embed(&event.data, event.content_type.as_str()) {
        Embedded::Nothing => {}
        Embedded::Json(json) => line.raw("data", json),
        Embedded::Text(text) => line.text("data", text),
        Embedded::Bytes(bytes) => line.text("data_base64", &to_base64(bytes)),
    }
    line.end()
}

impl<'a> Source<'a> {
    fn text(self) -> Cow<'a, str> {
        match self {
            Self::Store(store) => store_source(store).into(),
            Self::Named(name) => name.into(),
        }
    }
}

/// Whether reading the attributes gives back the very bytes of the metadata, and the id.
fn says_it_all(event: &Event, members: &Members<'_>, from: Source<'_>) -> bool {
    if event.metadata.is_empty() {
        return true;
    }
    let source = members.text("source");
    let same_id = match (members.get("id"), members.text("id"), &source) {
        (None, ..) => source.as_ref().is_none_or(|source| *source != from.text()),
        (Some(_), Some(id), Some(source)) => {
            let identity = identify(source, &id);
            identity.id == event.id && !identity.says_it_all
        }
        (Some(_), ..) => false,
    };
    let source_is_good = members.get("source").is_none_or(is_filled_string);
    same_id
        && source_is_good
        && members.attributes().count() == members.0.len()
        && members.canonical() == *event.metadata
}

fn is_filled_string(value: &RawValue) -> bool {
    crate::metadata::string(value).is_some_and(|text| !text.is_empty())
}

fn json_array(tags: &Tags) -> String {
    let texts: Vec<&str> = tags.iter().map(factlog_core::Tag::as_str).collect();
    serde_json::to_string(&texts).expect("strings can always be written to memory")
}

/// A JSON object in the making.
struct Line(Vec<u8>);

impl Line {
    fn raw(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        write_string(&mut self.0, name);
        self.0.push(b':');
        self.0.extend_from_slice(value.as_bytes());
    }

    /// What the framework keeps in the metadata, under the names of the CloudEvents extensions.
    fn known_metadata(&mut self, event: &Event, members: &Members<'_>) {
        for (name, attribute) in [("correlation_id", "correlationid"), ("causation_id", "causationid")] {
            if let (Some(value), None) = (members.text(name), members.get(attribute)) {
                self.text(attribute, &value);
            }
        }
        if let (Some(version), None) = (members.get("schema"), members.get("dataschema"))
            && version.get().bytes().all(|byte| byte.is_ascii_digit())
        {
            self.text(
                "dataschema",
                &format!("urn:factlog:schema:{}:{}", event.event_type.as_str(), version.get()),
            );
        }
    }

    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, "");
        write_string(&mut self.0, value);
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}
