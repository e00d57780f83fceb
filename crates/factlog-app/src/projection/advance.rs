//! How a worker advances: what was routed is folded, and what it came to is committed with the checkpoint.
//!
//! * Live, every batch is a commit. Far behind, documents stay in memory over many pieces, within bounds in documents, events
//!   and time, so that each is written once.
//! * A commit lies between two appends, as far as their times tell them apart.

use std::mem;
use std::time::Duration;

use factlog_core::{Position, limits};

use super::batch::Batch;
use super::commits::{self, Parked};
use super::lease::Held;
use super::route::{Piece, PieceOf, Route};
use super::rows;
use super::sink::{Committed, SERVING};
use super::target::{Chunk, Control, Emits, Target};
use super::waits::Waited;
use super::worker::{Ended, Worker};
use crate::model::Mark;
use crate::spans;

/// Positions after which the checkpoint is written although nothing concerned the worker.
const SILENT_POSITIONS_MAX: u64 = 10_000;
/// Events of one commit at most while it is far behind, and side effects and waiting events of one.
const EVENTS_MAX: u64 = 1_000_000;
const ROWS_MAX: usize = 10_000;
/// Commits that a clock that stands still tells apart, in microseconds.
const STANDS: i64 = 1_000_000;
/// How long it goes on without a commit while it is far behind: where nobody sees the generation, and where readers do.
const UNSEEN: Duration = Duration::from_secs(2);
const SEEN: Duration = Duration::from_millis(500);

impl<T: Target> Worker<T> {
    /// How events go to partitions, by what the worker knows now.
    pub(super) fn route(&self) -> Route {
        let settings = &self.shared.settings;
        Route::new(&self.held, self.amends.clone(), settings.unreadable, settings.shards())
    }

    pub(super) fn apply(&mut self, batch: Batch) -> Result<(), Ended> {
        let route = self.route();
        let mut piece = route.piece(Chunk::default());
        for event in batch.events {
            route.add(&*self.shared.target, event, &mut piece)?;
        }
        piece.head = batch.head;
        piece.caught_up = batch.caught_up;
        piece.whole = true;
        self.fold(piece).map(drop)
    }

    /// Folds a piece and commits where that is due; gives back the room it took.
    pub(super) fn fold(&mut self, piece: PieceOf<T>) -> Result<Chunk<T::Event, T::Key>, Ended> {
        if self.due && piece.times.is_some_and(|(first, _)| self.time != Some(first)) {
            self.flush()?;
            self.upkeep(false)?;
        }
        let Piece { mut chunk, events, unread, last, times, head, caught_up, whole } = piece;
        self.set_waiting_apart(&mut chunk);
        let emits = Emits { after: &self.row.effects_after, owed: &self.row.owed };
        let outcome = self.shared.target.fold(self.generation, &mut chunk, &emits, &mut self.folded)?;
        for failure in &outcome.failures {
            let parked = Parked::unwritten(self.shared.clock.now(), failure);
            self.parked.insert(failure.key.clone(), parked);
        }
        self.outcome.extend(outcome);
        self.events += events;
        self.time = times.map(|(_, last)| last).or(self.time);
        self.advance(last, head);
        self.whole = whole || caught_up;
        self.due = self.is_due(whole, caught_up);
        // Where a piece ends within an append, the next one tells; where time stands still, some piece must be the last.
        let long = EVENTS_MAX + limits::APPEND_EVENTS_MAX as u64 <= self.events;
        if self.due && (self.whole || self.events == 0 || long) {
            self.flush()?;
        }
        let worker = (self.generation, self.index);
        self.shared.progress(worker, &self.held, (events, unread), caught_up, self.events == 0);
        self.throttle(events)?;
        Ok(chunk)
    }

    /// Takes out what waits because its key is parked.
    fn set_waiting_apart(&mut self, chunk: &mut Chunk<T::Event, T::Key>) {
        if self.parked.is_empty() {
            return;
        }
        let Chunk { events, shards } = chunk;
        for shard in shards {
            let waits = shard.extract_if(.., |pair| self.parked.contains_key(&pair.key));
            self.waiting.extend(waits.map(|pair| (pair.key, events[pair.event as usize].position)));
        }
    }

    /// Whether what is folded is to be committed.
    fn is_due(&self, whole: bool, caught_up: bool) -> bool {
        let silent = Position::number(self.least()) - Position::number(self.committed());
        let serves = self.serving_text().is_some();
        if self.events == 0 {
            // What is built is switched to by what the sink says of it, so nothing may be left in memory then.
            return SILENT_POSITIONS_MAX <= silent || (caught_up && !serves && 0 < silent);
        }
        let since = self.shared.clock.now().as_micros().saturating_sub(self.committed_at.as_micros());
        let patience = if serves { SEEN } else { UNSEEN }.min(self.terms.length() / 4);
        caught_up
            || (whole && serves)
            || EVENTS_MAX <= self.events
            || self.shared.settings.documents <= T::size(&self.folded)
            || ROWS_MAX <= self.outcome.effects.len() + self.waiting.len()
            || patience.as_micros() <= u128::from(since.unsigned_abs())
    }

