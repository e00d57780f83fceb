//! Where the events of `factlog append` come from: an argument, a file, or lines on standard input.

use std::io::Read;
use std::path::Path;

use factlog_core::limits::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX, DATA_BYTES_MAX};
use factlog_core::{ContentType, Event, EventId, EventType, StreamId, Tags};
use serde_json::value::RawValue;

use super::usage;
use crate::failure::{Failure, Kind, Outcome};
use crate::lines::Lines;
use factlog_cloudevents::{Members, from_base64, from_json};

/// What a line may hold. The last three say where the event was read from, and are passed over.
const MEMBERS: [&str; 12] = [
    "type",
    "stream",
    "id",
    "tags",
    "content_type",
    "data",
    "data_base64",
    "metadata",
    "metadata_base64",
    "position",
    "revision",
    "recorded_at",
];

/// The bytes an argument names: itself, `@FILE`, or `-` for standard input.
pub(super) fn argument(name: &str, text: &str, must_be_json: bool) -> Outcome<Vec<u8>> {
    let bytes = if text == "-" {
        bounded(std::io::stdin().lock()).map_err(|error| Failure::io("read standard input", &error))?
    } else if let Some(path) = text.strip_prefix('@') {
        std::fs::File::open(path)
            .and_then(bounded)
            .map_err(|error| Failure::io(format!("read {path}"), &error))?
    } else {
        text.as_bytes().to_vec()
    };
    if must_be_json && let Err(error) = serde_json::from_slice::<&RawValue>(&bytes) {
        return Err(usage(format!("{name} is no JSON"))
            .because(error.to_string())
            .advise("correct it, or name what it is with --content-type"));
    }
    Ok(bytes)
}

/// The events on standard input, one a line; in `stream` where a line names none.
pub(super) fn events(stream: Option<&StreamId>) -> Outcome<Vec<Event>> {
    let unreadable = |error| Failure::io("read standard input", &error);
    let (mut lines, _) = Lines::open(Path::new("-")).map_err(unreadable)?;
    let (mut events, mut size) = (Vec::new(), 0);
    while let Some(line) = lines.next().map_err(unreadable)? {
        if line.text.trim_ascii().is_empty() && !line.too_long {
            continue;
        }
        let refused = |reason: String| {
            Failure::new(Kind::Invalid, format!("line {} of standard input is no event", line.number))
                .because(reason)
        };
        let event = event(line.text, stream).map_err(refused)?;
        size += event.size();
        events.push(event);
        if APPEND_BYTES_MAX < size || APPEND_EVENTS_MAX < events.len() {
            return Err(Failure::new(Kind::Invalid, "too much for one append")
                .because(format!(
                    "at most {APPEND_EVENTS_MAX} events and {APPEND_BYTES_MAX} bytes are atomic together"
                ))
                .advise("append less at once; `factlog import` takes files of any size"));
        }
    }
    if events.is_empty() {
        return Err(
            usage("no event is given").advise("give --type and --payload, or events on standard input")
        );
    }
    Ok(events)
}

/// The event on one line, in `stream` where the line names none.
pub(crate) fn event(line: &[u8], stream: Option<&StreamId>) -> Result<Event, String> {
    let mut members: Members<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    members.0.retain(|(name, value)| name == "data" || value.get() != "null");
    if let Some((name, _)) = members.0.iter().find(|(name, _)| !MEMBERS.contains(&name.as_ref())) {
        return Err(format!("`{name}` is not known; a line may hold {}", MEMBERS[..9].join(", ")));
    }
    let said = |error: factlog_core::Error| error.to_string();
    let text = |name: &str| match members.get(name) {
        None => Ok(None),
        Some(_) => members.text(name).map(Some).ok_or_else(|| format!("`{name}` is no string")),
    };
    let event_type = EventType::new(text("type")?.ok_or("`type` is missing")?).map_err(said)?;
    let content_type =
        text("content_type")?.map_or(Ok(ContentType::JSON), |text| ContentType::new(&text)).map_err(said)?;
    let data = bytes(members.get("data"), text("data_base64")?.as_deref(), content_type.as_str())?;
    let metadata = bytes(members.get("metadata"), text("metadata_base64")?.as_deref(), "application/json")?;
    let mut event = Event::new(event_type, data).with_metadata(metadata).with_content_type(content_type);
    if let Some(id) = text("id")? {
        event.id = id.parse::<EventId>().map_err(said)?;
    }
    if let Some(tags) = members.get("tags") {
        let tags: Vec<String> =
            serde_json::from_str(tags.get()).map_err(|_| "`tags` is no list of strings")?;
        event.tags = Tags::new(tags).map_err(said)?;
    }
    event.stream = match (text("stream")?, stream) {
        (None, stream) => stream.cloned(),
        (Some(own), Some(stream)) if own != stream.as_str() => {
            return Err(format!("it names stream {own}, the command line {stream}"));
        }
        (Some(own), _) => Some(StreamId::new(own).map_err(said)?),
    };
    Ok(event)
}

fn bytes(json: Option<&RawValue>, base64: Option<&str>, content_type: &str) -> Result<Vec<u8>, String> {
    match (json, base64) {
        (None, None) => Ok(Vec::new()),
        (Some(raw), None) => from_json(raw, content_type),
        (None, Some(text)) => from_base64(text),
        (Some(_), Some(_)) => Err("the same content is there twice, as itself and in base64".into()),
    }
}

fn bounded(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than an event may have, so that the store's own bound speaks.
    input.take(DATA_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_needs_a_type_and_may_say_everything() {
        let stream = StreamId::new("account-42").unwrap();
        let least = event(br#"{"type":"t"}"#, Some(&stream)).unwrap();
        assert_eq!((least.stream, &least.data[..]), (Some(stream.clone()), &b""[..]));
        let line = br#"{"type":"t","stream":"account-42","id":"4000d4e9-32ed-5d13-a2ca-ba9245cc3b97","tags":["b","a"],"content_type":"text/plain","data":"x\ny","metadata":{"user":1.0},"position":9}"#;
        let most = event(line, None).unwrap();
        assert_eq!(
            (most.stream, &most.data[..], &most.metadata[..]),
            (Some(stream), &b"x\ny"[..], &b"{\"user\":1.0}"[..])
        );
    }

    #[test]
    fn what_a_line_must_not_say_is_refused_with_the_reason() {
        let stream = StreamId::new("account-42").unwrap();
        let reason = |line: &str| event(line.as_bytes(), Some(&stream)).expect_err(line);
        insta::assert_snapshot!(
            [
                reason(r#"{}"#),
                reason(r#"{"type":"t","stream":"account-43"}"#),
                reason(r#"{"type":"t","typ":"t"}"#),
                reason(r#"{"type":"t","id":"1"}"#),
                reason(r#"{"type":"t","tags":"a"}"#),
                reason(r#"{"type":"t","data":1,"data_base64":"MQ=="}"#),
            ]
            .join("\n")
        );
    }
}
