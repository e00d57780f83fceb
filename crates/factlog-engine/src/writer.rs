//! The single writer: decides, orders and makes durable, one group after the other.
//!
//! * Positions are dense: each group begins at `head + 1`, and only this module assigns them.
//! * An append is answered only after everything it was judged against is durable.
//! * After a failed write nothing is acknowledged any more.
//! * It does no I/O but the one durable write of a group, and the preparation of the next file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use factlog_core::{AppendError, Appended, Clock, Error, Position, Result, Timestamp, TrackingSource};
use futures_channel::oneshot;

use crate::checksum::seed_of;
use crate::decide::{self, Verdict};
use crate::frame;
use crate::indexer::Indexer;
use crate::ledger::{Commit, Ledger};
use crate::queue::{Prepared, Request, Taken};
use crate::record::{self, Stamp};
use crate::records::Records;
use crate::sealer::{SealJob, SealerHandle};
use crate::shared::Shared;
use crate::state::poisoned;
use crate::tail::Inserter;
use crate::wal::{Group, Journal};

/// After this long without appends the head is vouched for by a frame without events, so that damage to the last
/// group can be told from a torn write. Nothing waits for it.
const BEACON_AFTER: Duration = Duration::from_millis(10);

type Answer = (oneshot::Sender<Result<Appended, AppendError>>, Result<Appended, AppendError>);

/// The writer's own state.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Box<dyn Journal>,
    pub(crate) sealer: SealerHandle,
    /// Held for its end.
    pub(crate) _indexer: Indexer,
    pub(crate) ledger: Ledger,
    /// The head that the last frame vouches for.
    pub(crate) vouched: u64,
    pub(crate) buffer: Vec<u8>,
}

/// A group while it is put together.
struct Draft {
    first: u64,
    recorded_at: i64,
    appends: u32,
    offsets: Vec<u32>,
    tracking: HashMap<TrackingSource, Position>,
    accepted: Vec<Answer>,
    others: Vec<Answer>,
}

impl Writer {
    /// Works until the store is closed or a write fails.
    pub(crate) fn run(self) {
        let shared = self.shared.clone();
        let _end = End(&shared);
        // Dropped before `_end`: the sealer must have stopped when the writer is said to have.
        let mut writer = self;
        let mut done = Ok(());
        while done.is_ok() {
            let idle_after = (writer.vouched < writer.shared.head()).then_some(BEACON_AFTER);
            done = match writer.shared.queue.take(writer.shared.settings.group_bytes, idle_after) {
                Taken::Group(requests) => writer.commit(requests),
                Taken::Idle => writer.beacon(),
                Taken::Closed => break,
            };
        }
        if let Err(cause) = done.and_then(|()| writer.beacon()) {
            poison(&writer.shared, cause);
        }
    }

    /// Handles a group. An error means that nobody knows what was written.
    fn commit(&mut self, requests: Vec<Request>) -> Result<()> {
        let bytes = requests.iter().map(|request| frame_bytes(&request.prepared)).sum::<usize>();
        if let Err(error) = self.make_room(frame::HEADER_BYTES + bytes) {
            for request in requests {
                answer(request.reply, Err(error.clone().into()));
            }
            return Ok(());
        }
        let draft = self.draft(requests);
        if draft.appends == 0 {
            draft.others.into_iter().for_each(|(reply, result)| answer(reply, result));
            return Ok(());
        }
        let events = draft.offsets.len() as u64;
        let head = draft.first + events - 1;
        let group = Group {
            appends: draft.appends,
            first: draft.first,
            events: u32::try_from(events).expect("a group is bounded in bytes"),
            recorded_at: draft.recorded_at,
            acknowledged: self.shared.head(),
        };
        let body_length = self.buffer.len();
        if let Err(cause) = self.journal.write(&mut self.buffer, group) {
            let cause = indeterminate(&cause);
            for (reply, result) in draft.accepted.into_iter().chain(draft.others) {
                // A conflict wrote nothing; a repeat's first may be in this very group.
                let error = if result.is_ok() { cause.clone() } else { poisoned(&cause) };
                answer(reply, Err(error.into()));
            }
            return Err(cause);
        }
        self.vouched = group.acknowledged;
        let body = Bytes::copy_from_slice(&self.buffer[frame::HEADER_BYTES..body_length]);
        let records = Records { first: draft.first, bytes: body, offsets: draft.offsets };
        self.show(records, draft.recorded_at, draft.tracking, head);
        draft.accepted.into_iter().chain(draft.others).for_each(|(reply, result)| answer(reply, result));
        self.shrink_buffer();
        Ok(())
    }

