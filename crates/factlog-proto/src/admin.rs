//! Lists and numbers of a store, to the wire and back.

use std::time::Duration;

use factlog_core::{
    Error, EventType, Position, ProjectionInfo, Result, Revision, Stats, StreamId, StreamInfo, Timestamp,
    TypeInfo,
};

use uuid::Uuid;

use crate::event::{optional_position, position, required};
use crate::v1;

impl From<StreamInfo> for v1::StreamInfo {
    fn from(info: StreamInfo) -> Self {
        Self {
            stream: info.stream.as_str().to_owned(),
            events: info.events,
            last_revision: info.last_revision.get(),
            first_position: info.first_position.get(),
            last_position: info.last_position.get(),
        }
    }
}

impl TryFrom<v1::StreamInfo> for StreamInfo {
    type Error = Error;

    fn try_from(info: v1::StreamInfo) -> Result<Self> {
        Ok(Self {
            stream: StreamId::new(info.stream)?,
            events: info.events,
            last_revision: Revision::new(info.last_revision),
            first_position: position("the first position of a stream", info.first_position)?,
            last_position: position("the last position of a stream", info.last_position)?,
        })
    }
}

impl From<TypeInfo> for v1::TypeInfo {
    fn from(info: TypeInfo) -> Self {
        Self { event_type: info.event_type.as_str().to_owned(), events: info.events }
    }
}

impl TryFrom<v1::TypeInfo> for TypeInfo {
    type Error = Error;

    fn try_from(info: v1::TypeInfo) -> Result<Self> {
        Ok(Self { event_type: EventType::new(info.event_type)?, events: info.events })
    }
}

impl From<ProjectionInfo> for v1::ProjectionInfo {
    fn from(info: ProjectionInfo) -> Self {
        Self {
            name: info.name,
            state: info.state,
            well: info.well,
            applied: info.applied.map(Position::get),
            advanced_at_micros: info.advanced_at.map(Timestamp::as_micros),
            lag_events: info.lag_events,
            lag_micros: u64::try_from(info.lag.as_micros()).unwrap_or(u64::MAX),
            parked: info.parked,
            problem: info.problem,
        }
    }
}

impl TryFrom<v1::ProjectionInfo> for ProjectionInfo {
    type Error = Error;

    fn try_from(info: v1::ProjectionInfo) -> Result<Self> {
        Ok(Self {
            name: info.name,
            state: info.state,
            well: info.well,
            applied: optional_position("what a projection has applied", info.applied)?,
            advanced_at: info.advanced_at_micros.map(Timestamp::from_micros),
            lag_events: info.lag_events,
            lag: Duration::from_micros(info.lag_micros),
            parked: info.parked,
            problem: info.problem,
        })
    }
}

impl From<Stats> for v1::Stats {
    fn from(stats: Stats) -> Self {
        Self {
            events: stats.events,
            streams: stats.streams,
            types: stats.types,
            tags: stats.tags,
            head: Some(stats.head.into()),
            bytes_on_disk: stats.bytes_on_disk,
            store: stats.store.map(|store| store.into_bytes().to_vec()),
        }
    }
}

impl TryFrom<v1::Stats> for Stats {
    type Error = Error;

    fn try_from(stats: v1::Stats) -> Result<Self> {
        Ok(Self {
            events: stats.events,
            streams: stats.streams,
            types: stats.types,
            tags: stats.tags,
            head: required("the head of the numbers", stats.head)?.try_into()?,
            bytes_on_disk: stats.bytes_on_disk,
            store: stats.store.map(|store| identity(&store)).transpose()?,
        })
    }
}

fn identity(bytes: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|error| {
        Error::invalid(format!("a store's id has 16 bytes, not {}", bytes.len())).because(error)
    })
}
