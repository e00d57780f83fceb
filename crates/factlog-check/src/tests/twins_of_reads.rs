//! Broken twins whose log is right and whose reads, heads and subscriptions are not: stale, early, torn, left out.

use factlog_core::{Direction, Position, Query, ReadOptions, RecordedEvent};
use fastrand::Rng;

use super::twins::{Twin, acknowledged, pick, twins};
use super::{Property, append_of};
use crate::history::{History, Operation, What};

twins! {
    a_read_is_stale breaks RealTime;
    a_head_is_stale breaks RealTime;
    a_head_is_early breaks RealTime;
    a_head_splits_an_append breaks RealTime;
    a_read_misses_an_event breaks Reads;
    a_read_repeats_an_event breaks Reads;
    a_read_changes_an_event breaks Reads;
    a_read_is_in_the_wrong_order breaks Reads;
    a_read_finds_too_much breaks Reads;
    a_subscription_skips_an_event breaks Subscriptions unseen;
    a_subscription_repeats_an_event breaks Subscriptions unseen;
    a_subscription_claims_to_have_caught_up breaks Subscriptions unseen;
    a_subscription_delivers_before_the_append_is_asked_for breaks Subscriptions unseen;
}

/// An answered operation, and an append that was acknowledged before it was asked.
fn before<T>(
    history: &History,
    rng: &mut Rng,
    choose: impl Fn(&Operation) -> Option<T>,
) -> Option<(usize, T, u64)> {
    let (at, what) = pick(history, rng, |it| it.ended.and_then(|_| choose(it)))?;
    let begun = history.operations[at].begun;
    let earlier = |it: &Operation| acknowledged(it).filter(|_| it.ended.is_some_and(|ended| ended < begun));
    Some((at, what, pick(history, rng, earlier)?.1.0))
}

fn head_of(operation: &Operation) -> Option<()> {
    matches!(operation.what, What::Head { .. }).then_some(())
}

fn read_of(operation: &Operation) -> Option<(Query, ReadOptions)> {
    match &operation.what {
        What::Read { query, options, .. } => Some((query.clone(), *options)),
        What::Append { .. }
        | What::Deliveries { .. }
        | What::CaughtUp { .. }
        | What::Tracking { .. }
        | What::PositionAt { .. }
        | What::Head { .. } => None,
    }
}

/// What a read of the log up to a head would find.
fn scan(log: &[RecordedEvent], query: &Query, options: &ReadOptions, head: u64) -> Vec<RecordedEvent> {
    let wanted = |event: &&RecordedEvent| {
        event.position.get() <= head
            && options.after < Some(event.position)
            && options.until.is_none_or(|until| event.position <= until)
            && options.from_revision.is_none_or(|from| event.revision.is_some_and(|it| from <= it))
            && query.matches(&event.event)
    };
    let mut found: Vec<RecordedEvent> = log.iter().filter(wanted).cloned().collect();
    if options.direction == Direction::Backwards {
        found.reverse();
    }
    found.truncate(options.limit.map_or(usize::MAX, |limit| limit as usize));
    found
}

fn a_read_is_stale(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, (query, options), first) = before(history, rng, read_of)?;
    let found = scan(&history.log, &query, &options, first - 1);
    history.operations[at].what = What::Read { query, options, head: Position::new(first - 1), found };
    Some(())
}

fn a_head_is_stale(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, (), first) = before(history, rng, head_of)?;
    history.operations[at].what = What::Head { found: Position::new(first - 1) };
    Some(())
}

fn a_head_is_early(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, ended) = pick(history, rng, |it| head_of(it).and(it.ended))?;
    let later = |it: &Operation| acknowledged(it).filter(|_| ended < it.begun);
    let (_, last) = pick(history, rng, later)?.1;
    history.operations[at].what = What::Head { found: Position::new(last) };
    Some(())
}

fn a_head_splits_an_append(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, _) = pick(history, rng, |it| head_of(it).and(it.ended))?;
    let (first, _) = pick(history, rng, |it| acknowledged(it).filter(|(first, last)| first < last))?.1;
    history.operations[at].what = What::Head { found: Position::new(first) };
    Some(())
}

