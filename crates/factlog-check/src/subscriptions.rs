//! Property [`Subscriptions`](Property::Subscriptions): what is delivered is the log, filtered, and nothing is missing.
//!
//! * Deliveries of one subscription, one after the other, are what matches from where it began: no gap, no repeat.
//! * When it says that it has caught up, everything up to that head has been delivered.
//! * How late it is at any time is not judged. That nothing is delivered too early is: see [`super::order`].

use std::collections::BTreeMap;

use factlog_core::{Position, Query, RecordedEvent, StartFrom};

use super::facts::Facts;
use super::order::{Instants, Window};
use super::{Property, Violation};
use crate::history::{Operation, What};

/// How far a subscription has come.
#[derive(Clone, Copy, Debug)]
enum Cursor {
    /// All that matches up to here has been delivered.
    At(u64),
    /// It began at a head of this window, and nothing has come yet.
    Within(Window),
}

/// Follows each subscription to its first mistake.
pub(super) fn check(facts: &Facts<'_>, instants: &Instants, found: &mut Vec<Violation>) {
    let mut subscriptions: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, operation) in facts.history.operations.iter().enumerate() {
        if let What::Deliveries { subscription, .. } | What::CaughtUp { subscription, .. } = &operation.what {
            subscriptions.entry(*subscription).or_default().push(at);
        }
    }
    for (_, mut deliveries) in subscriptions {
        deliveries.sort_by_key(|&at| facts.history.operations[at].begun);
        if let Err((at, what)) = follow(facts, instants, &deliveries) {
            found.push(Violation::of_operation(Property::Subscriptions, at, what));
        }
    }
}

fn follow(facts: &Facts<'_>, instants: &Instants, deliveries: &[usize]) -> Result<(), (usize, String)> {
    let first = deliveries[0];
    let What::Deliveries { query, from, .. } = &facts.history.operations[first].what else {
        return Err((first, "says of a subscription that it has caught up before it delivered".to_owned()));
    };
    let mut cursor = match from {
        StartFrom::Beginning => Cursor::At(0),
        StartFrom::After(position) => Cursor::At(position.get()),
        StartFrom::End => Cursor::Within(instants.window(first)),
    };
    for &at in deliveries {
        cursor = step(facts, query, cursor, &facts.history.operations[at]).map_err(|what| (at, what))?;
    }
    Ok(())
}

fn step(
    facts: &Facts<'_>,
    query: &Query,
    mut cursor: Cursor,
    operation: &Operation,
) -> Result<Cursor, String> {
    match &operation.what {
        What::Deliveries { found, .. } => {
            for event in found {
                cursor = deliver(facts, query, cursor, event)?;
            }
            Ok(cursor)
        }
        What::CaughtUp { found, .. } if operation.ended.is_some() => {
            caught_up(facts, query, cursor, Position::number(*found))
        }
        What::CaughtUp { .. }
        | What::Append { .. }
        | What::Read { .. }
        | What::Tracking { .. }
        | What::PositionAt { .. }
        | What::Head { .. } => Ok(cursor),
    }
}

fn deliver(
    facts: &Facts<'_>,
    query: &Query,
    cursor: Cursor,
    event: &RecordedEvent,
) -> Result<Cursor, String> {
    let place = event.position.get();
    if facts.index.at(place) != Some(event) {
        return Err(format!("delivered {place}, but the log holds something else there"));
    }
    if !facts.index.is_matched(query, place) {
        return Err(format!("delivered {place}, which does not match"));
    }
    match cursor {
        Cursor::At(passed) if place <= passed => {
            return Err(format!("delivered {place}, although it had come to {passed}"));
        }
        Cursor::At(passed) => {
            if let Some(missed) = facts.index.next(query, passed, place - 1) {
                return Err(format!("delivered {place}, but before it {missed} was due"));
            }
        }
        Cursor::Within(window) => begun(facts, query, window, place - 1)?,
    }
    Ok(Cursor::At(place))
}

fn caught_up(facts: &Facts<'_>, query: &Query, cursor: Cursor, head: u64) -> Result<Cursor, String> {
    match cursor {
        Cursor::At(passed) => {
            if head < passed {
                return Err(format!("caught up with {head}, although it had come to {passed}"));
            }
            if let Some(missed) = facts.index.next(query, passed, head) {
                return Err(format!("caught up with {head}, but {missed} was not delivered"));
            }
        }
        Cursor::Within(window) => begun(facts, query, window, head)?,
    }
    Ok(Cursor::At(head))
}

/// Whether it can have begun at an end of the log of its window with nothing to deliver from there up to `upto`.
fn begun(facts: &Facts<'_>, query: &Query, window: Window, upto: u64) -> Result<(), String> {
    let newest = facts.index.newest(query, window.floor, upto);
    let end = facts.layout.whole(newest.unwrap_or(window.floor));
    if end <= upto.min(window.ceiling) {
        return Ok(());
    }
    Err(match newest {
        Some(missed) => {
            format!("began at the end and had nothing to deliver up to {upto}, but {missed} was due")
        }
        None => format!("began at the end and delivered from {upto} on, but {}", window.shown()),
    })
}
