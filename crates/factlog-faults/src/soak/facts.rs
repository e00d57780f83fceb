//! The events: each has a lane and a number in its lane, so that whoever follows a lane knows what comes next.
//!
//! Their data is drawn from their place, and cannot be compressed: a log of 3 GiB takes 3 GiB.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use factlog_core::{
    Append, ContentType, Event, EventStore as _, EventType, Query, QueryItem, RecordedEvent, StreamId, Tags,
};
use factlog_engine::{Engine, Settings};
use fastrand::Rng;

use crate::check::say;

/// Lanes, each a stream and a tag.
pub(super) const LANES: u64 = 1_000;
/// Bytes of an event. Those that come later fill what the engine keeps in memory, 24 MiB, within a minute: so it is sealed again and
/// again, and a slope over five minutes is not that of one filling.
const EVENT_BYTES: usize = 4 << 10;
/// Events of one append while the store is filled.
const BATCH: u64 = 1_000;
/// The type of all of them; the server's own facts have others.
const TYPE: &str = "soak.went";

/// How many there are.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    filled: u64,
    count: u64,
}

impl Facts {
    /// Events that were there before.
    pub(super) fn filled(&self) -> u64 {
        self.filled
    }

    /// Events of a lane so far.
    pub(super) fn in_lane(&self, lane: u64) -> u64 {
        self.count / LANES + u64::from(lane < self.count % LANES)
    }

    /// The next ones.
    pub(super) fn next(&mut self, count: u64) -> Result<Vec<Event>> {
        let first = self.count;
        self.count += count;
        (first..first + count).map(|number| event(number, EVENT_BYTES)).collect()
    }
}

/// Fills a new store at full speed and closes it.
pub(super) fn fill(dir: &Path, bytes: u64) -> Result<Facts> {
    let filled = (bytes / EVENT_BYTES as u64).next_multiple_of(BATCH);
    say(&format!("soak: filling a log of {filled} events of {EVENT_BYTES} bytes"));
    let engine = Engine::open(dir, Settings::default()).context("the store could not be opened")?;
    for first in (0..filled).step_by(usize::try_from(BATCH)?) {
        let events: Result<Vec<Event>> =
            (first..first + BATCH).map(|number| event(number, EVENT_BYTES)).collect();
        pollster::block_on(engine.append(Append::new(events?))).context("the store could not be filled")?;
    }
    pollster::block_on(engine.close()).context("the store could not be closed")?;
    Ok(Facts { filled, count: filled })
}

fn event(number: u64, bytes: usize) -> Result<Event> {
    let (lane, turn) = (number % LANES, number / LANES);
    let event = Event::new(EventType::new(TYPE)?, data(lane, turn, bytes))
        .in_stream(StreamId::new(format!("lane-{lane}"))?)
        .tagged(Tags::new([format!("lane:{lane}")])?)
        .with_content_type(ContentType::new("application/octet-stream")?);
    Ok(event)
}

fn data(lane: u64, turn: u64, bytes: usize) -> Vec<u8> {
    let mut data = vec![0; bytes];
    Rng::with_seed(turn * LANES + lane).fill(&mut data[16..]);
    data[..8].copy_from_slice(&lane.to_le_bytes());
    data[8..16].copy_from_slice(&turn.to_le_bytes());
    data
}

/// Whoever follows this lane by its tag.
pub(super) fn by_tag(lane: u64) -> Result<Query> {
    Ok(Query::any_of([QueryItem::tagged(Tags::new([format!("lane:{lane}")])?)])?)
}

/// Whoever follows this lane by its stream.
pub(super) fn by_stream(lane: u64) -> Result<Query> {
    Ok(Query::stream(StreamId::new(format!("lane-{lane}"))?))
}

/// The lane of an event and its number there; `None` for what the server has recorded of itself.
pub(super) fn place(recorded: &RecordedEvent) -> Result<Option<(u64, u64)>> {
    if recorded.event.event_type.as_str() != TYPE {
        return Ok(None);
    }
    let number = |from: usize| -> Result<u64> {
        let bytes = recorded.event.data.get(from..from + 8).context("an event is cut short")?;
        Ok(u64::from_le_bytes(bytes.try_into()?))
    };
    Ok(Some((number(0)?, number(8)?)))
}

/// Whether an event that was there before is what was written at its position.
pub(super) fn is_as_filled(recorded: &RecordedEvent) -> Result<()> {
    let number = recorded.position.get() - 1;
    let expected = data(number % LANES, number / LANES, EVENT_BYTES);
    ensure!(
        recorded.event.data == expected,
        "the data at position {} is not what was written",
        recorded.position
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    //! A follower that expects the wrong number finds no event that is missing.
    use super::*;

    #[test]
    fn lanes_are_counted_as_they_are_filled() {
        let mut facts = Facts { filled: 2_000, count: 2_000 };
        assert_eq!((facts.in_lane(0), facts.in_lane(999)), (2, 2));
        facts.next(10).expect("events");
        assert_eq!((facts.in_lane(0), facts.in_lane(9), facts.in_lane(10)), (3, 3, 2));
    }
}
