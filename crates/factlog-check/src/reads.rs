//! Property [`Reads`](Property::Reads): a read is the answer of a scan to its query and options.
//!
//! Whether the head it is of was a possible one is the business of [`super::order`].

use factlog_core::{Direction, Position, Query, ReadOptions, RecordedEvent};

use super::facts::Facts;
use super::{Property, Violation};
use crate::history::What;

/// What each read found is what the log up to its head holds of it, the same to the byte, in the order asked for.
pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    for (at, operation) in facts.history.operations.iter().enumerate() {
        if operation.ended.is_some()
            && let What::Read { query, options, head, found: events } = &operation.what
            && let Some(what) = difference(facts, query, options, Position::number(*head), events)
        {
            found.push(Violation::of_operation(Property::Reads, at, what));
        }
    }
}

fn difference(
    facts: &Facts<'_>,
    query: &Query,
    options: &ReadOptions,
    head: u64,
    events: &[RecordedEvent],
) -> Option<String> {
    let due = due(facts, query, options, head);
    let is_same = |(place, event): &(&u64, &RecordedEvent)| facts.index.at(**place) == Some(*event);
    let same = due.iter().zip(events).take_while(is_same).count();
    match (due.get(same), events.get(same)) {
        (None, None) => None,
        (Some(due), None) => Some(format!("read to {head} and did not find the event at {due}")),
        (None, Some(extra)) => {
            Some(format!("read to {head} and found position {}, which is not asked for", extra.position))
        }
        (Some(due), Some(other)) => {
            let what = if other.position.get() == *due { "with other content" } else { "instead" };
            Some(format!("read to {head}; {due} was due, it found {} {what}", other.position))
        }
    }
}

/// The places a read must deliver, in order.
fn due(facts: &Facts<'_>, query: &Query, options: &ReadOptions, head: u64) -> Vec<u64> {
    let upto = options.until.map_or(head, |until| until.get().min(head));
    let mut due = facts.index.matches(query, Position::number(options.after), upto);
    if let Some(from) = options.from_revision {
        let revision = |place| facts.index.at(place).and_then(|recorded| recorded.revision);
        due.retain(|&place| revision(place).is_some_and(|revision| from <= revision));
    }
    match options.direction {
        Direction::Forwards => {}
        Direction::Backwards => due.reverse(),
    }
    if let Some(limit) = options.limit {
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    due
}