    /// Decides each append in order and puts the accepted ones into the buffer and the index.
    fn draft(&mut self, requests: Vec<Request>) -> Draft {
        let now = self.clock.now().as_micros();
        let recorded_at = self.ledger.last_time.map_or(now, |last| last.max(now));
        let mut draft = Draft {
            first: self.ledger.last + 1,
            recorded_at,
            appends: 0,
            offsets: Vec::new(),
            tracking: HashMap::new(),
            accepted: Vec::new(),
            others: Vec::new(),
        };
        frame::begin(&mut self.buffer);
        for Request { mut prepared, reply } in requests {
            if let Err(error) = self.know_again(&mut prepared) {
                draft.others.push((reply, Err(error.into())));
                continue;
            }
            match decide::decide(&self.ledger, &prepared) {
                Verdict::Accept => {
                    let appended = accept(&mut self.ledger, &mut self.buffer, &mut draft, &prepared);
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

    /// Makes a durable group visible.
    fn show(
        &mut self,
        records: Records,
        recorded_at: i64,
        tracking: HashMap<TrackingSource, Position>,
        head: u64,
    ) {
        self.ledger.active().push_frame(Arc::new(records), Timestamp::from_micros(recorded_at));
        // Under one lock, so that nobody sees tracking without its events or the other way round.
        let mut durable = self.shared.tracking.lock();
        durable.extend(tracking);
        self.shared.publish(head);
        drop(durable);
        self.shared.wake();
    }

    /// Seals what is due and makes sure that the next frame fits. On an error nothing was written.
    fn make_room(&mut self, frame_bytes: usize) -> Result<()> {
        let settings = &self.shared.settings;
        let active = self.ledger.active();
        let due = |times: usize| {
            settings.segment_bytes.saturating_mul(times) as u64 <= active.bytes()
                || settings.segment_events.saturating_mul(times as u64) <= active.events()
                || settings.wal_bytes.saturating_mul(times) as u64 <= self.journal.bytes_in_use()
        };
        if 0 < active.events() && due(1) {
            if due(2) {
                self.sealer.wait()?;
            }
            if self.sealer.is_idle() {
                self.roll();
            }
        }
        self.journal.reserve(frame_bytes)
    }

    /// Hands the active generation to the sealer and begins another; the next frame begins a new file.
    fn roll(&mut self) {
        let next = Inserter::new(self.ledger.last + 1, seed_of(self.shared.store));
        let grows = next.generation().clone();
        let (generation, gone) = self.ledger.roll(next, &self.shared.view());
        // Before any of its positions is published, so that a view taken after a head covers it.
        self.shared.change_view(|view| Some(view.with_generation(grows)));
        let tracking = self.shared.tracking.lock().clone().into_iter().collect();
        let wal_first = self.journal.roll();
        self.sealer.seal(SealJob { generation, gone, tracking, wal_first });
    }

    /// Vouches for the head, if nothing did and it costs no new file.
    fn beacon(&mut self) -> Result<()> {
        let head = self.shared.head();
        if head <= self.vouched || !self.journal.has_room_for_beacon() {
            self.vouched = head;
            return Ok(());
        }
        frame::begin(&mut self.buffer);
        let recorded_at = self.ledger.last_time.unwrap_or(0);
        let group = Group { appends: 0, first: head + 1, events: 0, recorded_at, acknowledged: head };
        self.journal.write(&mut self.buffer, group).map_err(|cause| indeterminate(&cause))?;
        self.vouched = head;
        Ok(())
    }

    /// Gives back the memory of an unusually large group.
    fn shrink_buffer(&mut self) {
        let usual = self.shared.settings.group_bytes.saturating_mul(2);
        if usual < self.buffer.capacity() {
            self.buffer = Vec::new();
        }
    }
}

/// Ends the writer's part in the store, also when it panics.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            poison(self.0, Error::indeterminate("the writer panicked; what it was writing may be recorded"));
        }
        self.0.life.writer_stopped();
    }
}

/// Accepts nothing any more: what waits is told that nothing of it was written.
fn poison(shared: &Shared, cause: Error) {
    let closed = poisoned(&cause);
    shared.life.poison(cause);
    shared.queue.close();
    for request in shared.queue.drain() {
        answer(request.reply, Err(closed.clone().into()));
    }
}

/// Stamps an append, copies it into the frame and enters it into the ledger.
fn accept(ledger: &mut Ledger, buffer: &mut Vec<u8>, draft: &mut Draft, append: &Prepared) -> Appended {
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
fn frame_bytes(append: &Prepared) -> usize {
    let source = append.tracking.as_ref().map_or(0, |tracking| tracking.source.as_str().len());
    frame::APPEND_BYTES + source + append.records.len()
}

fn indeterminate(cause: &std::io::Error) -> Error {
    let message = format!(
        "writing to the log failed, so the events may or may not be recorded: {cause}; reopen the store and repeat \
         the append with the same event ids"
    );
    Error::indeterminate(message)
}

fn answer(reply: oneshot::Sender<Result<Appended, AppendError>>, result: Result<Appended, AppendError>) {
    // A caller that went away needs no answer.
    drop(reply.send(result));
}
