//! Leases: who may move the checkpoint of which partitions, over threads and processes.
//!
//! * A lease is a row with an owner, an epoch and an end. Whoever takes one raises the epoch; every commit of a
//!   holder expects the row as it last wrote it, so one that was paused writes nothing (trap 28).
//! * The end of a lease decides only when another may take it. Nothing that is right depends on a clock.
//! * A row that reaches over a bound is cut there; each piece keeps its checkpoint. So the number of workers may
//!   change, and a range with several positions passes over what a piece already has.

use std::ops::Range;
use std::time::Duration;

use factlog_core::{Error, Result, Timestamp};

use super::rows::{self, Checkpoint, ROWS_MAX, RangeRow};
use super::sink::Committed;
use super::target::{Control, Target};

/// A range that this worker may move.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) from: u16,
    pub(super) row: RangeRow,
    /// The row as it is in the sink.
    pub(super) text: String,
    pub(super) reached: Checkpoint,
}

/// How leases are taken.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) owner: String,
    /// How long one lasts; `None` where a read model belongs to one process, which takes over at once.
    pub(super) lease: Option<Duration>,
}

/// What a lease lasts where nobody waits for its end.
const UNSHARED: Duration = Duration::from_secs(10);

impl Terms {
    pub(super) fn length(&self) -> Duration {
        self.lease.unwrap_or(UNSHARED)
    }

    pub(super) fn until(&self, now: Timestamp) -> i64 {
        now.as_micros().saturating_add(micros(self.length()))
    }

    /// The part of a row that may be taken now.
    fn part(&self, from: u16, row: &RangeRow, slot: &Range<u16>, now: Timestamp) -> Option<Range<u16>> {
        let overlap = from.max(slot.start)..row.to.min(slot.end);
        let mine = row.owner.as_ref() == Some(&self.owner);
        if self.lease.is_none() {
            return (!overlap.is_empty()).then_some(overlap);
        }
        if mine {
            return Some(from..row.to);
        }
        let now = now.as_micros();
        // Whoever would take it first has had a whole lease's time to do so.
        if row.until.saturating_add(micros(self.length())) < now {
            return Some(from..row.to);
        }
        ((row.owner.is_none() || row.until < now) && !overlap.is_empty()).then_some(overlap)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Takes what can be had of a slot, and what nobody cares for; one that is held already stays as it is.
pub(super) fn acquire<T: Target>(
    target: &T,
    generation: u64,
    slot: &Range<u16>,
    terms: &Terms,
    known: &[Held],
    now: Timestamp,
) -> Result<Vec<Held>> {
    let mut held = Vec::new();
    for (name, text) in target.rows(&rows::ranges(generation), ROWS_MAX)? {
        if let Some(kept) =
            known.iter().find(|held| rows::range(generation, held.from) == name && held.text == text)
        {
            held.push(kept.clone());
            continue;
        }
        let (from, row) = parsed(&name, &text)?;
        let Some(part) = terms.part(from, &row, slot, now) else { continue };
        let taken = take(target, generation, (from, &row, &text), &part, terms, now)?;
        held.extend(taken);
    }
    Ok(held)
}

pub(super) fn parsed(name: &str, text: &str) -> Result<(u16, RangeRow)> {
    let damaged = || rows::damaged(name, text);
    let from = u16::try_from(rows::number(name)?).map_err(|_| damaged())?;
    let row: RangeRow = rows::read(name, text)?;
    let sound = from < row.to && row.to <= super::partition::PARTITIONS && row.checkpoint().is_some();
    if sound { Ok((from, row)) } else { Err(damaged()) }
}

/// Takes a part of a row, or nothing where somebody else was faster.
fn take<T: Target>(
    target: &T,
    generation: u64,
    (from, row, text): (u16, &RangeRow, &str),
    part: &Range<u16>,
    terms: &Terms,
    now: Timestamp,
) -> Result<Option<Held>> {
    let mut mine = row.clone();
    mine.to = part.end;
    mine.epoch += 1;
    mine.owner = Some(terms.owner.clone());
    mine.until = terms.until(now);
    let mine_text = rows::write(&mine);
    let free = |to: u16| {
        let mut free = row.clone();
        free.to = to;
        free.epoch += 1;
        free.owner = None;
        free.until = now.as_micros();
        rows::write(&free)
    };
    let mut control = Control::default();
    let mut pieces = vec![(part.start, mine_text.clone())];
    if from < part.start {
        pieces.push((from, free(part.start)));
    }
    if part.end < row.to {
        pieces.push((part.end, free(row.to)));
    }
    for (start, piece) in pieces {
        let before = (start == from).then(|| text.to_owned());
        control.change(rows::range(generation, start), before, Some(piece));
    }
    Ok(match target.write(control)? {
        Committed::Written => {
            let reached = mine.checkpoint().expect("checked when it was read");
            Some(Held { from: part.start, row: mine, text: mine_text, reached })
        }
        Committed::Refused => None,
    })
}

/// Whether the worker still holds all of these, as far as the sink knows.
pub(super) fn intact<T: Target>(target: &T, generation: u64, held: &[Held]) -> Result<bool> {
    let found = target.rows(&rows::ranges(generation), ROWS_MAX)?;
    Ok(held.iter().all(|held| {
        let name = rows::range(generation, held.from);
        found.get(&name).and_then(|text| parsed(&name, text).ok()).is_some_and(|(_, row)| {
            row.epoch == held.row.epoch && row.owner == held.row.owner && row.to == held.row.to
        })
    }))
}

/// Why a worker of a read model that belongs to one process goes no further.
pub(super) fn taken_over(name: &str) -> Error {
    Error::invalid(format!(
        "read model {name} was written by somebody else meanwhile; run it in one process, once, or let processes share it"
    ))
}
