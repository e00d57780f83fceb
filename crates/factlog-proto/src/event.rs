//! Events and places, to the wire and back.

use factlog_core::{
    ContentType, Error, Event, EventId, EventType, Head, Position, Result, Revision, StreamId,
    StreamRevision, Tags, Timestamp, Tracking, TrackingSource,
};

use crate::v1;

/// A position that must be there.
pub(crate) fn position(what: &str, number: u64) -> Result<Position> {
    Position::new(number).ok_or_else(|| Error::invalid(format!("{what} is 0; positions are 1, 2, 3, ...")))
}

/// A position that may be absent, which 0 is not.
pub(crate) fn optional_position(what: &str, number: Option<u64>) -> Result<Option<Position>> {
    let Some(number) = number else { return Ok(None) };
    Position::new(number)
        .map(Some)
        .ok_or_else(|| Error::invalid(format!("{what} is 0; leave it out for nothing, or give 1, 2, 3, ...")))
}

/// A part of a message that must be there.
pub(crate) fn required<T>(what: &str, part: Option<T>) -> Result<T> {
    part.ok_or_else(|| Error::invalid(format!("{what} is missing; give one")))
}

impl From<Event> for v1::Event {
    fn from(event: Event) -> Self {
        Self {
            id: event.id.as_bytes().to_vec().into(),
            event_type: event.event_type.as_str().to_owned(),
            tags: event.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
            data: event.data,
            metadata: event.metadata,
            content_type: match event.content_type == ContentType::JSON {
                true => String::new(),
                false => event.content_type.as_str().to_owned(),
            },
            stream: event.stream.map(|stream| stream.as_str().to_owned()),
        }
    }
}

impl TryFrom<v1::Event> for Event {
    type Error = Error;

    fn try_from(event: v1::Event) -> Result<Self> {
        let id: [u8; 16] = event.id.as_ref().try_into().map_err(|_| {
            let length = event.id.len();
            Error::invalid(format!("event id has {length} bytes; give the 16 bytes of a UUID"))
        })?;
        Ok(Self {
            id: EventId::from_bytes(id),
            event_type: EventType::new(event.event_type)?,
            tags: Tags::new(event.tags)?,
            data: event.data,
            metadata: event.metadata,
            content_type: match event.content_type.as_str() {
                "" => ContentType::JSON,
                text => ContentType::new(text)?,
            },
            stream: event.stream.map(StreamId::new).transpose()?,
        })
    }
}

impl From<Head> for v1::Head {
    fn from(head: Head) -> Self {
        Self {
            position: head.position.map(Position::get),
            recorded_at_micros: head.recorded_at.map(Timestamp::as_micros),
        }
    }
}

impl TryFrom<v1::Head> for Head {
    type Error = Error;

    fn try_from(head: v1::Head) -> Result<Self> {
        Ok(Self {
            position: optional_position("the head", head.position)?,
            recorded_at: head.recorded_at_micros.map(Timestamp::from_micros),
        })
    }
}

impl From<Tracking> for v1::Tracking {
    fn from(tracking: Tracking) -> Self {
        Self { source: tracking.source.as_str().to_owned(), position: tracking.position.get() }
    }
}

impl TryFrom<v1::Tracking> for Tracking {
    type Error = Error;

    fn try_from(tracking: v1::Tracking) -> Result<Self> {
        Ok(Self {
            source: TrackingSource::new(tracking.source)?,
            position: position("the position of a tracking", tracking.position)?,
        })
    }
}

impl From<StreamRevision> for v1::StreamRevision {
    fn from(place: StreamRevision) -> Self {
        Self { stream: place.stream.as_str().to_owned(), revision: place.revision.get() }
    }
}

impl TryFrom<v1::StreamRevision> for StreamRevision {
    type Error = Error;

    fn try_from(place: v1::StreamRevision) -> Result<Self> {
        Ok(Self { stream: StreamId::new(place.stream)?, revision: Revision::new(place.revision) })
    }
}
