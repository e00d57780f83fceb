//! Broken twins whose log is right and whose answers are not: stale, early, torn, invented, left out.

use factlog_core::{
    AppendCondition, Direction, ExpectedRevision, FailedCondition, Position, Query, ReadOptions, RecordedEvent,
    Revision,
};
use fastrand::Rng;

use super::twins::{Twin, acknowledged, pick, twins};
use super::{Property, append_of, position, stream, tracking};
use crate::history::{History, Operation, Outcome, What};

twins! {
    a_read_is_stale breaks RealTime;
    a_head_is_stale breaks RealTime;
    a_head_is_early breaks RealTime;
    a_head_splits_an_append breaks RealTime;
    a_broken_boundary_is_accepted breaks Conditions;
    a_broken_revision_is_accepted breaks Conditions;
    a_conflict_names_what_holds breaks Conditions;
    a_conflict_names_an_event_that_never_was breaks Conditions;
    a_conflict_names_nothing breaks Conditions;
    a_read_misses_an_event breaks Reads;
    a_read_repeats_an_event breaks Reads;
    a_read_changes_an_event breaks Reads;
    a_read_is_in_the_wrong_order breaks Reads;
    a_read_finds_too_much breaks Reads;
    a_subscription_skips_an_event breaks Subscriptions unseen;
    a_subscription_repeats_an_event breaks Subscriptions unseen;
    a_subscription_claims_to_have_caught_up breaks Subscriptions unseen;
    a_subscription_delivers_before_the_append_is_asked_for breaks Subscriptions unseen;
    a_repeat_is_told_another_place breaks Repeats;
    a_repeat_is_told_that_it_wrote breaks Repeats;
    a_writer_is_told_that_it_repeats breaks Repeats;
    a_repeat_is_refused breaks Repeats;
    tracking_goes_back breaks Tracking;
    tracking_is_invented breaks Tracking;
    tracking_is_early breaks Tracking;
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

/// Adds a condition to an append that was accepted with something before it.
fn accepted_under(history: &mut History, rng: &mut Rng, condition: AppendCondition) -> Option<()> {
    let (at, _) = pick(history, rng, |it| acknowledged(it).filter(|(first, _)| 1 < *first))?;
    let What::Append { append, .. } = &mut history.operations[at].what else { return None };
    append.conditions.push(condition);
    Some(())
}

fn a_broken_boundary_is_accepted(history: &mut History, rng: &mut Rng) -> Option<()> {
    accepted_under(history, rng, AppendCondition::none_match(Query::All, None))
}

fn a_broken_revision_is_accepted(history: &mut History, rng: &mut Rng) -> Option<()> {
    let expected = ExpectedRevision::At(Revision::new(1_000));
    accepted_under(history, rng, AppendCondition::revision(stream("s-1"), expected))
}

/// Changes what a conflict says.
fn conflict_with(
    history: &mut History,
    rng: &mut Rng,
    change: impl Fn(&mut Vec<AppendCondition>, &mut Vec<FailedCondition>),
) -> Option<()> {
    let is_conflict = |it: &Operation| matches!(append_of(it)?.1, Outcome::Conflict(_)).then_some(());
    let (at, ()) = pick(history, rng, is_conflict)?;
    let What::Append { append, outcome: Outcome::Conflict(conflict) } = &mut history.operations[at].what else {
        return None;
    };
    append.tracking = None;
    conflict.failed.retain(|failed| !matches!(failed, FailedCondition::Tracking { .. }));
    change(&mut append.conditions, &mut conflict.failed);
    Some(())
}

fn a_conflict_names_what_holds(history: &mut History, rng: &mut Rng) -> Option<()> {
    conflict_with(history, rng, |conditions, failed| {
        let (stream, expected) = (stream("s-1"), ExpectedRevision::Any);
        let index = conditions.len();
        conditions.push(AppendCondition::revision(stream.clone(), expected));
        failed.push(FailedCondition::Revision { index, stream, expected, actual: None });
    })
}

fn a_conflict_names_an_event_that_never_was(history: &mut History, rng: &mut Rng) -> Option<()> {
    let never = position(history.log.len() as u64 + 1);
    conflict_with(history, rng, |conditions, failed| {
        let index = conditions.len();
        conditions.push(AppendCondition::none_match(Query::All, None));
        failed.push(FailedCondition::NoneMatch { index, position: never });
    })
}

fn a_conflict_names_nothing(history: &mut History, rng: &mut Rng) -> Option<()> {
    conflict_with(history, rng, |_, failed| failed.clear())
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

fn a_subscription_delivers_before_the_append_is_asked_for(history: &mut History, rng: &mut Rng) -> Option<()> {
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

fn repeat_of(operation: &Operation) -> Option<()> {
    matches!(append_of(operation)?.1, Outcome::Appended(appended) if appended.deduplicated).then_some(())
}

fn a_repeat_is_told_another_place(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, ()) = pick(history, rng, repeat_of)?;
    let What::Append { outcome: Outcome::Appended(appended), .. } = &mut history.operations[at].what else {
        return None;
    };
    (appended.first, appended.last) = (appended.first.next(), appended.last.next());
    Some(())
}

/// A repeat whose original was acknowledged.
fn acknowledged_twice(history: &History, rng: &mut Rng) -> Option<(usize, usize)> {
    let (at, first) = pick(history, rng, |it| {
        repeat_of(it)?;
        Some(append_of(it)?.0.events[0].id)
    })?;
    let is_original = |it: &Operation| acknowledged(it).filter(|_| append_of(it).is_some_and(|(it, _)| it.events[0].id == first));
    Some((at, pick(history, rng, is_original)?.0))
}

fn a_repeat_is_told_that_it_wrote(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, _) = acknowledged_twice(history, rng)?;
    let What::Append { outcome: Outcome::Appended(appended), .. } = &mut history.operations[at].what else {
        return None;
    };
    appended.deduplicated = false;
    Some(())
}

fn a_writer_is_told_that_it_repeats(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, _) = pick(history, rng, acknowledged)?;
    let events = append_of(&history.operations[at])?.0.events.clone();
    let What::Append { outcome: Outcome::Appended(appended), .. } = &mut history.operations[at].what else {
        return None;
    };
    appended.deduplicated = true;
    // Unless there is another that can have written it.
    let mut same = history.operations.iter().filter_map(append_of).filter(|(append, _)| append.events == events);
    same.all(|(_, outcome)| !matches!(outcome, Outcome::Unknown)).then_some(())
}

