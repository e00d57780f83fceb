//! Broken twins of answers about times.

use factlog_core::{Position, Timestamp};
use fastrand::Rng;

use super::Property;
use super::twins::{Twin, pick, twins};
use crate::history::{History, Operation, What};

twins! {
    a_time_reaches_one_too_far breaks Times unseen;
    a_time_reaches_one_too_few breaks Times unseen;
    a_time_is_forgotten breaks Times unseen;
    a_time_reaches_what_was_not_yet breaks Times unseen;
}

/// An answered question of a time that reaches the middle of the log, and the answer.
fn asked(operation: &Operation) -> Option<(Timestamp, u64)> {
    match operation.what {
        What::PositionAt { time, found: Some(found) } => operation.ended.map(|_| (time, found.get())),
        _ => None,
    }
}

/// Of these questions, one whose answer the time decided, and not the head.
fn decided(history: &History, rng: &mut Rng) -> Option<(usize, u64)> {
    let last = |time: Timestamp| history.log.partition_point(|event| event.recorded_at <= time) as u64;
    let (at, (_, found)) = pick(history, rng, |it| asked(it).filter(|&(time, found)| found == last(time)))?;
    Some((at, found))
}

fn answer(history: &mut History, at: usize, with: u64) -> Option<()> {
    let What::PositionAt { found, .. } = &mut history.operations[at].what else { return None };
    *found = Position::new(with);
    Some(())
}

fn a_time_reaches_one_too_far(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, found) = decided(history, rng)?;
    answer(history, at, found + 1)
}

/// It is not the head either: a later one had been shown.
fn a_time_reaches_one_too_few(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, found) = decided(history, rng)?;
    let begun = history.operations[at].begun;
    let shown = |it: &Operation| match it.what {
        What::Head { found } => {
            it.ended.is_some_and(|ended| ended < begun).then_some(Position::number(found))
        }
        _ => None,
    };
    let shown = history.operations.iter().filter_map(shown).max()?;
    if shown < found { None } else { answer(history, at, found - 1) }
}

fn a_time_is_forgotten(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, _) = decided(history, rng)?;
    let begun = history.operations[at].begun;
    let shown = |it: &Operation| {
        matches!(it.what, What::Head { found: Some(_) }) && it.ended.is_some_and(|ended| ended < begun)
    };
    let is_shown = history.operations.iter().any(shown);
    if is_shown { answer(history, at, 0) } else { None }
}

/// A question that was answered before anything can have been recorded.
fn a_time_reaches_what_was_not_yet(history: &mut History, _: &mut Rng) -> Option<()> {
    let (time, last) = history.log.last().map(|event| (event.recorded_at, event.position))?;
    let what = What::PositionAt { time, found: Some(last) };
    let first = history.operations.first()?.begun;
    history
        .operations
        .insert(0, Operation { client: 99, begun: first.checked_sub(1)?, ended: Some(first - 1), what });
    Some(())
}
