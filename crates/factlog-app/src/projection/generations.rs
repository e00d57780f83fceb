//! Generations: building a changed read model beside the one readers see, switching at one exact position, and back.
//!
//! * What is served is one row. A switch is one commit that expects every checkpoint of both generations, so
//!   the position at which side effects pass from one to the other is exact (traps 15, 16): the old one owes those
//!   up to it, the new one those above and those that wait behind a parked key of the old one.
//! * The generation that was left is kept until the next is built. Documents need no code to be served.

use std::collections::BTreeMap;

use factlog_core::{Error, Position, Result, Timestamp};

use super::acts;
use super::debts::{self, Debts};
use super::lease;
use super::orders::Hand;
use super::rows::{self, GIVEN_UP, GenerationRow, Phase, ROWS_MAX, RangeRow, WANTED};
use super::sink::{Committed, Rows, SERVING};
use super::target::{Control, Target};

/// Rows removed in one commit.
const REMOVED_MAX: usize = 5_000;
/// How long a generation stands still for another at most. Readers are answered meanwhile.
pub(super) const HOLD_MICROS: i64 = 1_000_000;

/// What the sink held when it was opened, and what was made of it.
#[derive(Debug)]
pub(super) struct Opened {
    /// Why the present version began from the first event just now.
    pub(super) because: Option<String>,
}

/// Makes sure that there is a generation of this version. The first one has to begin to have side effects somewhere.
pub(super) fn open<T: Target>(
    target: &T,
    fingerprint: &str,
    identity: &str,
    begin: Option<&Debts>,
    now: Timestamp,
) -> Result<Opened> {
    loop {
        let serving = target.rows(SERVING, 1)?.remove(SERVING);
        let Some(serving) = serving else {
            let begin = begin.ok_or_else(|| debts::unsaid(T::NAME))?;
            if first(target, fingerprint, identity, begin, now)? == Committed::Written {
                return Ok(Opened { because: None });
            }
            continue;
        };
        check(target)?;
        let known = all(target)?;
        let serving: u64 = serving.parse().map_err(|_| rows::damaged(SERVING, &serving))?;
        let mine = |row: &GenerationRow| row.version == T::VERSION && row.fingerprint == fingerprint;
        if known.values().any(mine) {
            return Ok(Opened { because: None });
        }
        let served = known.get(&serving).ok_or_else(|| rows::damaged(SERVING, &serving.to_string()))?;
        let because = match served.version == T::VERSION {
            true => "the events it folds have changed".to_owned(),
            false => {
                let (old, new) = (served.version, T::VERSION);
                format!("it was built by version {old} of the projection, this is version {new}")
            }
        };
        if build(target, fingerprint, &because, Past::Same, now, Hand::EMPTY)?.is_some() {
            return Ok(Opened { because: Some(because) });
        }
    }
}

fn new_row<T: Target>(fingerprint: &str, phase: Phase, because: Option<String>) -> GenerationRow {
    GenerationRow {
        version: T::VERSION,
        fingerprint: fingerprint.to_owned(),
        phase,
        because,
        effects_after: Vec::new(),
        owed: BTreeMap::new(),
    }
}

fn first<T: Target>(
    target: &T,
    fingerprint: &str,
    identity: &str,
    begin: &Debts,
    now: Timestamp,
) -> Result<Committed> {
    let mut control = Control { dropped: Some(1), ..Control::default() };
    let mut row = new_row::<T>(fingerprint, Phase::Serving, None);
    begin.burden(&mut row);
    acts::identity(&mut control, identity);
    control.change(SERVING.to_owned(), None, Some("1".to_owned()));
    control.change(rows::generation(1), None, Some(rows::write(&row)));
    control.change(rows::range(1, 0), None, Some(whole(now)));
    control.put(rows::ANEW.to_owned(), Some(String::new()));
    target.write(control)
}

fn whole(now: Timestamp) -> String {
    let mut row = RangeRow::free(super::partition::PARTITIONS);
    row.until = now.as_micros();
    rows::write(&row)
}

