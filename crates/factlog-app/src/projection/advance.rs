//! How a worker advances: a batch is routed and folded, and what it came to is committed with the checkpoint.

use std::mem;
use std::ops::Range;
use std::time::Duration;

use factlog_core::Position;

use super::batch::Batch;
use super::commits;
use super::lease::Held;
use super::route::{Route, Routed, route};
use super::rows;
use super::sink::{Committed, SERVING};
use super::target::{Control, Emits, Target};
use super::waits::Waited;
use super::worker::{Ended, Worker};
use crate::model::Mark;

/// Positions without an event that concerns the worker after which the checkpoint is written all the same.
const SILENT_POSITIONS_MAX: u64 = 10_000;
/// Events of one commit while a generation is built, at most, beyond the batch that passes it.
const EVENTS_MAX: u64 = 200_000;

impl<T: Target> Worker<T> {
    pub(super) fn apply(&mut self, batch: &Batch) -> Result<(), Ended> {
        let settings = &self.shared.settings;
        let ranges: Vec<(Range<u16>, Option<Position>)> =
            self.held.iter().map(|held| (held.from..held.row.to, held.reached.position)).collect();
        let way = Route {
            ranges: &ranges,
            parked: &self.parked,
            amends: &self.amends,
            unreadable: settings.unreadable,
            threads: settings.threads,
        };
        let Routed { chunks, unread } = route(&*self.shared.target, &batch.events, &way)?;
        let mut chunks = chunks;
        for chunk in &mut chunks {
            self.waiting.append(&mut chunk.waiting);
        }
        let emits = Emits { after: &self.row.effects_after, owed: &self.row.owed };
        let outcome = self.shared.target.fold(self.generation, chunks, &emits, &mut self.folded)?;
        for failure in &outcome.failures {
            self.parked
                .insert(failure.key.clone(), commits::first_failure(self.shared.clock.now(), &failure.error));
        }
        self.outcome.extend(outcome);
        self.events += batch.events.len() as u64;
        self.advance(batch);
        let silent = Position::number(self.least()) - Position::number(self.committed());
        let serves = self.serving_text().is_some();
        let documents = self.shared.settings.documents;
        let bound = EVENTS_MAX <= self.events || documents <= T::size(&self.folded);
        // What is built is switched to by what the sink says of it, so nothing may be left in memory then.
        let due = (batch.caught_up && (0 < self.events || (!serves && 0 < silent)))
            || bound
            || (serves && 0 < self.events);
        if due || SILENT_POSITIONS_MAX <= silent {
            self.flush()?;
        }
        let counts = (batch.events.len() as u64, unread);
        self.shared.progress(self.generation, &self.held, counts, batch.caught_up, self.events == 0);
        self.throttle(batch.events.len())
    }

    /// Moves what is reached, in memory, to the end of the batch.
    fn advance(&mut self, batch: &Batch) {
        let last = batch.events.last().map(|event| Mark { position: event.position, id: event.event.id });
        for held in &mut self.held {
            if let Some(last) = last
                && held.reached.position < Some(last.position)
            {
                held.reached.position = Some(last.position);
                held.reached.last = Some(last);
            }
            held.reached.position = held.reached.position.max(batch.head);
        }
    }

    fn committed(&self) -> Option<Position> {
        self.held.iter().map(|held| held.row.position.and_then(Position::new)).min().flatten()
    }

    fn serving_text(&self) -> Option<&str> {
        self.serving.as_deref().filter(|serving| serving.parse() == Ok(self.generation))
    }

    /// Commits what is folded, with everything that must be known of it.
    pub(super) fn flush(&mut self) -> Result<(), Ended> {
        if self.held.is_empty() {
            return Ok(());
        }
        let folded = mem::take(&mut self.folded);
        let mut outcome = mem::take(&mut self.outcome);
        let waiting = mem::take(&mut self.waiting);
        self.events = 0;
        let mut control = Control::default();
        let held = self.move_ranges(&mut control);
        let emits = Emits { after: &self.row.effects_after, owed: &self.row.owed };
        control.expected.push((SERVING.to_owned(), self.serving.clone()));
        control.expected.push((rows::hold(self.generation), None));
        let scribe = commits::Scribe {
            generation: self.generation,
            serves: self.serving_text().is_some(),
            now: self.shared.clock.now(),
        };
        let mut emitted = false;
        let mut late = Vec::new();
        let committed = self.shared.target.commit(self.generation, folded, &emits, &mut |found| {
            late.extend(found.failures.iter().cloned());
            outcome.extend(found);
            emitted = !outcome.effects.is_empty();
            scribe.write(&mut control, &outcome, &waiting);
            mem::take(&mut control)
        })?;
        if committed == Committed::Refused {
            return Err(Ended::Refused);
        }
        self.held = held;
        for failure in late {
            self.parked.insert(failure.key, commits::first_failure(self.shared.clock.now(), &failure.error));
        }
        commits::check_parked::<T>(self.parked.len())?;
        self.shared.parked(self.generation, self.parked.len());
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
            held.row.until = until;
            let text = rows::write(&held.row);
            let before = mem::replace(&mut held.text, text.clone());
            control.change(rows::range(self.generation, held.from), Some(before), Some(text));
        }
        held
    }

    /// A pause where the read model is to be built slowly.
    fn throttle(&self, events: usize) -> Result<(), Ended> {
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
