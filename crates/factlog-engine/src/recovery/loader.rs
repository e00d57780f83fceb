//! Taking records in, one after the other, whatever they lie in: the index grows, what does not fit is damage.

use factlog_core::EventId;
use uuid::Uuid;

use crate::damage::Damage;
use crate::fields::Malformed;
use crate::index::{Commit, Index};
use crate::record::{self, ContentHash};
use crate::records::Records;
use crate::verify::Progress;

/// Takes records in order, whatever they lie in.
pub(super) struct Loader<'a> {
    pub(super) store: Uuid,
    pub(super) sealed: u64,
    /// The manifest's epoch, or a later one that was seen.
    pub(super) newest_epoch: u64,
    pub(super) index: Index,
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
    pub(super) fn new(store: Uuid, sealed: u64, progress: &'a mut dyn FnMut(Progress)) -> Self {
        let (index, damage) = (Index::default(), Vec::new());
        Self {
            store,
            sealed,
            newest_epoch: 0,
            index,
            damage,
            next: 1,
            append: None,
            holes: false,
            progress,
            bytes_done: 0,
            bytes_total: 0,
        }
    }

    /// What comes next does not continue what came before.
    pub(super) fn break_off(&mut self) {
        self.append = None;
    }

    pub(super) fn advance(&mut self, bytes: u64) {
        self.bytes_done += bytes;
        self.bytes_total = self.bytes_total.max(self.bytes_done);
        (self.progress)(Progress { bytes_done: self.bytes_done, bytes_total: self.bytes_total });
    }

    /// Takes in the records of a block.
    pub(super) fn block(&mut self, records: &Records, file: &str, problems: &mut Vec<Damage>) {
        if records.first != self.next {
            // The blocks between were damaged; the segment's scan says so.
            self.next = records.first;
            self.append = None;
            self.holes = true;
        }
        for position in records.first..=records.last() {
            let taken = records.record(position).and_then(|bytes| self.record(bytes));
            if let Err(malformed) = taken {
                problems.push(Damage::new(file, 0, (position, position), malformed.to_string()));
                self.next = position + 1;
                self.append = None;
                self.holes = true;
            }
        }
    }

    /// Takes in the next record.
    pub(super) fn record(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let (recorded, boundary) = record::decode(bytes)?;
        let (position, time) = (recorded.position.get(), recorded.recorded_at.as_micros());
        if position != self.next {
            return Err(Malformed("a position is not the next one"));
        }
        if self.index.last_time().is_some_and(|last| time < last) {
            return Err(Malformed("a time is before the one in front of it"));
        }
        let revision = self.index.add(position, time, &recorded.event);
        if !self.holes && recorded.revision.is_some_and(|stored| stored.get() != revision) {
            return Err(Malformed("a revision is not the next one of its stream"));
        }
        self.next = position + 1;
        if boundary.first {
            self.append = Some(OpenAppend {
                id: recorded.event.id,
                first: position,
                count: 0,
                content: ContentHash::new(),
            });
        }
        if let Some(append) = &mut self.append {
            append.count += 1;
            append.content.add(bytes);
        }
        if boundary.last
            && let Some(OpenAppend { id, first, count, content }) = self.append.take()
        {
            self.index.add_commit(id, Commit { first, count, content: content.finish() });
        }
        Ok(())
    }

    pub(super) fn lose(&mut self, damage: Damage) {
        self.append = None;
        self.holes |= damage.lost().is_some();
        self.damage.push(damage);
    }
}
