//! What the store has shown, which is what it must answer with ever after: the truth that damage is judged by.
//!
//! * It is learned after every step, before the next harm is done: so every event that anybody was shown or told of is
//!   in it, and it has no hole.
//! * After an opening what is behind it is learned too: appends that nobody was told of.

use factlog_core::{EventStore, Position, Query, ReadOptions, RecordedEvent};
use factlog_engine::Engine;

use super::verdict::Verdict;
use super::world::World;

/// The log as far as it was shown.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) log: Vec<RecordedEvent>,
}

impl Truth {
    pub(super) fn end(&self) -> u64 {
        self.log.len() as u64
    }

    /// Whether this is what stands at its position.
    fn is(&self, event: &RecordedEvent) -> bool {
        let at = usize::try_from(event.position.get() - 1).unwrap_or(usize::MAX);
        self.log.get(at) == Some(event)
    }
}

impl World {
    /// Learns what has been shown since the last time.
    pub(super) fn learn(&mut self) -> Result<(), String> {
        let Some(engine) = self.store.as_ref().map(|store| store.engine().clone()) else { return Ok(()) };
        // Closing has begun.
        let Ok(head) = pollster::block_on(engine.head()) else { return Ok(()) };
        if Position::number(head.position) <= self.truth.end() {
            return Ok(());
        }
        let options = ReadOptions::default().after(Position::new(self.truth.end()));
        let (_, events, failed) = read_some(&engine, &Query::All, options);
        for event in events {
            if event.position.get() != self.truth.end() + 1 {
                return Err(format!("after {} came {}", self.truth.end(), event.position));
            }
            self.truth.log.push(event);
        }
        failed.map_or(Ok(()), |error| self.refused("a read of what is new", &error))
    }

    /// Reads the log in pieces: what is not harmed is served, right to the byte, and the rest is served or refused.
    pub(super) fn survey(&self, verdict: &Verdict) -> Result<(), String> {
        let sealed = verdict.stored.sealed();
        for &segment in &verdict.stored.segments {
            self.piece(segment, verdict.is_whole(segment))?;
        }
        let is_writable = self.store.as_ref().is_some_and(factlog_engine::simulation::Stepped::is_writable);
        let harmed = verdict.stored.frames.iter().find(|frame| !verdict.is_intact(frame));
        let whole_to = harmed.filter(|_| !is_writable).map_or(self.truth.end(), |frame| frame.first - 1);
        let whole_to = whole_to.clamp(sealed, self.truth.end().max(sealed));
        self.piece((sealed + 1, whole_to), true)?;
        self.piece((whole_to + 1, self.truth.end()), false)
    }

    /// Reads positions forwards, and what is left of them backwards.
    pub(super) fn piece(&self, (first, last): (u64, u64), whole: bool) -> Result<(), String> {
        let last = last.min(self.truth.end());
        if last < first {
            return Ok(());
        }
        let engine = self.engine();
        let until = Position::new(last).expect("not 0");
        let mut options = ReadOptions::default().after(Position::new(first - 1)).until(until);
        for backwards in [false, true] {
            options = if backwards { options.backwards() } else { options };
            let (_, events, failed) = read_some(&engine, &Query::All, options);
            let count = events.len() as u64;
            if let Some(wrong) = events.iter().find(|event| !self.truth.is(event)) {
                return Err(format!("position {} was served with other content", wrong.position));
            }
            let in_order = events.iter().map(|event| event.position.get());
            let dense = if backwards {
                in_order.rev().eq(last + 1 - count..=last)
            } else {
                in_order.eq(first..first + count)
            };
            match failed {
                _ if !dense => return Err(format!("a piece of {first} to {last} was served with a gap")),
                None if first + count == last + 1 => return Ok(()),
                None => return Err(format!("of {first} to {last} only {count} were served, and no error")),
                Some(error) if whole && !self.is_harmed_since(first, last) => {
                    return Err(format!("{first} to {last} are not harmed and were refused: {error}"));
                }
                Some(error) => self.refused("a survey", &error)?,
            }
        }
        Ok(())
    }

    /// Whether the segment with these positions has been harmed by reading it.
    fn is_harmed_since(&self, first: u64, last: u64) -> bool {
        self.is_rotting() && !Verdict::of(&self.disk).is_whole((first, last))
    }
}

/// Reads until the end or an error.
pub(super) fn read_some(
    engine: &Engine,
    query: &Query,
    options: ReadOptions,
) -> (Option<Position>, Vec<RecordedEvent>, Option<factlog_core::Error>) {
    let mut stream = engine.read(query.clone(), options);
    let mut events = Vec::new();
    let head = match pollster::block_on(stream.head()) {
        Ok(head) => head,
        Err(error) => return (None, events, Some(error)),
    };
    loop {
        match pollster::block_on(stream.next()) {
            None => return (head, events, None),
            Some(Ok(event)) => events.push(event),
            Some(Err(error)) => return (head, events, Some(error)),
        }
    }
}
