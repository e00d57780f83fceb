//! Asking the index: which run answers for a position, and what happens when it cannot.
//!
//! Index files are derived from segments. A run that turns out damaged is marked and goes on answering where it is
//! whole; whoever needs what it lost waits while the run over that one segment is built again. Nobody who reads by
//! position notices.

use std::collections::HashMap;
use std::sync::Arc;

use factlog_core::{Error, EventId, Result, StreamId};

use crate::damage::Damage;
use crate::ledger::{Commit, Recorded};
use crate::record;
use crate::run::{self, Run, Wrong, keys};
use crate::shared::Shared;
use crate::storage;
use crate::view::Slot;

/// A run and the positions it answers for.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) run: Arc<Run>,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Shared {
    /// Asks the run that covers a sealed position. A damaged one is rebuilt and asked again; without `trust`, one that
    /// is known to be damaged is not asked at all.
    ///
    /// # Errors
    /// `Corrupt` when the segment that the run is built from is damaged too; `Unavailable` when the disk refuses.
    pub(crate) fn ask_run<T>(
        &self,
        position: u64,
        mut trust: bool,
        mut ask: impl FnMut(&Arc<Run>) -> Result<T, Wrong>,
    ) -> Result<(T, Piece)> {
        loop {
            let piece = self.piece(position, trust)?;
            match ask(&piece.run) {
                Ok(answer) => return Ok((answer, piece)),
                Err(wrong) => self.wound(&piece.run, &wrong)?,
            }
            if !trust {
                return Err(unreadable_again(position));
            }
            trust = false;
        }
    }

    /// The run that answers for a sealed position: one that was rebuilt for its segment before one that is wounded.
    fn piece(&self, position: u64, trust: bool) -> Result<Piece> {
        let view = self.view();
        let after = view.slots.partition_point(|slot| slot.first <= position);
        let slot = view.slots[..after].last().filter(|slot| position <= slot.last);
        let (Some(slot), Some(segment)) = (slot, view.segment_of(position)) else {
            return Err(self.unreadable(position));
        };
        let part = slot.part(segment.entry.first);
        if let Some(run) = &slot.run
            && (!slot.wounded || (trust && part.is_none()))
        {
            return Ok(Piece { run: run.clone(), first: slot.first, last: slot.last });
        }
        let run = part.map_or_else(|| self.rebuild(&segment), |part| Ok(part.clone()))?;
        Ok(Piece { run, first: segment.entry.first, last: segment.entry.last })
    }

    /// Remembers that a run has a damaged page, so that it is built again.
    ///
    /// # Errors
    /// What is no damage but a refusal of the disk.
    pub(crate) fn wound(&self, run: &Arc<Run>, wrong: &Wrong) -> Result<()> {
        let path = run::relative_path(run.name());
        let Wrong::Malformed { offset, what } = wrong else {
            let cause = std::io::Error::other(wrong.to_string());
            return Err(storage::failed("read", &self.dir.join(&path), cause));
        };
        self.change_slot(run, |slot| slot.wounded = true);
        self.tell_of_damage(path, *offset, what.0);
        Ok(())
    }

    /// Lets nobody ask a run any more that is whole and does not tell the truth.
    pub(crate) fn distrust(&self, run: &Arc<Run>) {
        self.change_slot(run, |slot| slot.run = None);
        self.tell_of_damage(run::relative_path(run.name()), 0, "it does not hold what it says");
    }

    /// Changes the slot whose run this is. A part is built again; where it is neither, somebody was faster.
    fn change_slot(&self, run: &Arc<Run>, change: impl FnOnce(&mut Slot)) {
        self.change_view(|view| {
            let name = run.name();
            let slot = view.slots.iter().find(|slot| slot.first <= name.first && name.last <= slot.last)?;
            let mut slot = slot.clone();
            slot.parts.retain(|part| !Arc::ptr_eq(part, run));
            if slot.run.as_ref().is_some_and(|known| Arc::ptr_eq(known, run)) {
                change(&mut slot);
            }
            Some(view.with_slots(slot.first, slot.last, [slot]))
        });
    }

    fn tell_of_damage(&self, path: String, offset: u64, what: &str) {
        let what = format!("{what}; the index is built again from the log");
        self.note(Damage::new(path, offset, (1, 0), what));
        self.background.wake();
    }

    /// How many events a stream has up to the last sealed position of the view at hand, and that position.
    pub(crate) fn sealed_count(&self, stream: &StreamId, sealed: u64) -> Result<u64> {
        let key = keys::stream(stream);
        let mut position = sealed;
        while 0 < position {
            let (found, piece) = self.ask_run(position, true, |run| run.find(&key))?;
            if let Some(found) = found {
                return Ok(found.base + found.count);
            }
            position = piece.first - 1;
        }
        Ok(0)
    }

    /// Where a stream's event of a revision lies, if the stream has it up to `head`.
    pub(crate) fn position_of_revision(
        &self,
        stream: &StreamId,
        revision: u64,
        head: u64,
    ) -> Result<Option<u64>> {
        let view = self.view();
        for generation in view.generations.iter().rev() {
            let next = generation.next_revision_at(stream, head);
            if next.is_some_and(|next| next <= revision) {
                return Ok(None);
            }
            let position = generation.position_of(stream, revision, head);
            if position.is_some() {
                return Ok(position);
            }
        }
        let key = keys::stream(stream);
        let mut position = view.sealed();
        while 0 < position {
            let ask = |run: &Arc<Run>| match run.find(&key)? {
                Some(found) if found.base + found.count <= revision => Ok(Some(None)),
                Some(found) if found.base <= revision => run.nth(&found, revision - found.base).map(Some),
                Some(_) | None => Ok(None),
            };
            let (answer, piece) = self.ask_run(position, true, ask)?;
            if let Some(answer) = answer {
                return Ok(answer);
            }
            position = piece.first - 1;
        }
        Ok(None)
    }

    /// The sealed append whose first event has this id.
    pub(crate) fn sealed_append(&self, id: &EventId, sealed: u64) -> Result<Option<Recorded>> {
        let hash = keys::id_hash(keys::seed(self.store), id);
        let mut position = sealed;
        while 0 < position {
            let (candidates, piece) = self.ask_run(position, true, |run| run.ids(hash))?;
            for candidate in candidates {
                if let Some(recorded) = self.append_at(candidate, id)? {
                    return Ok(Some(recorded));
                }
            }
            position = piece.first - 1;
        }
        Ok(None)
    }

    /// The append that begins at a position, if its first event has this id.
    fn append_at(&self, first: u64, id: &EventId) -> Result<Option<Recorded>> {
        let malformed = |position: u64| {
            move |what: crate::fields::Malformed| {
                Damage::new("the log", 0, (position, position), what.to_string()).to_error()
            }
        };
        let mut content = record::ContentHash::new();
        let mut revisions: Vec<u64> = Vec::new();
        let mut places: HashMap<StreamId, usize> = HashMap::new();
        let mut position = first;
        loop {
            let records = self.records(position, true)?;
            let bytes = records.record(position).map_err(malformed(position))?;
            let (recorded, boundary) = record::decode(bytes).map_err(malformed(position))?;
            if position == first && (recorded.event.id != *id || !boundary.first) {
                return Ok(None);
            }
            content.add(bytes);
            if let (Some(stream), Some(revision)) = (recorded.event.stream, recorded.revision) {
                let place = *places.entry(stream).or_insert(revisions.len());
                match revisions.get_mut(place) {
                    Some(last) => *last = revision.get(),
                    None => revisions.push(revision.get()),
                }
            }
            if boundary.last {
                let count = u32::try_from(position - first + 1).unwrap_or(u32::MAX);
                let commit = Commit { first, count, content: content.finish() };
                return Ok(Some(Recorded { commit, revisions }));
            }
            position += 1;
        }
    }
}

/// What was just made from the log does not come back from the disk.
pub(crate) fn unreadable_again(position: u64) -> Error {
    Error::unavailable(format!(
        "the index of position {position} was rebuilt and cannot be read all the same"
    ))
}