/// A repeat of what was acknowledged before it was asked is told of a conflict.
fn a_repeat_is_refused(history: &mut History, rng: &mut Rng) -> Option<()> {
    let (at, original) = acknowledged_twice(history, rng)?;
    if history.operations[at].begun <= history.operations[original].ended? {
        return None;
    }
    let What::Append { append, outcome } = &mut history.operations[at].what else { return None };
    append.conditions = vec![AppendCondition::none_match(Query::All, None)];
    append.tracking = None;
    let failed = vec![FailedCondition::NoneMatch { index: 0, position: position(history.log.len() as u64) }];
    *outcome = Outcome::Conflict(factlog_core::Conflict { failed });
    Some(())
}

/// An answered question for tracking, and an acknowledged append that tracks the same source.
fn tracked(
    history: &History,
    rng: &mut Rng,
    is_apart: impl Fn(&Operation, &Operation) -> bool,
) -> Option<(usize, u64)> {
    let mut found = Vec::new();
    for (at, question) in history.operations.iter().enumerate() {
        let What::Tracking { source, .. } = &question.what else { continue };
        for append in &history.operations {
            if let Some((given, _)) = append_of(append)
                && let Some(tracking) = given.tracking.as_ref().filter(|tracking| tracking.source == *source)
                && acknowledged(append).is_some()
                && is_apart(question, append)
            {
                found.push((at, tracking.position.get()));
            }
        }
    }
    (!found.is_empty()).then(|| found.swap_remove(rng.usize(..found.len())))
}

fn answer_tracking(history: &mut History, at: usize, with: u64) -> Option<()> {
    let What::Tracking { found, .. } = &mut history.operations[at].what else { return None };
    *found = Position::new(with);
    Some(())
}

fn tracking_goes_back(history: &mut History, rng: &mut Rng) -> Option<()> {
    let is_before = |question: &Operation, append: &Operation| {
        question.ended.is_some() && append.ended.is_some_and(|ended| ended < question.begun)
    };
    let (at, _) = tracked(history, rng, is_before)?;
    answer_tracking(history, at, 0)
}

fn tracking_is_invented(history: &mut History, rng: &mut Rng) -> Option<()> {
    let is_answered = |it: &Operation| matches!(it.what, What::Tracking { .. }).then_some(()).and(it.ended);
    let (at, _) = pick(history, rng, is_answered)?;
    answer_tracking(history, at, tracking("p", 1_000).position.get())
}

fn tracking_is_early(history: &mut History, rng: &mut Rng) -> Option<()> {
    let is_after =
        |question: &Operation, append: &Operation| question.ended.is_some_and(|ended| ended < append.begun);
    let (at, to) = tracked(history, rng, is_after)?;
    answer_tracking(history, at, to)
}
