//! A recorded event as people and programs read it: a table row or a JSON line.
//!
//! CloudEvents have a module of their own, since they are also read back.

use std::fmt::Write as _;

use clap::ValueEnum;
use factlog_core::RecordedEvent;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::output::printable;
use factlog_cloudevents::{Embedded, Source, embed, to_line};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One row per event, data cut short: for people
    Table,
    /// One JSON object per line; `factlog append` reads it back
    Ndjson,
    /// One CloudEvents 1.0 JSON object per line, as `factlog export` writes it
    Cloudevents,
}

/// Characters of data that a table row shows.
const DATA_CHARS: usize = 80;

/// The heading above the rows of a table.
pub(crate) const HEADING: &str =
    "POSITION  RECORDED AT                  STREAM@REVISION           TYPE                        DATA";

/// One event in this format, without its line ending.
pub(crate) fn event(recorded: &RecordedEvent, format: Format, store: Uuid) -> Vec<u8> {
    match format {
        Format::Table => row(recorded).into_bytes(),
        Format::Ndjson => json_line(recorded),
        Format::Cloudevents => to_line(recorded, Source::Store(store)),
    }
}

fn row(recorded: &RecordedEvent) -> String {
    let event = &recorded.event;
    let stream = match (&event.stream, recorded.revision) {
        (Some(stream), Some(revision)) => format!("{}@{revision}", printable(stream.as_str())),
        _ => "-".to_owned(),
    };
    let (position, time) = (recorded.position.get(), recorded.recorded_at.to_string());
    let event_type = printable(event.event_type.as_str());
    let mut row =
        format!("{position:>8}  {time:<27}  {stream:<24}  {event_type:<26}  {}", excerpt(&event.data));
    for tag in &event.tags {
        // Writing to a string cannot fail.
        let _ = write!(row, " #{}", printable(tag.as_str()));
    }
    row.truncate(row.trim_end().len());
    row
}

fn excerpt(data: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(data) else { return format!("{} bytes", data.len()) };
    match text.char_indices().nth(DATA_CHARS) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text),
    }
}

/// Members in a fixed order; data and metadata byte for byte, as JSON where they are JSON.
fn json_line(recorded: &RecordedEvent) -> Vec<u8> {
    let event = &recorded.event;
    let tags: Vec<&str> = event.tags.iter().map(factlog_core::Tag::as_str).collect();
    let mut line = Vec::with_capacity(256 + event.data.len() + event.metadata.len());
    line.push(b'{');
    member(&mut line, "position", &json!(recorded.position.get()));
    member(&mut line, "recorded_at", &json!(recorded.recorded_at.to_string()));
    member(&mut line, "stream", &json!(event.stream.as_ref().map(factlog_core::StreamId::as_str)));
    member(&mut line, "revision", &json!(recorded.revision.map(factlog_core::Revision::get)));
    member(&mut line, "id", &json!(event.id.to_string()));
    member(&mut line, "type", &json!(event.event_type.as_str()));
    member(&mut line, "tags", &json!(tags));
    member(&mut line, "content_type", &json!(event.content_type.as_str()));
    bytes(&mut line, "data", &event.data, event.content_type.as_str());
    bytes(&mut line, "metadata", &event.metadata, "application/json");
    line.push(b'}');
    line
}

fn bytes(line: &mut Vec<u8>, name: &str, bytes: &[u8], content_type: &str) {
    match embed(bytes, content_type) {
        Embedded::Nothing => {}
        Embedded::Json(json) => {
            member_name(line, name);
            line.extend_from_slice(json.as_bytes());
        }
        Embedded::Text(text) => member(line, name, &json!(text)),
        Embedded::Bytes(bytes) => {
            member(line, &format!("{name}_base64"), &json!(factlog_cloudevents::to_base64(bytes)));
        }
    }
}

fn member(line: &mut Vec<u8>, name: &str, value: &Value) {
    member_name(line, name);
    line.extend_from_slice(value.to_string().as_bytes());
}

fn member_name(line: &mut Vec<u8>, name: &str) {
    if line.last() != Some(&b'{') {
        line.push(b',');
    }
    line.extend_from_slice(json!(name).to_string().as_bytes());
    line.push(b':');
}

#[cfg(test)]
mod tests {
    use factlog_core::{
        ContentType, Event, EventId, EventType, Position, Revision, StreamId, Tags, Timestamp,
    };

    use super::*;

    fn recorded(data: &'static [u8], content_type: &str) -> RecordedEvent {
        let event = Event::new(EventType::new("account.opened").unwrap(), data)
            .with_id(EventId::from_bytes([9; 16]))
            .in_stream(StreamId::new("account-42").unwrap())
            .tagged(Tags::new(["account:42", "owner:ada"]).unwrap())
            .with_metadata("{\"user\":1.0}")
            .with_content_type(ContentType::new(content_type).unwrap());
        let (position, revision) = (Position::new(1_234).unwrap(), Some(Revision::new(3)));
        RecordedEvent {
            position,
            recorded_at: Timestamp::from_micros(1_700_000_000_000_001),
            revision,
            event,
        }
    }

    #[test]
    fn every_format_shows_the_whole_event() {
        let store = Uuid::from_bytes([7; 16]);
        let cases = [
            recorded(b"{\"owner\":\"Ada\",\"limit\":1.10}", "application/json"),
            recorded(b"\x00\xff", "image/png"),
        ];
        let mut shown = String::from(HEADING);
        for format in [Format::Table, Format::Ndjson, Format::Cloudevents] {
            for case in &cases {
                shown.push('\n');
                shown.push_str(std::str::from_utf8(&event(case, format, store)).unwrap());
            }
        }
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn long_data_is_cut_between_characters_and_controls_are_shown() {
        assert_eq!(excerpt("č".repeat(100).as_bytes()), format!("{}…", "č".repeat(DATA_CHARS)));
        assert_eq!(excerpt(b"a\x1b[2J\n"), "a\\u{1b}[2J\\n");
    }
}