    /// Moves what is reached, in memory, to the end of the piece.
    fn advance(&mut self, last: Option<Mark>, head: Option<Position>) {
        for held in &mut self.held {
            if let Some(last) = last
                && held.reached.position < Some(last.position)
            {
                held.reached.position = Some(last.position);
                held.reached.last = Some(last);
            }
            held.reached.position = held.reached.position.max(head);
        }
    }

    pub(super) fn committed(&self) -> Option<Position> {
        self.held.iter().map(|held| held.row.position.and_then(Position::new)).min().flatten()
    }

    fn serving_text(&self) -> Option<&str> {
        self.serving.as_deref().filter(|serving| serving.parse() == Ok(self.generation))
    }

    /// Commits what is folded where that shows readers no half of an append; otherwise it is read again.
    pub(super) fn flush_whole(&mut self) -> Result<(), Ended> {
        if self.settled() { self.flush() } else { Ok(()) }
    }

    /// Whether a commit now would show readers no half of an append.
    pub(super) fn settled(&self) -> bool {
        self.whole || self.events == 0 || self.serving_text().is_none()
    }

    /// Commits what is folded, with everything that must be known of it.
    pub(super) fn flush(&mut self) -> Result<(), Ended> {
        if self.held.is_empty() {
            return Ok(());
        }
        let span = spans::project(T::NAME, self.generation, self.events);
        let _entered = span.clone().entered();
        let folded = mem::take(&mut self.folded);
        let mut outcome = mem::take(&mut self.outcome);
        let waiting = mem::take(&mut self.waiting);
        self.events = 0;
        self.due = false;
        self.committed_at = self.shared.clock.now();
        let mut control = Control::default();
        let held = self.move_ranges(&mut control);
        let emits = Emits { after: &self.row.effects_after, owed: &self.row.owed };
        control.expected.push((SERVING.to_owned(), self.serving.clone()));
        control.expected.push((rows::hold(self.generation), None));
        // Whoever was told that it is paused is to see it stand still, before every worker knows.
        control.expected.push((rows::PAUSED.to_owned(), None));
        // What was folded of an event that was edited or skipped meanwhile is folded again.
        control.expected.push((rows::AMENDED.to_owned(), self.amends.counted.clone()));
        let scribe = commits::Scribe {
            generation: self.generation,
            serves: self.serving_text().is_some(),
            now: self.shared.clock.now(),
        };
        let mut emitted = false;
        let committed = self.shared.target.commit(self.generation, folded, &emits, &mut |found| {
            outcome.extend(found);
            emitted = !outcome.effects.is_empty();
            scribe.write(&mut control, &outcome, &waiting, &self.parked);
            mem::take(&mut control)
        })?;
        if committed == Committed::Refused {
            return Err(Ended::Refused);
        }
        self.held = held;
        spans::reached(&span, self.least());
        for failure in &outcome.failures {
            self.parked.insert(failure.key.clone(), scribe.parked(failure));
        }
        let count = self.shared.parked(self.generation, self.index, self.parked.len());
        commits::check_parked::<T>(count)?;
        if emitted || !outcome.failures.is_empty() {
            self.shared.wake_supervisor();
        }
        Ok(())
    }

    /// The ranges as they are after the commit, and the rows that say so.
    pub(super) fn move_ranges(&self, control: &mut Control) -> Vec<Held> {
        let until = self.terms.until(self.shared.clock.now());
        let mut held = self.held.clone();
        for held in &mut held {
            held.row.set(held.reached);
            // Whoever read the row before is to be refused, also where the clock stands still.
            held.row.until = if stands(held.row.until, until) { held.row.until + 1 } else { until };
            let text = rows::write(&held.row);
            let before = mem::replace(&mut held.text, text.clone());
            control.change(rows::range(self.generation, held.from), Some(before), Some(text));
        }
        held
    }

    /// A pause where the read model is to be built slowly.
    fn throttle(&self, events: u64) -> Result<(), Ended> {
        let Some(rate) = self.shared.settings.throttle else { return Ok(()) };
        if self.serving_text().is_some() || events == 0 {
            return Ok(());
        }
        let share = Duration::from_secs_f64(events as f64 / f64::from(rate.get()));
        match self.halt.pause(share) {
            Waited::Halted => Err(Ended::Halted),
            Waited::Tick | Waited::Ready(()) => Ok(()),
        }
    }
}

/// Whether the clock has come no further since a row was written.
fn stands(written: i64, now: i64) -> bool {
    written.checked_sub(now).is_some_and(|ahead| (0..STANDS).contains(&ahead))
}
