//! Taking the tail's records in, one after the other: the generation grows, what does not fit is damage.

use std::collections::HashMap;

use factlog_core::{EventId, Position, TrackingSource};
use uuid::Uuid;

use crate::damage::Damage;
use crate::fields::Malformed;
use crate::ledger::Commit;
use crate::manifest::Manifest;
use crate::record::{self, ContentHash};
use crate::tail::Inserter;
use crate::verify::Progress;

/// Takes records in order, whatever they lie in.
pub(super) struct Loader<'a> {
    pub(super) store: Uuid,
    pub(super) sealed: u64,
    /// The manifest's epoch, or a later one that was seen.
    pub(super) newest_epoch: u64,
    pub(super) tail: Inserter,
    pub(super) last_time: Option<i64>,
    pub(super) tracking: HashMap<TrackingSource, Position>,
    pub(super) damage: Vec<Damage>,
    /// The position that must come next.
    pub(super) next: u64,
    append: Option<OpenAppend>,
    /// Whether events are missing, so that revisions cannot be counted any more.
    holes: bool,
    progress: &'a mut dyn FnMut(Progress),
    bytes_done: u64,
    pub(super) bytes_total: u64,
}

/// An append of which some records were seen.
struct OpenAppend {
    id: EventId,
    first: u64,
    count: u32,
    content: ContentHash,
}

impl<'a> Loader<'a> {
    pub(super) fn new(store: Uuid, manifest: &Manifest, progress: &'a mut dyn FnMut(Progress)) -> Self {
        let sealed = manifest.sealed();
        Self {
            store,
            sealed,
            newest_epoch: manifest.epoch,
            tail: Inserter::new(sealed + 1, crate::checksum::seed_of(store)),
            last_time: manifest.segments.last().map(|segment| segment.last_recorded_at),
            tracking: manifest.tracking.iter().map(|(source, at)| (source.clone(), *at)).collect(),
            damage: Vec::new(),
            next: sealed + 1,
            append: None,
            holes: false,
            progress,
            bytes_done: 0,
            bytes_total: 0,
        }
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.bytes_done += bytes;
        self.bytes_total = self.bytes_total.max(self.bytes_done);
        (self.progress)(Progress { bytes_done: self.bytes_done, bytes_total: self.bytes_total });
    }

    /// Takes in the next record.
    pub(super) fn record(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let (recorded, boundary) = record::decode(bytes)?;
        let (position, time) = (recorded.position.get(), recorded.recorded_at.as_micros());
        if position != self.next {
            return Err(Malformed("a position is not the next one"));
        }
        if self.tail.generation().ordinal(position).is_none() {
            return Err(Malformed("it lies too far behind what is missing to be taken in"));
        }
        if self.last_time.is_some_and(|last| time < last) {
            return Err(Malformed("a time is before the one in front of it"));
        }
        let stored = recorded.revision.map_or(0, factlog_core::Revision::get);
        // What the stream had before the tail is what its first event here says.
        let revision = self.tail.add(position, &recorded.event, || stored);
        if !self.holes && stored != revision {
            return Err(Malformed("a revision is not the next one of its stream"));
        }
        self.next = position + 1;
        self.last_time = Some(time);
        if boundary.first {
            let (count, content) = (0, ContentHash::new());
            self.append = Some(OpenAppend { id: recorded.event.id, first: position, count, content });
        }
        if let Some(append) = &mut self.append {
            append.count += 1;
            append.content.add(bytes);
        }
        if boundary.last
            && let Some(OpenAppend { id, first, count, content }) = self.append.take()
        {
            self.tail.add_commit(&id, Commit { first, count, content: content.finish() });
        }
        Ok(())
    }

    pub(super) fn lose(&mut self, damage: Damage) {
        self.append = None;
        if damage.lost().is_some() {
            self.holes = true;
            // It may have told more; only what is told behind it is sure.
            if !planted!(TrackingPassesOverHole) {
                self.tracking.clear();
            }
        }
        self.damage.push(damage);
    }
}
