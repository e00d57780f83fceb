//! Deciding an append: duplicate, refused, conflict or accepted, by the index alone.
//!
//! Pure: it reads the index, which already counts the appends accepted before it in the same group, and writes
//! nothing. It runs on the writer, so there is no race to lose.

use std::collections::HashMap;

use factlog_core::{
    AppendCondition, Appended, Conflict, Error, FailedCondition, Position, Revision, StreamRevision,
    TrackingSource, limits,
};

use crate::index::{Commit, Index};
use crate::queue::{Checked, Prepared};

/// What becomes of an append.
#[derive(Debug)]
pub(crate) enum Verdict {
    Accept,
    Duplicate(Appended),
    Conflict(Conflict),
    Refused(Error),
}

/// Decides one append. `pending` is the tracking of appends accepted earlier in the group.
pub(crate) fn decide(
    index: &Index,
    pending: &HashMap<TrackingSource, Position>,
    append: &Prepared,
) -> Verdict {
    if let Some(commit) = index.commit(&append.events[0].id) {
        return repeated(index, append, commit);
    }
    let conditions = append.conditions.iter().enumerate();
    let mut failed: Vec<_> =
        conditions.filter_map(|(at, condition)| check(index, append, at, condition)).collect();
    let mut new_source = false;
    if let Some(stale) = &append.tracking {
        match pending.get(&stale.source).or_else(|| index.tracking.get(&stale.source)).copied() {
            Some(recorded) if stale.position <= recorded => {
                failed.push(FailedCondition::Tracking { stale: stale.clone(), recorded });
            }
            Some(_) => {}
            None => new_source = true,
        }
    }
    if !failed.is_empty() {
        return Verdict::Conflict(Conflict { failed });
    }
    if new_source && limits::TRACKING_SOURCES_MAX <= sources(index, pending) {
        let max = limits::TRACKING_SOURCES_MAX;
        return Verdict::Refused(Error::invalid(format!("the store tracks {max} sources already")));
    }
    Verdict::Accept
}

/// How many sources are tracked, those of the group counted in.
fn sources(index: &Index, pending: &HashMap<TrackingSource, Position>) -> usize {
    let recorded = index.tracking.len();
    if recorded + pending.len() < limits::TRACKING_SOURCES_MAX {
        // Some may be counted twice, which does not matter below the bound.
        return recorded + pending.len();
    }
    recorded + pending.keys().filter(|source| !index.tracking.contains_key(*source)).count()
}

/// The answer to an append whose first event id is recorded.
fn repeated(index: &Index, append: &Prepared, commit: Commit) -> Verdict {
    let Commit { first, count, content } = commit;
    if count as usize != append.events.len() || content != append.content {
        let id = append.events[0].id;
        let message =
            format!("event id {id} is recorded at position {first} with other content; use a new id");
        return Verdict::Refused(Error::invalid(message));
    }
    Verdict::Duplicate(appended(index, append, first, true))
}

fn check(
    index: &Index,
    append: &Prepared,
    at: usize,
    condition: &AppendCondition,
) -> Option<FailedCondition> {
    match condition {
        AppendCondition::Revision { stream, expected } => {
            let count = index.stream(stream).len() as u64;
            let actual = count.checked_sub(1).map(Revision::new);
            let (stream, expected) = (stream.clone(), *expected);
            (!expected.holds(actual)).then_some(FailedCondition::Revision {
                index: at,
                stream,
                expected,
                actual,
            })
        }
        AppendCondition::NoneMatch { query, after } => {
            let Checked { upto, newest } = append.checked.get(at).copied().unwrap_or_default();
            let since = Position::number(*after).max(upto);
            let newest = index.newest(query, since, index.last).or(newest)?;
            Position::new(newest).map(|position| FailedCondition::NoneMatch { index: at, position })
        }
    }
}

/// The answer for an append whose events are in the index from `first` on.
pub(crate) fn appended(index: &Index, append: &Prepared, first: u64, deduplicated: bool) -> Appended {
    let place = |number| Position::new(number).expect("positions begin at 1");
    let mut revisions: Vec<StreamRevision> = Vec::new();
    let mut mentioned = HashMap::new();
    for (position, event) in (first..).zip(&append.events) {
        let Some(stream) = &event.stream else { continue };
        let revision = Revision::new(index.stream(stream).partition_point(|&known| known < position) as u64);
        let at = *mentioned.entry(stream).or_insert(revisions.len());
        match revisions.get_mut(at) {
            Some(known) => known.revision = revision,
            None => revisions.push(StreamRevision { stream: stream.clone(), revision }),
        }
    }
    let last = place(first + append.events.len() as u64 - 1);
    Appended { first: place(first), last, revisions, deduplicated }
}
