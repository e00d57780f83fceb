//! `traceparent`, by the form of the W3C (Trace Context, level 1), and how it is stored with events, `tracestate` beside it.
//!
//! * What is malformed, or there twice, is as if it were not there: so the W3C has it.
//! * The same append with the same ids is a repeat only if its content is the same, and a retry carries another
//!   `traceparent`. Therefore it is stored unasked only where a repeat is none anyway: in events that all get new ids here.

use axum::body::Bytes;
use axum::http::HeaderMap;
use factlog_cloudevents::Members;
use factlog_core::{Error, Event, limits};

use super::state;

/// The header, and the member of the metadata.
const PARENT: &str = "traceparent";
/// The member beside it.
const STATE: &str = "tracestate";
/// The header by which a caller asks for it, or asks that it be left out.
const ASKED: &str = "factlog-store-traceparent";

/// A valid one, in the form of version 00.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    parent: String,
    /// What tracers say besides, which means nothing without it.
    state: Option<String>,
}

impl TraceParent {
    /// The caller's, if there is one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut said = headers.get_all(PARENT).iter();
        let (Some(one), None) = (said.next(), said.next()) else { return None };
        let parent = Self::parse(one.to_str().ok()?)?;
        Some(Self { state: state::of(headers), ..parent })
    }

    /// The caller's, if it is to be stored: `new_ids` says whether all events of the append get their ids here.
    ///
    /// # Errors
    /// `Invalid` for a wish that is neither `true` nor `false`.
    pub(crate) fn to_store(headers: &HeaderMap, new_ids: bool) -> Result<Option<Self>, Error> {
        let store = match headers.get(ASKED).map(|value| value.as_bytes()) {
            None => new_ids,
            Some(b"true") => true,
            Some(b"false") => false,
            Some(_) => return Err(Error::invalid(format!("{ASKED} is neither true nor false"))),
        };
        Ok(if store { Self::of(headers) } else { None })
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let known = text.get(..55)?;
        let [version, trace, parent, flags] = known.split('-').collect::<Vec<_>>().try_into().ok()?;
        let hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let well = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
        let nothing = |part: &str| part.bytes().all(|byte| byte == b'0');
        if !well || version == "ff" || nothing(trace) || nothing(parent) {
            return None;
        }
        let valid = |parent: String| Some(Self { parent, state: None });
        match (version, &text[55..]) {
            ("00", "") => valid(known.to_owned()),
            ("00", _) => None,
            // A later version may say more; what is known of it has this form.
            (_, more) if more.is_empty() || more.starts_with('-') => {
                let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
                valid(format!("00-{trace}-{parent}-{sampled:02x}"))
            }
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.parent
    }

    /// What tracers say besides.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The part that all spans of one trace share.
    pub(crate) fn trace_id(&self) -> &str {
        &self.parent[3..35]
    }

    /// Puts it into the metadata of events that have none of their own, as the members that CloudEvents calls so.
    pub(crate) fn put_into(&self, events: &mut [Event]) {
        let parent = format!("\"{PARENT}\":\"{}\"", self.parent);
        let state = self.state.as_ref().map(|state| {
            let text = serde_json::to_string(state).expect("a string can always be written");
            format!("{parent},\"{STATE}\":{text}")
        });
        for event in events {
            let beside = |members: &String| beside(&event.metadata, members);
            // Where there is no room for both, the one that tells the trace.
            if let Some(metadata) = state.as_ref().and_then(beside).or_else(|| beside(&parent)) {
                event.metadata = metadata;
            }
        }
    }
}

/// This metadata with more members; `None` where it is no JSON object, has one of them, or would have no room.
fn beside(metadata: &[u8], more: &str) -> Option<Bytes> {
    if metadata.is_empty() {
        return Some(format!("{{{more}}}").into());
    }
    let members: Members<'_> = serde_json::from_slice(metadata).ok()?;
    if members.get(PARENT).or(members.get(STATE)).is_some() {
        return None;
    }
    let open = metadata.trim_ascii_end().strip_suffix(b"}")?;
    let comma = if members.0.is_empty() { "" } else { "," };
    let text = [open, comma.as_bytes(), more.as_bytes(), b"}"].concat();
    (text.len() <= limits::METADATA_BYTES_MAX).then(|| text.into())
}
