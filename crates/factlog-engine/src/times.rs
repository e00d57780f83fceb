//! Time travel: when a position was recorded, and the last position recorded by a time.
//!
//! Times never go back over positions. All events of a frame have one time, and so have segments their first and
//! last, blocks their first: a search narrows down from the view to one block.

use factlog_core::{Error, Result, Timestamp};

use crate::damage::Damage;
use crate::fields::Malformed;
use crate::record;
use crate::shared::Shared;

fn malformed(position: u64) -> impl Fn(Malformed) -> Error {
    move |what| Damage::new("the log", 0, (position, position), what.to_string()).to_error()
}

impl Shared {
    /// When the event at a durable position was recorded.
    pub(crate) fn time_of(&self, position: u64) -> Result<Timestamp> {
        let mut position = position;
        // Where the position itself is lost, what is in front of it is the best there is.
        for (first, last) in self.damage.iter().rev().filter_map(Damage::lost) {
            if first <= position && position <= last {
                position = first - 1;
            }
        }
        if position == 0 {
            return Ok(Timestamp::from_micros(0));
        }
        let view = self.view();
        if let Some(time) = view.generation_of(position).and_then(|generation| generation.time_of(position)) {
            return Ok(time);
        }
        if let Some(segment) = view.segment_of(position).filter(|segment| segment.entry.last == position) {
            return Ok(Timestamp::from_micros(segment.entry.last_recorded_at));
        }
        let records = self.records(position, true)?;
        let names = records.record(position).and_then(record::names).map_err(malformed(position))?;
        Ok(Timestamp::from_micros(names.recorded_at))
    }

    /// The last position recorded at or before `time`, at most `head`; 0 if there is none.
    ///
    /// # Errors
    /// `Corrupt` when what follows it is lost, and may have been recorded by then too.
    pub(crate) fn position_at(&self, time: Timestamp, head: u64) -> Result<u64> {
        let position = self.known_position_at(time, head)?;
        // Nobody knows when an event was recorded that is lost. Of sealed ones the manifest does, and their blocks.
        match self.lost(position + 1) {
            Some(damage) if position < head && self.view().sealed() <= position => Err(damage.to_error()),
            Some(_) | None => Ok(position),
        }
    }

    fn known_position_at(&self, time: Timestamp, head: u64) -> Result<u64> {
        let micros = time.as_micros() - i64::from(planted!(TimeIsExclusive));
        let time = Timestamp::from_micros(micros);
        let view = self.view();
        for generation in view.generations.iter().rev() {
            let position = generation.position_at(time, head);
            if generation.first() <= position {
                return Ok(position);
            }
        }
        let after = view.segments.partition_point(|segment| segment.entry.first_recorded_at <= micros);
        let Some(segment) = after.checked_sub(1).map(|at| view.segments[at].entry) else { return Ok(0) };
        if segment.last_recorded_at <= micros {
            return Ok(segment.last.min(head));
        }
        // The last event of the segment is too late, its first one is not.
        let records = self.records_at(&view.segments[after - 1], micros)?;
        let mut position = records.first;
        for at in records.first..=records.last() {
            let names = records.record(at).and_then(record::names).map_err(malformed(at))?;
            if micros < names.recorded_at {
                break;
            }
            position = at;
        }
        Ok(position.min(head))
    }
}