pub(super) fn all<T: Target>(target: &T) -> Result<BTreeMap<u64, GenerationRow>> {
    let found = target.rows("generation/", ROWS_MAX)?;
    found.iter().map(|(name, text)| Ok((rows::number(name)?, rows::read(name, text)?))).collect()
}

/// Damage that is known when the file is opened is said then.
fn check<T: Target>(target: &T) -> Result<()> {
    for (name, text) in target.rows("range/", ROWS_MAX)? {
        lease::parsed(&name, &text)?;
    }
    Ok(())
}

/// Whether what readers see is of the log that is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    Same,
    /// It is of another, or of one that was restored from an older copy: which side effects of this one went out nobody
    /// knows. Those of the events up to the head, at the time the build was asked for, are taken to have done so.
    Other {
        head: Option<Position>,
    },
}

/// Begins an empty generation beside the one readers see; any other but that one is dropped. `None` where somebody
/// else was faster.
pub(super) fn build<T: Target>(
    target: &T,
    fingerprint: &str,
    because: &str,
    past: Past,
    now: Timestamp,
    hand: Hand<'_>,
) -> Result<Option<u64>> {
    let Some(serving) = target.rows(SERVING, 1)?.remove(SERVING) else { return Ok(None) };
    let left: u64 = serving.parse().map_err(|_| rows::damaged(SERVING, &serving))?;
    let known = all(target)?;
    for number in known.keys().filter(|number| **number != left) {
        drop_generation(target, *number)?;
    }
    let number = known.keys().next_back().copied().unwrap_or(left) + 1;
    let mut row = new_row::<T>(fingerprint, Phase::Building, Some(because.to_owned()));
    let served = known.get(&left).ok_or_else(|| rows::damaged(SERVING, &serving))?;
    let debts = match past {
        Past::Same => Debts::left_by(target, left, served, &target.rows(&rows::ranges(left), ROWS_MAX)?)?,
        Past::Other { head } => Debts::above(head),
    };
    debts.burden(&mut row);
    let mut control = Control { dropped: Some(number), ..Control::default() };
    control.put(GIVEN_UP.to_owned(), None);
    control.expected.push((SERVING.to_owned(), Some(serving)));
    control.change(rows::generation(number), None, Some(rows::write(&row)));
    control.change(rows::range(number, 0), None, Some(whole(now)));
    control.put(WANTED.to_owned(), None);
    hand.close(&mut control, &built(number));
    Ok((target.write(control)? == Committed::Written).then_some(number))
}

/// What is said of a build that began, and of a switch.
pub(super) fn built(number: u64) -> String {
    format!("generation {number} is built")
}

pub(super) fn seen_now(number: u64) -> String {
    format!("generation {number} is what readers see")
}

/// Removes a generation that readers do not see, with all it has.
pub(super) fn drop_generation<T: Target>(target: &T, number: u64) -> Result<()> {
    let Some(serving) = target.rows(SERVING, 1)?.remove(SERVING) else { return Ok(()) };
    if serving.parse() == Ok(number) {
        return Err(Error::invalid("the generation readers see cannot be dropped; switch first"));
    }
    let guarded =
        || Control { expected: vec![(SERVING.to_owned(), Some(serving.clone()))], ..Control::default() };
    let mut control = guarded();
    control.dropped = Some(number);
    control.put(rows::generation(number), None);
    control.put(format!("status/{number:08}"), None);
    for prefix in rows::of_generation(number) {
        loop {
            let names = target.rows(&prefix, REMOVED_MAX)?;
            // The last of them goes with the generation itself, so that what is dropped is dropped whole or is met again.
            if names.is_empty() {
                break;
            }
            let mut part = guarded();
            part.rows = names.into_keys().map(|name| (name, None)).collect();
            if target.write(part)? == Committed::Refused {
                return Ok(());
            }
        }
    }
    // Refused only where it is served now, and then it must stay.
    let (Committed::Written | Committed::Refused) = target.write(control)?;
    Ok(())
}

