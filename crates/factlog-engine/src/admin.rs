//! Looking after a store: streams, types and numbers, from the index.
//!
//! Lists are merged from the keys of all runs and generations, which each has in order. Counting streams adds up what
//! runs know; counting tags goes over every tag.

use factlog_core::{
    Administration, BoxFuture, EventStore, EventType, Position, Result, Revision, Stats, StreamId,
    StreamInfo, TypeInfo,
};

use crate::engine::Engine;
use crate::listing::Summary;
use crate::shared::Shared;
use crate::storage;
use crate::tail::Kind;

impl Administration for Engine {
    fn streams(
        &self,
        prefix: &str,
        after: Option<StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        let prefix = prefix.to_owned();
        Box::pin(async move {
            self.listable()?;
            self.shared().listed(Kind::Stream, &prefix, after.as_ref().map(StreamId::as_str), |keys| {
                let mut found = Vec::new();
                while found.len() < limit
                    && let Some((name, summary)) = keys.next()?
                {
                    found.extend(info(&name, &summary));
                }
                Ok(found)
            })
        })
    }

    fn stream(&self, stream: StreamId) -> BoxFuture<'_, Result<Option<StreamInfo>>> {
        Box::pin(async move {
            self.listable()?;
            let summary = self.shared().summary_of(&stream)?;
            Ok(summary.and_then(|summary| info(stream.as_str(), &summary)))
        })
    }

    fn types(&self) -> BoxFuture<'_, Result<Vec<TypeInfo>>> {
        Box::pin(async move {
            self.listable()?;
            self.shared().listed(Kind::Type, "", None, |keys| {
                let mut types = Vec::new();
                while let Some((name, summary)) = keys.next()? {
                    let Ok(event_type) = EventType::new(name) else { continue };
                    types.push(TypeInfo { event_type, events: summary.count });
                }
                Ok(types)
            })
        })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats>> {
        Box::pin(async move {
            let head = self.head().await?;
            let bytes_on_disk = bytes_on_disk(self.shared())?;
            let lost = self.shared().damage.iter().filter_map(|damage| damage.lost());
            let lost: u64 = lost.map(|(first, last)| last - first + 1).sum();
            let events = Position::number(head.position).saturating_sub(lost);
            let count = |kind| self.shared().listed(kind, "", None, |keys| keys.count());
            let (types, tags) = (count(Kind::Type)?, count(Kind::Tag)?);
            let streams = self.shared().stream_count()?;
            let store = Some(self.id());
            Ok(Stats { events, streams, types, tags, head, bytes_on_disk, store })
        })
    }
}

impl Engine {
    /// Whether a list can be told: where unsealed events are lost, nobody knows what they would add to it.
    fn listable(&self) -> Result<()> {
        self.shared().life.readable()?;
        self.shared().lost_unsealed().map_or(Ok(()), |damage| Err(damage.to_error()))
    }
}

fn info(name: &str, summary: &Summary) -> Option<StreamInfo> {
    Some(StreamInfo {
        stream: StreamId::new(name).ok()?,
        events: summary.count,
        last_revision: Revision::new(summary.count.checked_sub(1)?),
        first_position: Position::new(summary.first)?,
        last_position: Position::new(summary.last)?,
    })
}

/// Bytes of all files of the store.
fn bytes_on_disk(shared: &Shared) -> Result<u64> {
    let Shared { disk, dir, .. } = shared;
    let mut bytes = 0;
    for dir in [dir.clone(), dir.join("wal"), dir.join("segments"), dir.join("index")] {
        for name in storage::list_if_any(&**disk, &dir)? {
            // Directories cannot be opened for writing, and files may be renamed meanwhile.
            bytes += disk.open(&dir.join(name)).and_then(|file| file.length()).unwrap_or(0);
        }
    }
    Ok(bytes)
}
