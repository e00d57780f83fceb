//! From a CloudEvents line to an event, or to the reason and the place why not.

use std::borrow::Cow;
use std::fmt;

use factlog_core::{ContentType, Event, EventType, Position, StreamId, Tags};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::data::{from_base64, from_json};
use crate::identity::identify;
use crate::metadata::{Members, string};
use crate::{RESERVED, store_source};

/// An event from a line, and where a factlog store had recorded it, if one did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The event.
    pub event: Event,
    /// Where it had been recorded; `None` for one that comes from elsewhere.
    pub origin: Option<Origin>,
}

/// Where an event was recorded when it was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The store's id.
    pub store: Uuid,
    /// Its place there.
    pub position: Position,
}

/// Why a line is no event.
#[derive(Debug, PartialEq, Eq)]
pub struct LineError {
    /// The byte of the line, from 0, where reading it failed; 0 where it is about the whole.
    pub byte: u64,
    /// What is wrong, in words.
    pub reason: String,
}

impl std::error::Error for LineError {}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Reads one line.
///
/// # Errors
/// [`LineError`] with the place: it is no UTF-8, no JSON object, no CloudEvent of version 1.0, or no event that a store takes.
///
/// ```
/// let line = br#"{"specversion":"1.0","id":"17","source":"shop","type":"order.placed","subject":"order-17","data":{"total":5}}"#;
/// let event = factlog_cloudevents::from_line(line)?.event;
/// assert_eq!((event.event_type.as_str(), &event.data[..]), ("order.placed", &br#"{"total":5}"#[..]));
/// # Ok::<(), factlog_cloudevents::LineError>(())
/// ```
pub fn from_line(line: &[u8]) -> Result<Incoming, LineError> {
    let text = std::str::from_utf8(line)
        .map_err(|error| LineError { byte: error.valid_up_to() as u64, reason: "it is not UTF-8".into() })?;
    let members: Members<'_> = serde_json::from_str(text).map_err(|error| LineError {
        byte: (error.column() as u64).saturating_sub(1),
        reason: without_place(&error),
    })?;
    event(members).map_err(|reason| LineError { byte: 0, reason })
}

fn event(mut members: Members<'_>) -> Result<Incoming, String> {
    // The format says that an attribute set to null is one that is not there; data may well be null.
    members.0.retain(|(name, value)| name == "data" || value.get() != "null");
    match required(&members, "specversion")?.as_ref() {
        "1.0" => {}
        other => return Err(format!("`specversion` is {other:?}; only \"1.0\" is known")),
    }
    let id = required(&members, "id")?;
    let source = required(&members, "source")?;
    let identity = identify(&source, &id);
    let content_type = content_type(&members)?;
    let event_type = EventType::new(required(&members, "type")?).map_err(|error| error.to_string())?;
    let stream =
        optional(&members, "subject")?.map(StreamId::new).transpose().map_err(|error| error.to_string())?;
    let origin = origin(&members)?;
    let (tags, foreign_tags) = tags(&members)?;
    let own_source =
        origin.is_some_and(|origin| source == store_source(origin.store)) && identity.says_it_all;
    let mut kept = members.clone();
    kept.0.retain(|(name, _)| match name.as_ref() {
        "id" => !identity.says_it_all,
        "source" => !own_source,
        "data_base64" | "factlogmeta" | "factlogmetabase64" => false,
        "sequence" | "recordedtime" | "storeid" => origin.is_none(),
        "tags" => foreign_tags,
        name => !RESERVED.contains(&name),
    });
    let event = Event {
        id: identity.id,
        event_type,
        tags,
        data: data(&members, content_type.as_str())?.into(),
        metadata: metadata(&members, &kept)?.into(),
        content_type,
        stream,
    };
    Ok(Incoming { event, origin })
}

/// The metadata said whole, or else made of the attributes.
fn metadata(members: &Members<'_>, kept: &Members<'_>) -> Result<Vec<u8>, String> {
    let whole = match (optional(members, "factlogmeta")?, optional(members, "factlogmetabase64")?) {
        (None, None) => return Ok(kept.canonical()),
        (Some(text), None) => text.into_owned().into_bytes(),
        (None, Some(text)) => {
            from_base64(&text).map_err(|reason| format!("`factlogmetabase64`: {reason}"))?
        }
        (Some(_), Some(_)) => return Err("`factlogmeta` and `factlogmetabase64` are both there".into()),
    };
    let said = serde_json::from_slice::<Members<'_>>(&whole).unwrap_or_default();
    let contradicts = |(name, value): &&(Cow<'_, str>, &RawValue)| {
        said.get(name).is_none_or(|said| said.get() != value.get())
    };
    match kept.0.iter().find(contradicts) {
        Some((name, _)) => Err(format!(
            "attribute `{name}` would be lost: `factlogmeta` is the whole metadata and says otherwise"
        )),
        None => Ok(whole),
    }
}

fn data(members: &Members<'_>, content_type: &str) -> Result<Vec<u8>, String> {
    match (members.get("data"), optional(members, "data_base64")?) {
        (None, None) => Ok(Vec::new()),
        (Some(raw), None) => from_json(raw, content_type),
        (None, Some(text)) => from_base64(&text).map_err(|reason| format!("`data_base64`: {reason}")),
        (Some(_), Some(_)) => Err("`data` and `data_base64` are both there".into()),
    }
}

fn content_type(members: &Members<'_>) -> Result<ContentType, String> {
    match optional(members, "datacontenttype")? {
        Some(text) => ContentType::new(&text).map_err(|error| error.to_string()),
        None if members.get("data_base64").is_some() => Ok(ContentType::BYTES),
        None => Ok(ContentType::JSON),
    }
}

/// The tags, and whether an attribute of that name is somebody else's and only kept.
fn tags(members: &Members<'_>) -> Result<(Tags, bool), String> {
    let Some(raw) = members.get("tags") else { return Ok((Tags::NONE, false)) };
    let list = match string(raw) {
        Some(text) => serde_json::from_str::<Vec<String>>(&text),
        None => serde_json::from_str::<Vec<String>>(raw.get()),
    };
    match list {
        Ok(list) => Tags::new(list).map(|tags| (tags, false)).map_err(|error| error.to_string()),
        Err(_) => Ok((Tags::NONE, true)),
    }
}

/// Where a factlog store recorded it. Only beside `storeid` are `sequence` and `recordedtime` ours.
fn origin(members: &Members<'_>) -> Result<Option<Origin>, String> {
    let Some(store) = members.text("storeid").and_then(|text| Uuid::try_parse(&text).ok()) else {
        return Ok(None);
    };
    let sequence = required(members, "sequence")?;
    let position = sequence.parse::<u64>().ok().and_then(Position::new);
    let position = position.ok_or_else(|| format!("`sequence` is {sequence:?}, which is no position"))?;
    Ok(Some(Origin { store, position }))
}

fn required<'a>(members: &Members<'a>, name: &str) -> Result<Cow<'a, str>, String> {
    match optional(members, name)? {
        Some(text) if !text.is_empty() => Ok(text),
        Some(_) => Err(format!("`{name}` is empty")),
        None => Err(format!("`{name}` is missing")),
    }
}

fn optional<'a>(members: &Members<'a>, name: &str) -> Result<Option<Cow<'a, str>>, String> {
    let Some(raw) = members.get(name) else { return Ok(None) };
    string(raw).map(Some).ok_or_else(|| format!("`{name}` is no string"))
}

/// The reason alone: a line has no lines of its own, and its place is said with the file's.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}
