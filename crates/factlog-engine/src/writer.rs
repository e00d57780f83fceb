//! The single writer: decides, orders and makes durable, group after group, several of them under way at once.
//!
//! * Positions are dense: each group begins behind the one before, and only this module assigns them.
//! * Groups become visible and are answered in their order, each after all in front of it are durable. So an append
//!   is answered only after everything it was judged against is durable.
//! * After a failed write nothing that comes behind it is acknowledged, even if its own write succeeded.
//! * It does no I/O but the durable writes of groups, which it does not wait for while there is something to decide.

mod draft;
mod sealing;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use factlog_core::{AppendError, Appended, Clock, Error, Position, Result, Timestamp, TrackingSource};
use futures_channel::oneshot;

use crate::frame;
use crate::indexer::Indexer;
use crate::ledger::Ledger;
use crate::queue::{Request, Taken};
use crate::records::Records;
use crate::sealer::SealerHandle;
use crate::shared::Shared;
use crate::state::poisoned;
use crate::storage::{Buffer, Done};
use crate::wal::{Group, How, Journal};
use draft::{Draft, frame_bytes};
use sealing::free;

/// Groups that may wait for their answers. Most have frames, but some may hold conflicts only.
const PENDING_MAX: usize = 64;

/// Frames from this length on are shared with readers; of smaller ones their bodies are copied.
const SHARED_FROM: usize = 64 << 10;

type Answer = (oneshot::Sender<Result<Appended, AppendError>>, Result<Appended, AppendError>);

/// The writer's own state.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Box<dyn Journal>,
    pub(crate) sealer: SealerHandle,
    /// Held for its end; `None` without threads.
    pub(crate) _indexer: Option<Indexer>,
    pub(crate) ledger: Ledger,
    /// The head that the last frame vouches for.
    pub(crate) vouched: u64,
    /// Groups that are not answered yet, in order.
    pub(crate) pending: VecDeque<Pending>,
    /// Whether nothing came while the last group was written. Then the next one is written at once.
    pub(crate) lonely: bool,
}

/// A group on its way to the disk.
pub(crate) struct Pending {
    draft: Draft,
    write: Write,
    acknowledged: u64,
}

/// How far a group's frame has come.
enum Write {
    /// It has none, since nothing in it was accepted.
    None,
    UnderWay {
        number: u64,
        frame: Bytes,
        body: Range<usize>,
    },
    Durable {
        frame: Bytes,
        body: Range<usize>,
    },
    Failed(io::Error),
}

impl Writer {
    /// Works until the store is closed or a write fails.
    pub(crate) fn run(self) {
        let shared = self.shared.clone();
        let _end = End(&shared);
        // Dropped before `_end`: files and sealer must be at rest when the writer is said to have stopped.
        let mut writer = self;
        let mut done = Ok(true);
        while let Ok(true) = done {
            done = writer.step();
        }
        writer.finish(done);
    }

    /// The last thing it does: it vouches for the head, or says why it cannot go on.
    pub(crate) fn finish(&mut self, done: Result<bool>) {
        if let Err(cause) = done.and_then(|_| self.beacon()) {
            poison(&self.shared, cause);
        }
    }

    /// Whether a step would do anything but wait.
    #[cfg(feature = "simulation")]
    pub(crate) fn has_work(&self) -> bool {
        !self.pending.is_empty() || !self.shared.queue.is_empty() || self.vouched < self.shared.head()
    }

    /// Does what is next; `false` when the store is closed. An error means that nobody knows what was written.
    pub(crate) fn step(&mut self) -> Result<bool> {
        if self.pending.is_empty() {
            let settings = &self.shared.settings;
            let idle_after = (self.vouched < self.shared.head()).then_some(settings.vouch_after);
            match self.shared.queue.take(settings.group_bytes, idle_after) {
                Taken::Group(requests) => self.commit(requests)?,
                Taken::Idle => self.beacon()?,
                Taken::Closed => return Ok(false),
            }
            return Ok(true);
        }
        self.collect(false)?;
        if let Some(requests) = self.company() {
            self.commit(requests)?;
        } else if !self.pending.is_empty() {
            self.collect(true)?;
        }
        Ok(true)
    }

