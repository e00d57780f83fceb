//! Broken twins whose log is right and whose appends were told what is not: conditions, repeats, tracking.

use factlog_core::{AppendCondition, Conflict, ExpectedRevision, FailedCondition, Position, Query, Revision};
use fastrand::Rng;

use super::twins::{Twin, acknowledged, pick, twins};
use super::{Property, append_of, position, stream, tracking};
use crate::history::{History, Operation, Outcome, What};

twins! {
    a_broken_boundary_is_accepted breaks Conditions;
    a_broken_revision_is_accepted breaks Conditions;
    a_conflict_names_what_holds breaks Conditions;
    a_conflict_names_an_event_that_never_was breaks Conditions;
    a_conflict_names_nothing breaks Conditions;
    a_repeat_is_told_another_place breaks Repeats;
    a_repeat_is_told_that_it_wrote breaks Repeats;
    a_writer_is_told_that_it_repeats breaks Repeats;
    a_repeat_is_refused breaks Repeats;
    tracking_goes_back breaks Tracking;
    tracking_is_invented breaks Tracking;
    tracking_is_early breaks Tracking;
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
    let What::Append { append, outcome: Outcome::Conflict(conflict) } = &mut history.operations[at].what
    else {
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
    let is_original = |it: &Operation| {
        acknowledged(it).filter(|_| append_of(it).is_some_and(|(it, _)| it.events[0].id == first))
    };
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
    let mut same =
        history.operations.iter().filter_map(append_of).filter(|(append, _)| append.events == events);
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
    *outcome = Outcome::Conflict(Conflict { failed });
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