/// Changes what a read or a delivery with at least `least` events found.
fn found_in(
    history: &mut History,
    rng: &mut Rng,
    least: usize,
    change: impl FnOnce(&mut Vec<RecordedEvent>, &mut Rng),
) -> Option<()> {
    let long = |it: &Operation| match &it.what {
        What::Read { found, .. } => it.ended.filter(|_| least <= found.len()),
        What::Append { .. }
        | What::Deliveries { .. }
        | What::CaughtUp { .. }
        | What::Tracking { .. }
        | What::PositionAt { .. }
        | What::Head { .. } => None,
    };
    let (at, _) = pick(history, rng, long)?;
    let What::Read { found, .. } = &mut history.operations[at].what else { return None };
    change(found, rng);
    Some(())
}

fn a_read_misses_an_event(history: &mut History, rng: &mut Rng) -> Option<()> {
    found_in(history, rng, 1, |found, rng| drop(found.remove(rng.usize(..found.len()))))
}

fn a_read_repeats_an_event(history: &mut History, rng: &mut Rng) -> Option<()> {
    found_in(history, rng, 1, |found, rng| {
        let at = rng.usize(..found.len());
        found.insert(at, found[at].clone());
    })
}

fn a_read_changes_an_event(history: &mut History, rng: &mut Rng) -> Option<()> {
    found_in(history, rng, 1, |found, rng| {
        let at = rng.usize(..found.len());
        found[at].event.data = "not what was recorded".into();
    })
}

fn a_read_is_in_the_wrong_order(history: &mut History, rng: &mut Rng) -> Option<()> {
    found_in(history, rng, 2, |found, _| found.reverse())
}

fn a_read_finds_too_much(history: &mut History, rng: &mut Rng) -> Option<()> {
    let extra = history.log.last()?.clone();
    found_in(history, rng, 0, |found, _| found.extend([extra.clone(), extra]))
}

/// A delivery that is followed by another of the same subscription, and how many events it has.
fn deliveries_of(history: &History, rng: &mut Rng, least: usize) -> Option<usize> {
    let long = |it: &Operation| match &it.what {
        What::Deliveries { found, .. } => (least <= found.len()).then_some(()),
        What::Append { .. }
        | What::Read { .. }
        | What::CaughtUp { .. }
        | What::Tracking { .. }
        | What::PositionAt { .. }
        | What::Head { .. } => None,
    };
    pick(history, rng, long).map(|(at, ())| at)
}

fn a_subscription_skips_an_event(history: &mut History, rng: &mut Rng) -> Option<()> {
    let at = deliveries_of(history, rng, 3)?;
    let What::Deliveries { found, .. } = &mut history.operations[at].what else { return None };
    found.remove(1);
    Some(())
}

fn a_subscription_repeats_an_event(history: &mut History, rng: &mut Rng) -> Option<()> {
    let at = deliveries_of(history, rng, 1)?;
    let What::Deliveries { found, .. } = &mut history.operations[at].what else { return None };
    found.push(found.last()?.clone());
    Some(())
}

/// The last event before the subscription says that it has caught up, or the last of all, never came.
fn a_subscription_claims_to_have_caught_up(history: &mut History, rng: &mut Rng) -> Option<()> {
    let at = deliveries_of(history, rng, 1)?;
    let What::Deliveries { found, subscription, .. } = &mut history.operations[at].what else { return None };
    let subscription = *subscription;
    let missed = found.pop()?;
    let begun = history.operations[at].begun;
    let operation = &history.operations[at];
    let what = What::CaughtUp { subscription, found: Some(missed.position) };
    let told = Operation { begun, ended: operation.ended.or(Some(begun)), what, ..operation.clone() };
    history.operations.insert(at + 1, told);
    Some(())
}

fn a_subscription_delivers_before_the_append_is_asked_for(
    history: &mut History,
    rng: &mut Rng,
) -> Option<()> {
    let at = deliveries_of(history, rng, 1)?;
    let What::Deliveries { found, .. } = &history.operations[at].what else { return None };
    let last = found.last()?.position.get();
    let holds = |it: &Operation| acknowledged(it).filter(|(first, end)| (*first..=*end).contains(&last));
    let (writer, _) = pick(history, rng, holds)?;
    history.operations[at].ended = Some(history.operations[at].begun);
    history.operations[writer].begun = history.operations[at].begun + 1;
    // Whoever else appended the same stays out of it.
    let events = append_of(&history.operations[writer])?.0.events.clone();
    let is_same = |it: &Operation| append_of(it).is_some_and(|(append, _)| append.events == events);
    (history.operations.iter().filter(|it| is_same(it)).count() == 1).then_some(())
}
