//! A stage: records that become one commit, with the instances as they are after them.
//!
//! * One append holds all of them, together with how far the inputs are handled. It takes effect as a whole or not at
//!   all, under two conditions: no runner has written a record that this one has not folded, and each instance's
//!   stream is as this one knows it, so that an operator's act is not overlooked. How far inputs are handled only has
//!   to grow, which alone would let a runner that fell behind handle again what another one has handled.
//! * Nothing that is staged changes the book before the append has.

use std::collections::BTreeMap;

use factlog_core::{
    Append, AppendCondition, Appended, Event as RawEvent, EventId, ExpectedRevision, Position, Revision,
    StreamId, Tracking,
};

use super::book::Book;
use super::instance::{Instance, Place};
use super::names::Names;
use super::record::Entry;
use super::runner::Landed;
use crate::Metadata;
use crate::metadata::{CAUSATION, CORRELATION};

/// Records of one commit, at most; those of inputs and those of commands together.
const RECORDS_MAX: usize = 256;
/// Bytes after which a commit is not added to.
const BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Stage {
    staged: Vec<Staged>,
    bytes: usize,
    touched: BTreeMap<StreamId, Instance>,
    /// The revision of each stream before.
    base: BTreeMap<StreamId, Option<Revision>>,
    /// How many delivered events are dealt with by this.
    pub(super) taken: usize,
    /// The last of them.
    pub(super) through: Option<Position>,
    /// Outcomes of commands that are recorded by this.
    pub(super) landed: Vec<Landed>,
}

#[derive(Debug)]
struct Staged {
    stream: StreamId,
    entry: Entry,
    event: RawEvent,
    correlation: Option<String>,
}

/// What a record follows from.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    pub(super) causation: Option<EventId>,
    pub(super) correlation: Option<String>,
}

impl Stage {
    pub(super) fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        RECORDS_MAX <= self.staged.len() || BYTES_MAX <= self.bytes
    }

    /// The instance as it is after what is staged.
    pub(super) fn instance(&self, stream: &StreamId) -> Option<&Instance> {
        self.touched.get(stream)
    }

    /// Takes an instance along, as it is in the book or in the log.
    pub(super) fn touch(&mut self, stream: StreamId, instance: Instance) {
        self.touched.entry(stream).or_insert(instance);
    }

    /// Whether a record of this stream is staged.
    pub(super) fn writes(&self, stream: &StreamId) -> bool {
        self.base.contains_key(stream)
    }

    /// Adds a record; its instance, if it is about one, was touched before.
    pub(super) fn push(&mut self, names: &Names, entry: Entry, id: EventId, origin: Origin) {
        let mut about = Metadata::default();
        if let Some(causation) = origin.causation {
            about.set(CAUSATION, causation.to_string());
        }
        if let Some(correlation) = &origin.correlation {
            about.set(CORRELATION, correlation.clone());
        }
        let event = entry.encode(names, id, &about);
        self.bytes += event.size();
        let stream = entry.stream(names);
        if let Some(instance) = self.touched.get_mut(&stream) {
            self.base.entry(stream.clone()).or_insert(instance.revision);
            let revision = instance.revision.map_or(Revision::FIRST, Revision::next);
            // Nothing that is decided within one commit depends on where it will be.
            let place =
                Place { position: Position::MAX, revision, id, correlation: origin.correlation.clone() };
            instance.apply(&entry, &place);
        }
        self.staged.push(Staged { stream, entry, event, correlation: origin.correlation });
    }

    /// What to append, by who has folded all records up to `folded`.
    pub(super) fn append(
        &self,
        names: &Names,
        tracked: Option<Position>,
        folded: Option<Position>,
    ) -> Append {
        let alone = AppendCondition::none_match(names.runners(), folded);
        let mut append = Append::new(self.staged.iter().map(|staged| staged.event.clone())).when(alone);
        for (stream, revision) in &self.base {
            let expected = revision.map_or(ExpectedRevision::NoStream, ExpectedRevision::At);
            append = append.when(AppendCondition::revision(stream.clone(), expected));
        }
        match self.through {
            Some(position) if tracked < Some(position) => {
                append.tracking(Tracking { source: names.source.clone(), position })
            }
            _ => append,
        }
    }

    /// Writes into the book what has been appended.
    pub(super) fn settle(self, book: &mut Book, appended: &Appended) {
        let mut next = self.base;
        let mut position = appended.first;
        for staged in self.staged {
            if let Some(revision) = next.get_mut(&staged.stream) {
                let own = revision.map_or(Revision::FIRST, Revision::next);
                *revision = Some(own);
                let (id, correlation) = (staged.event.id, staged.correlation);
                book.apply(
                    &staged.stream,
                    &staged.entry,
                    &Place { position, revision: own, id, correlation },
                );
            }
            position = position.next();
        }
    }
}