    /// A group to be written while others are, if there is one worth it.
    fn company(&mut self) -> Option<Vec<Request>> {
        let under_way =
            self.pending.back().filter(|_| self.pending.len() < PENDING_MAX)?.draft.appends as usize;
        let room = self.journal.room()?.checked_sub(frame::HEADER_BYTES)?;
        let most = self.shared.settings.group_bytes.min(room);
        self.shared.queue.take_at_least(worthwhile(under_way), most)
    }

    /// Handles a group: decides it and begins to write it.
    fn commit(&mut self, requests: Vec<Request>) -> Result<()> {
        let bytes = frame::HEADER_BYTES
            + requests.iter().map(|request| frame_bytes(&request.prepared)).sum::<usize>();
        if let Err(cause) = self.make_room() {
            // Nothing of these was written.
            let closed = poisoned(&cause);
            requests.into_iter().for_each(|request| answer(request.reply, Err(closed.clone().into())));
            return Err(cause);
        }
        let known = requests.iter().map(|request| request.prepared.known.sealed).min().unwrap_or(0);
        free(self.ledger.let_go(known));
        if let Err(error) = self.seal_or_wait().and_then(|()| self.journal.reserve(bytes)) {
            for request in requests {
                answer(request.reply, Err(error.clone().into()));
            }
            return Ok(());
        }
        let mut buffer = Buffer::with_capacity(bytes);
        let draft = self.draft(requests, &mut buffer);
        let acknowledged = self.shared.head();
        let write = if draft.appends == 0 {
            Write::None
        } else {
            let group = Group {
                appends: draft.appends,
                first: draft.first,
                events: u32::try_from(draft.offsets.len()).expect("a group is bounded in bytes"),
                recorded_at: draft.recorded_at,
                acknowledged,
            };
            let body = frame::HEADER_BYTES..buffer.len();
            let how = if self.lonely && self.pending.is_empty() { How::AtOnce } else { How::Behind };
            let (number, frame) = self.journal.submit(buffer, group, how);
            if planted!(AcknowledgeBeforeDurable) {
                Write::Durable { frame, body }
            } else {
                Write::UnderWay { number, frame, body }
            }
        };
        self.pending.push_back(Pending { draft, write, acknowledged });
        self.collect(false)
    }

