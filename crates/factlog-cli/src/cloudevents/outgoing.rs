//! From a recorded event to a CloudEvents line from which `incoming` reads the same event.

use factlog_core::{Event, RecordedEvent, Tags};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::data::{Embedded, embed, to_base64};
use super::identity::identify;
use super::metadata::{Members, write_string};
use super::store_source;

/// The line for an event of this store, without its line ending.
pub(crate) fn to_line(recorded: &RecordedEvent, store: Uuid) -> Vec<u8> {
    let event = &recorded.event;
    let parsed = serde_json::from_slice::<Members<'_>>(&event.metadata);
    let members = parsed.unwrap_or_default();
    let whole = !says_it_all(event, &members, store);
    let mut line = Line(Vec::with_capacity(256 + event.data.len() + event.metadata.len()));
    line.text("specversion", "1.0");
    match members.get("id").filter(|_| !whole) {
        Some(id) => line.raw("id", id.get()),
        None => line.text("id", &event.id.to_string()),
    }
    let simple = |name: &str| members.attributes().find(|(other, _)| *other == name).map(|(_, value)| value);
    match simple("source").filter(|source| is_filled_string(source)) {
        Some(source) => line.raw("source", source.get()),
        None => line.text("source", &store_source(store)),
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
    line.text("recordedtime", &recorded.recorded_at.to_string());
    line.text("sequence", &format!("{:020}", recorded.position.get()));
    line.text("storeid", &store.to_string());
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

/// Whether reading the attributes gives back the very bytes of the metadata, and the id.
fn says_it_all(event: &Event, members: &Members<'_>, store: Uuid) -> bool {
    if event.metadata.is_empty() {
        return true;
    }
    let source = members.text("source");
    let same_id = match (members.get("id"), members.text("id"), &source) {
        (None, ..) => source.as_ref().is_none_or(|source| *source != store_source(store)),
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
    super::metadata::string(value).is_some_and(|text| !text.is_empty())
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

    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, "");
        write_string(&mut self.0, value);
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}
