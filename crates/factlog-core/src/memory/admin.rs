//! Looking after the reference store, by scanning it.

use std::collections::BTreeMap;

use super::MemoryStore;
use super::log::Log;
use crate::{Administration, BoxFuture, EventType, Result, Stats, StreamId, StreamInfo, TypeInfo};

impl Administration for MemoryStore {
    fn streams(
        &self,
        prefix: &str,
        after: Option<StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        let prefix = prefix.to_owned();
        self.inspect(move |log| {
            let streams = log.stream_infos().into_values();
            let wanted = streams.filter(|info| {
                info.stream.as_str().starts_with(&prefix)
                    && after.as_ref().is_none_or(|after| *after < info.stream)
            });
            wanted.take(limit).collect()
        })
    }

    fn stream(&self, stream: StreamId) -> BoxFuture<'_, Result<Option<StreamInfo>>> {
        self.inspect(move |log| log.stream_infos().remove(&stream))
    }

    fn types(&self) -> BoxFuture<'_, Result<Vec<TypeInfo>>> {
        self.inspect(|log| {
            log.type_counts()
                .into_iter()
                .map(|(event_type, events)| TypeInfo { event_type, events })
                .collect()
        })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats>> {
        self.inspect(|log| {
            let tags: std::collections::HashSet<_> =
                log.events.iter().flat_map(|recorded| &recorded.event.tags).collect();
            Stats {
                events: log.events.len() as u64,
                streams: log.streams.len() as u64,
                types: log.type_counts().len() as u64,
                tags: tags.len() as u64,
                head: log.head_with_time(),
                bytes_on_disk: 0,
                store: None,
            }
        })
    }
}

impl Log {
    fn stream_infos(&self) -> BTreeMap<StreamId, StreamInfo> {
        let mut streams = BTreeMap::new();
        for recorded in &self.events {
            let (Some(stream), Some(revision)) = (&recorded.event.stream, recorded.revision) else {
                continue;
            };
            let info = streams.entry(stream.clone()).or_insert_with(|| StreamInfo {
                stream: stream.clone(),
                events: 0,
                last_revision: revision,
                first_position: recorded.position,
                last_position: recorded.position,
            });
            info.events += 1;
            info.last_revision = revision;
            info.last_position = recorded.position;
        }
        streams
    }

    fn type_counts(&self) -> BTreeMap<EventType, u64> {
        let mut counts = BTreeMap::new();
        for recorded in &self.events {
            *counts.entry(recorded.event.event_type.clone()).or_default() += 1;
        }
        counts
    }
}
