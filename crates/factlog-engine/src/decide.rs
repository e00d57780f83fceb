//! Deciding an append: duplicate, refused, conflict or accepted, by what the writer knows and what the caller found.
//!
//! Pure: it reads the ledger, which already counts the appends accepted before it, and writes nothing. It runs on
//! the writer, so there is no race to lose.

use factlog_core::{
    AppendCondition, Appended, Conflict, Error, FailedCondition, Position, Revision, StreamRevision, limits,
};

use crate::ledger::{Commit, Ledger, Recorded};
use crate::queue::{Checked, Prepared};

/// What becomes of an append.
#[derive(Debug)]
pub(crate) enum Verdict {
    Accept,
    Duplicate(Appended),
    Conflict(Conflict),
    Refused(Error),
}

/// Decides one append, which knows all that the ledger does not cover.
pub(crate) fn decide(ledger: &Ledger, append: &Prepared) -> Verdict {
    if let Some(recorded) = ledger.recorded(append).filter(|_| !planted!(RepeatForgottenInTail)) {
        return repeated(append, &recorded);
    }
    let conditions = append.conditions.iter().enumerate();
    let mut failed: Vec<_> =
        conditions.filter_map(|(at, condition)| check(ledger, append, at, condition)).collect();
    let mut new_source = false;
    if let Some(stale) = &append.tracking {
        match ledger.tracking.get(&stale.source).copied() {
            Some(recorded) if stale.position <= recorded && !planted!(TrackingUnchecked) => {
                failed.push(FailedCondition::Tracking { stale: stale.clone(), recorded });
            }
            Some(_) => {}
            None => new_source = true,
        }
    }
    if !failed.is_empty() {
        return Verdict::Conflict(Conflict { failed });
    }
    if new_source && limits::TRACKING_SOURCES_MAX <= ledger.tracking.len() {
        let max = limits::TRACKING_SOURCES_MAX;
        return Verdict::Refused(Error::invalid(format!("the store tracks {max} sources already")));
    }
    Verdict::Accept
}

/// The answer to an append whose first event id is recorded.
fn repeated(append: &Prepared, Recorded { commit, revisions }: &Recorded) -> Verdict {
    let Commit { first, count, content } = *commit;
    if count as usize != append.events.len() || content != append.content {
        let id = append.events[0].id;
        let message =
            format!("event id {id} is recorded at position {first} with other content; use a new id");
        return Verdict::Refused(Error::invalid(message));
    }
    Verdict::Duplicate(appended(append, first, revisions, true))
}

fn check(
    ledger: &Ledger,
    append: &Prepared,
    at: usize,
    condition: &AppendCondition,
) -> Option<FailedCondition> {
    match condition {
        AppendCondition::Revision { stream, expected } => {
            let count = ledger.count(stream, append);
            let actual = count.checked_sub(u64::from(!planted!(RevisionOffByOne))).map(Revision::new);
            let (stream, expected) = (stream.clone(), *expected);
            (!expected.holds(actual)).then_some(FailedCondition::Revision {
                index: at,
                stream,
                expected,
                actual,
            })
        }
        AppendCondition::NoneMatch { query, after } => {
            let Checked { upto, newest } = append.known.checked.get(at).copied().unwrap_or_default();
            let since = Position::number(*after).max(upto);
            let newest = newest.filter(|_| !planted!(ConditionForgetsSealed));
            let recent = if planted!(ConditionOutsideWriter) { None } else { ledger.newest(query, since) };
            let newest = recent.or(newest)?;
            Position::new(newest).map(|position| FailedCondition::NoneMatch { index: at, position })
        }
    }
}

/// The answer for an append recorded from `first` on, with the last revision of each stream it mentions.
pub(crate) fn appended(append: &Prepared, first: u64, revisions: &[u64], deduplicated: bool) -> Appended {
    let place = |number| Position::new(number).expect("positions begin at 1");
    let revisions = append.streams().into_iter().zip(revisions);
    let revisions = revisions.map(|(stream, &revision)| StreamRevision {
        stream: stream.clone(),
        revision: Revision::new(revision),
    });
    let last = place(first + append.events.len() as u64 - 1);
    Appended { first: place(first), last, revisions: revisions.collect(), deduplicated }
}