/// What came of a switch that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switched {
    /// Readers see it from now on.
    Done,
    /// Readers would go back in time: it has not come as far as what they see.
    Behind,
    /// Somebody moved meanwhile; try again.
    Moved,
}

/// Which way a switch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// To one that has come as far.
    On,
    /// To one that may be behind, because somebody wants it.
    Back,
    /// Away from one that is of another log.
    Away,
}

/// Makes a generation the one readers see, in one commit.
pub(super) fn switch<T: Target>(
    target: &T,
    to: u64,
    course: Course,
    seen: Option<Position>,
    hand: Hand<'_>,
) -> Result<Switched> {
    let Some(serving) = target.rows(SERVING, 1)?.remove(SERVING) else { return Ok(Switched::Moved) };
    let from: u64 = serving.parse().map_err(|_| rows::damaged(SERVING, &serving))?;
    if from == to {
        return Ok(Switched::Done);
    }
    let (old_name, new_name) = (rows::generation(from), rows::generation(to));
    let (old_text, new_text) =
        (target.rows(&old_name, 1)?.remove(&old_name), target.rows(&new_name, 1)?.remove(&new_name));
    let (Some(old_text), Some(new_text)) = (old_text, new_text) else { return Ok(Switched::Moved) };
    let mut old: GenerationRow = rows::read(&old_name, &old_text)?;
    let mut new: GenerationRow = rows::read(&new_name, &new_text)?;
    let left = target.rows(&rows::ranges(from), ROWS_MAX)?;
    let taken = target.rows(&rows::ranges(to), ROWS_MAX)?;
    if course == Course::On && least(&taken)? < furthest(&left)?.max(seen) {
        return Ok(Switched::Behind);
    }
    let mut control = Control::default();
    control.change(SERVING.to_owned(), Some(serving), Some(to.to_string()));
    let debts = match course {
        Course::On | Course::Back => Debts::left_by(target, from, &old, &left)?,
        Course::Away => Debts::own(&new, &taken)?,
    };
    // Neither may move meanwhile, and what is held back by the one must be all that it has.
    control.expected.extend(left.into_iter().chain(taken).map(|(name, text)| (name, Some(text))));
    // What is left is to hold back what it may owe when it is switched back to.
    debts.burden(&mut new);
    debts.burden(&mut old);
    new.phase = Phase::Serving;
    old.phase = Phase::Kept;
    control.put(rows::hold(from), None);
    control.put(WANTED.to_owned(), None);
    hand.close(&mut control, &seen_now(to));
    debts.release(target, to, &mut control)?;
    control.change(old_name, Some(old_text), Some(rows::write(&old)));
    control.change(new_name, Some(new_text), Some(rows::write(&new)));
    Ok(match target.write(control)? {
        Committed::Written => Switched::Done,
        Committed::Refused => Switched::Moved,
    })
}

/// Bids a generation stand still for a moment, so that the one that is built can catch up with it.
pub(super) fn hold<T: Target>(target: &T, from: u64, now: Timestamp) -> Result<()> {
    let name = rows::hold(from);
    let mut control = Control::default();
    let until = now.as_micros().saturating_add(HOLD_MICROS);
    control.change(name, None, Some(until.to_string()));
    // It stands still already, perhaps for somebody else.
    let (Committed::Written | Committed::Refused) = target.write(control)?;
    Ok(())
}

fn positions(ranges: &Rows) -> Result<Vec<Option<Position>>> {
    let parsed = ranges.iter().map(|(name, text)| lease::parsed(name, text));
    parsed.map(|range| Ok(range?.1.position.and_then(Position::new))).collect()
}

fn least(ranges: &Rows) -> Result<Option<Position>> {
    Ok(positions(ranges)?.into_iter().min().flatten())
}

fn furthest(ranges: &Rows) -> Result<Option<Position>> {
    Ok(positions(ranges)?.into_iter().max().flatten())
}
