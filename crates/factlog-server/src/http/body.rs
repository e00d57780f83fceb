//! The body of an append: one event, a list, an object with conditions, or an event a line.
//!
//! * It is read whole, [`BODY_BYTES_MAX`] at most, and decoded whole before anything is appended: a bad line loses nothing.
//! * Whoever sends it must name its type. A page of a web site can send a body without one here unasked.

use super::conditions::Wrapper;
use super::ids::Ids;
use super::json::{AtMost, event, malformed};
use super::problem::Problem;
use crate::listen::Broken;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use factlog_cloudevents::Members;
use factlog_core::{AppendCondition, Event, Tracking, limits};
use factlog_proto::failure_of;
use futures_util::StreamExt as _;
use serde_json::value::RawValue;

/// Bytes of the largest body: 96 MiB. The largest append of the contract, its data in base64, is smaller.
pub(crate) const BODY_BYTES_MAX: usize = 96 << 20;

const _: () = assert!(limits::APPEND_BYTES_MAX / 3 * 4 + (8 << 20) < BODY_BYTES_MAX);

/// How events stand in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON value.
    Json,
    /// One JSON object a line.
    Lines,
}

/// What a body asks to be written.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) events: Vec<Event>,
    pub(crate) conditions: Vec<AppendCondition>,
    pub(crate) tracking: Option<Tracking>,
}

impl Form {
    /// What the headers say.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let unsupported = |what: String| Problem::invalid(what).status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(unsupported("compressed bodies are not taken; send it as it is".to_owned()));
        }
        let text = headers.get(header::CONTENT_TYPE).map_or(Ok(""), HeaderValue::to_str).unwrap_or("?");
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" | "application/cloudevents+json" | "application/cloudevents-batch+json" => {
                Ok(Self::Json)
            }
            "application/x-ndjson" => Ok(Self::Lines),
            other => Err(unsupported(format!(
                "the content type is {other:?}; send application/json or application/x-ndjson"
            ))),
        }
    }
}

/// The whole body.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    read_up_to(BODY_BYTES_MAX, headers, body).await
}

/// The whole body, of so many bytes at most.
pub(crate) async fn read_up_to(most: usize, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        Problem::invalid(format!("the body has more than {most} bytes; send it in parts"))
            .status(StatusCode::PAYLOAD_TOO_LARGE)
            .with("max_bytes", most)
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| most < length) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| broke_off(&error))?;
        if most < bytes.len() + chunk.len() {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Why a body did not come whole: it was not taken, or its sender is gone.
fn broke_off(error: &axum::Error) -> Problem {
    let broken = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Broken>());
    match broken {
        Some(Broken { status, http }) => Problem::from(failure_of(status)).status(*http),
        None => Problem::invalid(format!("the body broke off: {error}")),
    }
}

/// Reads a body.
///
/// # Errors
/// What is wrong, with its place: `line` and `column`, or the `index` of the event in its list.
pub(crate) fn decode(form: Form, body: &[u8], ids: &Ids) -> Result<Decoded, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let line = 1 + body[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        Problem::invalid("the body is no UTF-8").with("line", line)
    })?;
    let events = match (form, text.trim_ascii_start().as_bytes().first()) {
        (Form::Lines, _) => lines(text, ids)?,
        (Form::Json, Some(b'[')) => list(&parsed(text)?, ids)?,
        (Form::Json, _) => {
            let members: Members<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
            if members.get("events").is_some() {
                let wrapper: Wrapper<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
                let events = list(&wrapper.events, ids)?;
                let (conditions, tracking) = wrapper.conditions()?;
                return Ok(Decoded { events, conditions, tracking });
            }
            vec![event(text, || ids.id(0))?]
        }
    };
    Ok(Decoded { events, ..Decoded::default() })
}

/// Events as they stand in a list.
pub(crate) type List<'a> = AtMost<&'a RawValue, { limits::APPEND_EVENTS_MAX }>;

fn parsed(text: &str) -> Result<List<'_>, Problem> {
    serde_json::from_str(text).map_err(|error| malformed(&error))
}

fn list(list: &List<'_>, ids: &Ids) -> Result<Vec<Event>, Problem> {
    let one = |(index, raw): (usize, &&RawValue)| {
        event(raw.get(), || ids.id(index))
            .map_err(|problem| problem.about(&format!("event {index}")).with("index", index))
    };
    list.0.iter().enumerate().map(one).collect()
}

fn lines(text: &str, ids: &Ids) -> Result<Vec<Event>, Problem> {
    let mut events = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let number = number + 1;
        let place = |problem: Problem| problem.about(&format!("line {number}")).with("line", number);
        if limits::APPEND_EVENTS_MAX <= events.len() {
            let most = limits::APPEND_EVENTS_MAX;
            return Err(place(Problem::invalid(format!("more than {most} events in one append"))));
        }
        events.push(event(line, || ids.id(events.len())).map_err(place)?);
    }
    Ok(events)
}
