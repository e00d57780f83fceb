//! Parked keys: trying them again, in order, with a growing pause.
//!
//! * A worker tries the keys of the partitions it holds, and no others: whoever holds a partition must know which of its keys
//!   are parked.
//! * What waits for a key is in the sink as positions; the events are read from the log again. Memory holds the
//!   keys and a bounded number of positions.
//! * A retry commits what it came to and takes what it applied off the waiting list, under the lease.

use factlog_core::{Position, Query, ReadOptions};
use serde_json::json;

use super::acts;
use super::commits::{self, Parked, Scribe};
use super::route::{amended, keys, skipped};
use super::rows::{self, AMENDED, ParkedRow};
use super::sink::{Committed, SERVING};
use super::target::{Chunk, Control, Emits, Pair, Target, json as key_text};
use super::worker::{Ended, Worker};

/// Events of one key that one retry applies at most; the next goes on at once.
const RETRY_MAX: usize = 1_000;

impl<T: Target> Worker<T> {
    /// Tries the keys again whose time has come.
    pub(super) fn retry_due(&mut self) -> Result<(), Ended> {
        let now = self.shared.clock.now().as_micros();
        let due = |row: &ParkedRow| row.retry_at.is_some_and(|at| at <= now);
        let keys: Vec<T::Key> =
            self.parked.iter().filter(|(_, parked)| due(&parked.row)).map(|(key, _)| key.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.flush()?;
        for key in keys {
            while self.retry(&key)? {}
        }
        self.shared.parked(self.generation, self.index, self.parked.len());
        self.shared.wake_supervisor();
        Ok(())
    }

    /// One commit's worth of a parked key; answers whether it may go on with more.
    fn retry(&mut self, key: &T::Key) -> Result<bool, Ended> {
        let text = key_text(key);
        let target = &*self.shared.target;
        let name = rows::parked(self.generation, &text);
        let mut control = Control::default();
        let before = target.rows(&name, 1)?.remove(&name);
        let Some(known) = before.as_deref().map(|row| rows::read::<ParkedRow>(&name, row)).transpose()?
        else {
            self.parked.remove(key);
            return Ok(false);
        };
        // An operator changed it meanwhile, and perhaps the event: a try with what is known would fail once more.
        if self.parked.get(key).map(|parked| &parked.row) != Some(&known) {
            return Err(Ended::Reload);
        }
        // Read behind the row that the commit expects: an act that takes an event off the list changes the row.
        let (mut chunk, positions, more) = self.waiting_events(key, &text)?;
        let held = self.move_ranges(&mut control);
        control.expected.push((SERVING.to_owned(), self.serving.clone()));
        control.expected.push((rows::hold(self.generation), None));
        control.expected.push((rows::PAUSED.to_owned(), None));
        control.expected.push((AMENDED.to_owned(), self.amends.counted.clone()));
        let now = self.shared.clock.now();
        let serves = self.serving.as_deref().is_some_and(|serving| serving.parse() == Ok(self.generation));
        let scribe = Scribe { generation: self.generation, serves, now };
        let emits = Emits { after: &self.row.effects_after, owed: &self.row.owed };
        let mut folded = T::Folded::default();
        let mut outcome = target.fold(self.generation, &mut chunk, &emits, &mut folded)?;
        let mut left: Option<ParkedRow> = None;
        let generation = self.generation;
        let committed = target.commit(generation, folded, &emits, &mut |late| {
            outcome.extend(late);
            for effect in &outcome.effects {
                scribe.effect(&mut control, effect);
            }
            let failure = outcome.failures.first();
            let stopped = failure.and_then(|failure| failure.positions.first()).copied();
            let applied: Vec<&Position> = positions
                .iter()
                .filter(|position| stopped.is_none_or(|stopped| **position < stopped))
                .collect();
            for position in &applied {
                control.put(rows::waits(generation, &text, **position), None);
            }
            left = match failure {
                // Another event than before has its own attempts.
                Some(failure) => {
                    let attempts = if applied.is_empty() { known.attempts.saturating_add(1) } else { 1 };
                    Some(commits::failed(now, &failure.error, attempts))
                }
                None if more => Some(ParkedRow { retry_at: Some(now.as_micros()), ..known.clone() }),
                None => None,
            };
            if left.is_none() {
                acts::note(
                    &mut control,
                    now,
                    acts::RESUMED,
                    json!({ "key": text, "generation": generation }),
                );
            }
            control.change(name.clone(), before.clone(), left.as_ref().map(rows::write));
            std::mem::take(&mut control)
        })?;
        if committed == Committed::Refused {
            return Err(Ended::Refused);
        }
        self.held = held;
        let goes_on = more && outcome.failures.is_empty();
        match left {
            Some(row) => self.parked.insert(key.clone(), Parked::written(row)),
            None => self.parked.remove(key),
        };
        Ok(goes_on)
    }

    /// The first events that wait for the key, decoded, and whether there are more.
    #[expect(clippy::type_complexity, reason = "three things that are used at once, next to here")]
    fn waiting_events(
        &self,
        key: &T::Key,
        text: &str,
    ) -> Result<(Chunk<T::Event, T::Key>, Vec<Position>, bool), Ended> {
        let names = self.shared.target.rows(&rows::waiting(self.generation, text), RETRY_MAX + 1)?;
        let more = RETRY_MAX < names.len();
        let mut chunk = Chunk { events: Vec::new(), shards: vec![Vec::new()] };
        let mut positions = Vec::new();
        for name in names.keys().take(RETRY_MAX) {
            let position =
                Position::new(rows::number(name)?).ok_or_else(|| rows::damaged(name, "position 0"))?;
            positions.push(position);
            if skipped(&self.amends, key, position) {
                continue;
            }
            let options = ReadOptions::default().after(position.previous()).until(position);
            let mut events = self.shared.store.read(Query::All, options);
            let raw = self.ready(events.next())?.transpose()?;
            let raw = raw.ok_or_else(|| {
                factlog_core::Error::corrupt(format!(
                    "the event at position {position}, which waits for key {text}, is gone"
                ))
            })?;
            let mut ordinals = 0..;
            let start = chunk.events.len();
            amended::<T>(raw, &self.amends, &mut chunk.events)?;
            for (index, event) in (start..).zip(&chunk.events[start..]) {
                let index = u32::try_from(index).expect("a retry is bounded");
                let keys = keys(&*self.shared.target, event).into_iter().zip(&mut ordinals);
                let own = keys.filter(|(other, _)| other == key);
                chunk.shards[0].extend(own.map(|(key, ordinal)| Pair { event: index, ordinal, key }));
            }
        }
        Ok((chunk, positions, more))
    }
}