    /// Takes in what the disk says, then shows and answers all groups in front of the first that is not durable.
    /// With `wait`, sleeps until there is news. On the first failure all that is under way is brought to its end.
    fn collect(&mut self, wait: bool) -> Result<()> {
        let mut done = self.journal.finished(wait && 0 < self.journal.in_flight());
        while done.iter().any(|done| done.result.is_err()) && 0 < self.journal.in_flight() {
            done.extend(self.journal.finished(true));
        }
        for Done { number, result } in done {
            let its = |pending: &&mut Pending| pending.write.number() == Some(number);
            if let Some(pending) = self.pending.iter_mut().find(its) {
                pending.write.over(result);
            }
        }
        // Before anybody is answered, so that what the answers bring about does not count.
        self.lonely = match self.pending.front() {
            Some(only) if self.pending.len() == 1 && only.write.is_over() => self.shared.queue.is_empty(),
            None => self.lonely,
            Some(_) if self.pending.len() == 1 => self.lonely,
            Some(_) => false,
        };
        if planted!(AnswerOutOfOrder) {
            self.pending.make_contiguous().sort_by_key(|pending| !pending.write.is_over());
        }
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.write.is_over()) {
            let Pending { draft, write, acknowledged } = pending;
            match write {
                Write::Failed(cause) => return Err(self.fail(draft, &cause)),
                Write::Durable { frame, body } => {
                    self.vouched = acknowledged;
                    self.answer(draft, Some((frame, body)));
                }
                Write::None | Write::UnderWay { .. } => self.answer(draft, None),
            }
        }
        Ok(())
    }

    /// Ends a group whose write failed, and all behind it.
    fn fail(&mut self, draft: Draft, cause: &io::Error) -> Error {
        let cause = indeterminate(cause);
        let behind = std::mem::take(&mut self.pending).into_iter().map(|pending| pending.draft);
        for draft in std::iter::once(draft).chain(behind) {
            for (reply, result) in draft.accepted.into_iter().chain(draft.others) {
                // A conflict wrote nothing; a repeat's first may be in one of these very groups.
                let error = if result.is_ok() { cause.clone() } else { poisoned(&cause) };
                answer(reply, Err(error.into()));
            }
        }
        cause
    }

    /// Shows a group, which is durable as all in front of it are, and answers it.
    fn answer(&mut self, draft: Draft, frame: Option<(Bytes, Range<usize>)>) {
        let Draft { first, recorded_at, offsets, tracking, accepted, others, .. } = draft;
        if let Some((frame, body)) = frame.filter(|_| !offsets.is_empty()) {
            let head = first + offsets.len() as u64 - 1;
            self.show(Records { first, bytes: kept(&frame, body), offsets }, recorded_at, tracking, head);
        }
        accepted.into_iter().chain(others).for_each(|(reply, result)| answer(reply, result));
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

    /// Vouches for the head, if nothing did and it costs no new file.
    fn beacon(&mut self) -> Result<()> {
        let head = self.shared.head();
        if head <= self.vouched || !self.journal.has_room_for_beacon() {
            self.vouched = head;
            return Ok(());
        }
        let mut buffer = Buffer::with_capacity(frame::HEADER_BYTES);
        frame::begin(&mut buffer);
        let recorded_at = self.ledger.last_time.unwrap_or(0);
        let group = Group { appends: 0, first: head + 1, events: 0, recorded_at, acknowledged: head };
        self.journal.submit(buffer, group, How::AtOnce);
        // Nothing may be under way behind it: a frame that follows says that the beacon is durable.
        while 0 < self.journal.in_flight() {
            for done in self.journal.finished(true) {
                done.result.map_err(|cause| indeterminate(&cause))?;
            }
        }
        self.vouched = head;
        Ok(())
    }
}

impl Write {
    fn number(&self) -> Option<u64> {
        match self {
            Self::UnderWay { number, .. } => Some(*number),
            Self::None | Self::Durable { .. } | Self::Failed(_) => None,
        }
    }

    fn is_over(&self) -> bool {
        self.number().is_none()
    }

    /// The disk has ended it.
    fn over(&mut self, result: io::Result<()>) {
        if let Self::UnderWay { frame, body, .. } = self {
            let (frame, body) = (std::mem::take(frame), body.clone());
            *self = result.map_or_else(Self::Failed, |()| Self::Durable { frame, body });
        }
    }
}

/// The fewest appends that are written while a group of so many is under way. Fewer of them wait for more company,
/// at most until that group is durable.
fn worthwhile(under_way: usize) -> usize {
    under_way.div_ceil(2).max(1)
}

/// The body of a durable frame as readers keep it: the very bytes that were written, if little is lost by it.
fn kept(frame: &Bytes, body: Range<usize>) -> Bytes {
    if SHARED_FROM <= frame.len() { frame.slice(body) } else { Bytes::copy_from_slice(&frame[body]) }
}

/// Ends the writer's part in the store, also when it panics.
pub(crate) struct End<'a>(pub(crate) &'a Shared);

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
    shared.queue.close(&closed);
    for request in shared.queue.drain() {
        answer(request.reply, Err(closed.clone().into()));
    }
}

fn indeterminate(cause: &io::Error) -> Error {
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
