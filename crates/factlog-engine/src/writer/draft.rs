//! A group while it is put together: every append decided in order, those that are accepted stamped and copied.

use std::collections::HashMap;

use factlog_core::{AppendError, Appended, Position, Result, TrackingSource};

use super::{Answer, Writer};
use crate::decide::{self, Verdict};
use crate::frame;
use crate::ledger::{Commit, Ledger};
use crate::queue::{Prepared, Request};
use crate::record::{self, Stamp};
use crate::storage::Buffer;

/// A group while it is put together.
pub(super) struct Draft {
    pub(super) first: u64,
    pub(super) recorded_at: i64,
    pub(super) appends: u32,
    pub(super) offsets: Vec<u32>,
    pub(super) tracking: HashMap<TrackingSource, Position>,
    pub(super) accepted: Vec<Answer>,
    pub(super) others: Vec<Answer>,
}

impl Writer {
    /// Decides each append in order and puts the accepted ones into the buffer and the index.
    pub(super) fn draft(&mut self, requests: Vec<Request>, buffer: &mut Buffer) -> Draft {
        let now = self.clock.now().as_micros();
        let last_time = self.ledger.last_time.filter(|_| !planted!(TimeGoesBack));
        let recorded_at = last_time.map_or(now, |last| last.max(now));
        let mut draft = Draft {
            first: self.ledger.last + 1,
            recorded_at,
            appends: 0,
            offsets: Vec::new(),
            tracking: HashMap::new(),
            accepted: Vec::new(),
            others: Vec::new(),
        };
        frame::begin(buffer);
        for Request { mut prepared, reply } in requests {
            if let Err(error) = self.know_again(&mut prepared) {
                draft.others.push((reply, Err(error.into())));
                continue;
            }
            match decide::decide(&self.ledger, &prepared) {
                Verdict::Conflict(conflict) if planted!(ConflictIsWritten) => {
                    accept(&mut self.ledger, buffer, &mut draft, &prepared);
                    draft.others.push((reply, Err(AppendError::Conflict(conflict))));
                }
                Verdict::Accept => {
                    let appended = accept(&mut self.ledger, buffer, &mut draft, &prepared);
                    draft.accepted.push((reply, Ok(appended)));
                }
                Verdict::Duplicate(appended) => draft.others.push((reply, Ok(appended))),
                Verdict::Conflict(conflict) => {
                    draft.others.push((reply, Err(AppendError::Conflict(conflict))));
                }
                Verdict::Refused(error) => draft.others.push((reply, Err(error.into()))),
            }
        }
        draft
    }

    /// Looks up again what an append must know, if the ledger no longer reaches back to where it had looked.
    fn know_again(&self, append: &mut Prepared) -> Result<()> {
        if append.known.sealed + 1 < self.ledger.covers_from() {
            append.known = self.shared.know(&append.events, &append.conditions)?;
        }
        Ok(())
    }
}

/// Stamps an append, copies it into the frame and enters it into the ledger.
fn accept(ledger: &mut Ledger, buffer: &mut Buffer, draft: &mut Draft, append: &Prepared) -> Appended {
    let tracking =
        append.tracking.as_ref().map(|tracking| (tracking.source.as_str(), tracking.position.get()));
    let count = u32::try_from(append.events.len()).expect("bounded by the contract");
    frame::push_append_head(buffer, count, tracking, append.records.len());
    let start = buffer.len();
    buffer.extend_from_slice(&append.records);
    let first = ledger.last + 1;
    let mut revisions = Vec::new();
    for ((position, event), &offset) in (first..).zip(&append.events).zip(&append.offsets) {
        let revision = ledger.add(event, append);
        let at = start + offset as usize;
        record::stamp(&mut buffer[at..], Stamp { position, recorded_at: draft.recorded_at, revision });
        draft.offsets.push(u32::try_from(at - frame::HEADER_BYTES).expect("a group is far below 4 GiB"));
        revisions.push(revision);
    }
    ledger.add_commit(&append.events[0].id, Commit { first, count, content: append.content });
    ledger.last_time = Some(draft.recorded_at);
    draft.appends += 1;
    if let Some(tracking) = &append.tracking {
        ledger.tracking.insert(tracking.source.clone(), tracking.position);
        draft.tracking.insert(tracking.source.clone(), tracking.position);
    }
    decide::appended(append, first, &append.last_revisions(&revisions), false)
}

/// Bytes of an append in a frame.
pub(super) fn frame_bytes(append: &Prepared) -> usize {
    let source = append.tracking.as_ref().map_or(0, |tracking| tracking.source.as_str().len());
    frame::APPEND_BYTES + source + append.records.len()
}
