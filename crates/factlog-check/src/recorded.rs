//! Property [`Recorded`](Property::Recorded): the log holds what was acknowledged and nothing that was not asked for.
//!
//! * An acknowledged append stands where it was told, byte for byte, with the revisions it was told and one time.
//! * An append that was turned away has left nothing; one whose fate is unknown stands there whole, or nothing of it.

use std::collections::HashMap;

use factlog_core::{Append, Appended, EventId, RecordedEvent, StreamRevision};

use super::facts::Facts;
use super::layout::{Placed, appends, as_append, is_same};
use super::{Property, Violation};
use crate::history::Outcome;

/// Answers against the log, then the log against the questions.
pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    for (at, append, outcome) in appends(facts.history) {
        if let Outcome::Appended(appended) = outcome
            && !appended.deduplicated
            && let Some(what) = difference(facts, append, appended)
        {
            found.push(Violation::of_operation(Property::Recorded, at, what));
        }
    }
    let mut owners = None;
    for placed in &facts.layout.placed {
        let events = events_of(facts, placed);
        if let Some(other) = events.iter().find(|event| event.recorded_at != events[0].recorded_at) {
            let what = format!("has not the time of its append, whose first is at {}", placed.first);
            found.push(Violation::of_place(Property::Recorded, other.position.get(), what));
        }
        if placed.writers.is_empty() && !is_said_to_be_repeated(facts, placed) {
            let owners = owners.get_or_insert_with(|| owners_of_ids(facts));
            let what = unexplained(facts, placed, owners);
            found.push(Violation::of_place(Property::Recorded, placed.first, what));
        }
    }
}

/// The answer that the log has for an append that stands in it.
pub(super) fn answer(facts: &Facts<'_>, placed: &Placed, deduplicated: bool) -> Appended {
    let events = events_of(facts, placed);
    let (first, last) = (events[0].position, events[events.len() - 1].position);
    Appended { first, last, revisions: revisions(events), deduplicated }
}

fn events_of<'h>(facts: &Facts<'h>, placed: &Placed) -> &'h [RecordedEvent] {
    let count = (placed.last + 1 - placed.first) as usize;
    facts.index.slice(placed.first, count).expect("what is placed stands in the log")
}

/// How an acknowledged append differs from what stands where it was told.
fn difference(facts: &Facts<'_>, append: &Append, appended: &Appended) -> Option<String> {
    let (first, last) = (appended.first.get(), appended.last.get());
    let count = append.events.len();
    if last.checked_sub(first) != Some(count as u64 - 1) {
        return Some(format!("was told that its {count} events are at {first} to {last}"));
    }
    let end = facts.index.end();
    let Some(there) = facts.index.slice(first, count) else {
        return Some(format!("was told that it is at {first} to {last}, but the log ends at {end}"));
    };
    if !is_same(append, there) {
        let same = append.events.iter().zip(there).take_while(|(event, it)| **event == it.event).count();
        let place = first + same as u64;
        return Some(format!("was told that it is at {first} to {last}, but another event is at {place}"));
    }
    let revisions = revisions(there);
    (revisions != appended.revisions)
        .then(|| format!("was told the revisions {:?}, but they are {revisions:?}", appended.revisions))
}

/// Each stream's last revision, in order of first mention.
fn revisions(events: &[RecordedEvent]) -> Vec<StreamRevision> {
    let mut revisions: Vec<StreamRevision> = Vec::new();
    let mut mentioned = HashMap::new();
    for recorded in events {
        let (Some(stream), Some(revision)) = (&recorded.event.stream, recorded.revision) else { continue };
        let at = *mentioned.entry(stream).or_insert(revisions.len());
        match revisions.get_mut(at) {
            Some(known) => known.revision = revision,
            None => revisions.push(StreamRevision { stream: stream.clone(), revision }),
        }
    }
    revisions
}

/// Whether somebody was told that this is recorded: then it is that answer which is wrong, see [`super::repeats`].
fn is_said_to_be_repeated(facts: &Facts<'_>, placed: &Placed) -> bool {
    let outcomes = placed.others.iter().filter_map(|&at| as_append(&facts.history.operations[at]));
    outcomes.into_iter().any(|(_, outcome)| matches!(outcome, Outcome::Appended(_)))
}

/// The operation that first asked for each event.
fn owners_of_ids(facts: &Facts<'_>) -> HashMap<EventId, usize> {
    let mut owners = HashMap::new();
    for (at, append, _) in appends(facts.history) {
        for event in &append.events {
            owners.entry(event.id).or_insert(at);
        }
    }
    owners
}

fn unexplained(facts: &Facts<'_>, placed: &Placed, owners: &HashMap<EventId, usize>) -> String {
    if let Some(at) = placed.others.first() {
        return format!("begins the append of operation {at}, which was told that nothing was written");
    }
    let id = events_of(facts, placed)[0].event.id;
    match owners.get(&id) {
        Some(at) => {
            format!("is one of operation {at}, whose append does not stand here whole and as it was given")
        }
        None => "was appended by nobody".to_owned(),
    }
}
