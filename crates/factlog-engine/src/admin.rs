//! Looking after a store: streams, types and numbers, from the index.

use factlog_core::{
    Administration, BoxFuture, EventStore, Position, Result, Revision, Stats, StreamId, StreamInfo, TypeInfo,
};

use crate::engine::Engine;
use crate::shared::Shared;
use crate::storage;

impl Administration for Engine {
    fn streams(
        &self,
        prefix: &str,
        after: Option<StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        let prefix = prefix.to_owned();
        Box::pin(async move {
            self.shared().life.readable()?;
            let head = self.shared().head();
            let index = self.shared().index.read();
            let streams = index.streams(&prefix, after.as_ref());
            let infos = streams.filter_map(|(stream, positions)| info(stream, positions, head));
            Ok(infos.take(limit).collect())
        })
    }

    fn stream(&self, stream: StreamId) -> BoxFuture<'_, Result<Option<StreamInfo>>> {
        Box::pin(async move {
            self.shared().life.readable()?;
            let head = self.shared().head();
            Ok(info(&stream, self.shared().index.read().stream(&stream), head))
        })
    }

    fn types(&self) -> BoxFuture<'_, Result<Vec<TypeInfo>>> {
        Box::pin(async move {
            self.shared().life.readable()?;
            let head = self.shared().head();
            let index = self.shared().index.read();
            let counted = index.types().map(|(event_type, positions)| TypeInfo {
                event_type: event_type.clone(),
                events: visible(positions, head).len() as u64,
            });
            let mut types: Vec<_> = counted.filter(|info| 0 < info.events).collect();
            types.sort_unstable_by(|one, other| one.event_type.cmp(&other.event_type));
            Ok(types)
        })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats>> {
        Box::pin(async move {
            let head = self.head().await?;
            let bytes_on_disk = bytes_on_disk(self.shared())?;
            let lost = self.shared().damage.iter().filter_map(|damage| damage.lost());
            let lost: u64 = lost.map(|(first, last)| last - first + 1).sum();
            let last = Position::number(head.position);
            let (streams, types, tags) = self.shared().index.read().counts(last);
            Ok(Stats { events: last.saturating_sub(lost), streams, types, tags, head, bytes_on_disk })
        })
    }
}

/// The positions that are durable.
fn visible(positions: &[u64], head: u64) -> &[u64] {
    &positions[..positions.partition_point(|&position| position <= head)]
}

fn info(stream: &StreamId, positions: &[u64], head: u64) -> Option<StreamInfo> {
    let positions = visible(positions, head);
    let (first, last) = (positions.first()?, positions.last()?);
    Some(StreamInfo {
        stream: stream.clone(),
        events: positions.len() as u64,
        last_revision: Revision::new(positions.len() as u64 - 1),
        first_position: Position::new(*first)?,
        last_position: Position::new(*last)?,
    })
}

/// Bytes of all files of the store.
fn bytes_on_disk(shared: &Shared) -> Result<u64> {
    let Shared { disk, dir, .. } = shared;
    let mut bytes = 0;
    for dir in [dir.clone(), dir.join("wal"), dir.join("segments")] {
        for name in disk.list(&dir).map_err(|cause| storage::failed("list", &dir, cause))? {
            // Directories cannot be opened for writing, and files may be renamed meanwhile.
            bytes += disk.open(&dir.join(name)).and_then(|file| file.length()).unwrap_or(0);
        }
    }
    Ok(bytes)
}
