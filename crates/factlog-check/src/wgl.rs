//! A search for an order: the checker of Wing and Gong ("Testing and verifying concurrent objects", 1993) with the
//! memory of Lowe ("Testing for linearizability", 2017).
//!
//! It knows the store as a list of events and runs every order that real time allows until one gives every answer and
//! the log that is there at the end. It shares nothing with the linear checkers but the history, costs exponential time
//! and is for short histories: a few dozen operations. Times of events and subscriptions are not its business.

use std::collections::{HashMap, HashSet};

use factlog_core::{
    Append, AppendCondition, Appended, Conflict, Direction, Event, EventId, FailedCondition, Position, Query,
    ReadOptions, RecordedEvent, Revision, StreamId, StreamRevision, TrackingSource,
};

use crate::history::{History, Operation, Outcome, What};

/// Operations a history may have: they are kept in the bits of one word.
pub const OPERATIONS_MAX: usize = 64;

/// An order of operations that explains every answer and the log, if there is one.
///
/// Operations that changed nothing and told nothing are not in it.
///
/// # Panics
/// When there are more than [`OPERATIONS_MAX`] operations.
pub fn order(history: &History) -> Option<Vec<usize>> {
    assert!(history.operations.len() <= OPERATIONS_MAX, "the search is for short histories");
    let mut search = Search { history, seen: HashSet::new(), order: Vec::new() };
    let mut left = 0;
    for (at, operation) in history.operations.iter().enumerate() {
        if is_of_interest(operation) {
            left |= 1 << at;
        }
    }
    search.go(left, &Store::default()).then_some(search.order)
}

/// Whether the operation says something that an order must explain, or may have changed something.
fn is_of_interest(operation: &Operation) -> bool {
    match &operation.what {
        What::Append { outcome, .. } => match outcome {
            Outcome::Appended(_) | Outcome::Conflict(_) | Outcome::Unknown => true,
            Outcome::Refused => false,
        },
        What::Read { .. } | What::Head { .. } | What::Tracking { .. } => operation.ended.is_some(),
        What::Deliveries { .. } | What::CaughtUp { .. } | What::PositionAt { .. } => false,
    }
}

struct Search<'h> {
    history: &'h History,
    /// What was left to be ordered, and what had been written in which order: searched in vain.
    seen: HashSet<(u64, Vec<usize>)>,
    order: Vec<usize>,
}

impl<'h> Search<'h> {
    /// Orders what is left from this state on.
    fn go(&mut self, left: u64, store: &Store<'h>) -> bool {
        let operations = &self.history.operations;
        let remaining = || (0..operations.len()).filter(move |at| left & (1 << at) != 0);
        if remaining().all(|at| is_unknown(&operations[at])) && store.is(&self.history.log) {
            return true;
        }
        if !self.seen.insert((left, store.writers.clone())) {
            return false;
        }
        // Whoever was asked after one that is left was answered must wait for it. Who never answered holds up nobody.
        let held = remaining().filter(|&at| !is_unknown(&operations[at]));
        let first_answer = held.filter_map(|at| operations[at].ended).min().unwrap_or(u64::MAX);
        for at in remaining().filter(|&at| operations[at].begun <= first_answer) {
            let left = left & !(1 << at);
            self.order.push(at);
            let is_found = match store.after(at, &operations[at].what) {
                After::Impossible => false,
                After::Same => self.go(left, store),
                After::Changed(next) => self.go(left, &next),
            };
            if is_found {
                return true;
            }
            self.order.pop();
        }
        false
    }
}

fn is_unknown(operation: &Operation) -> bool {
    matches!(operation.what, What::Append { outcome: Outcome::Unknown, .. })
}

/// What an operation does to the store, if this was the answer.
enum After<'h> {
    /// The store would answer something else.
    Impossible,
    Same,
    Changed(Store<'h>),
}

impl After<'_> {
    fn same_if(is_right: bool) -> Self {
        if is_right { Self::Same } else { Self::Impossible }
    }
}

/// The sequential store.
#[derive(Clone, Debug, Default)]
struct Store<'h> {
    events: Vec<(&'h Event, Option<u64>)>,
    commits: HashMap<EventId, (usize, usize)>,
    tracking: HashMap<&'h TrackingSource, Position>,
    writers: Vec<usize>,
}

impl<'h> Store<'h> {
    fn after(&self, at: usize, what: &'h What) -> After<'h> {
        let is_right = match what {
            What::Append { append, outcome } => return self.append(at, append, outcome),
            What::Read { query, options, head, found } => {
                self.head() == *head && self.has_read(query, options, found)
            }
            What::Head { found } => self.head() == *found,
            What::Tracking { source, found } => self.tracking.get(source) == found.as_ref(),
            What::Deliveries { .. } | What::CaughtUp { .. } | What::PositionAt { .. } => true,
        };
        After::same_if(is_right)
    }

    fn append(&self, at: usize, append: &'h Append, outcome: &Outcome) -> After<'h> {
        let Some(id) = append.events.first().map(|event| event.id) else { return After::Impossible };
        if let Some(&(first, count)) = self.commits.get(&id) {
            let is_same =
                self.events[first..first + count].iter().map(|(event, _)| *event).eq(&append.events);
            let is_right = match outcome {
                Outcome::Appended(appended) => is_same && *appended == self.answer(first, count, true),
                Outcome::Conflict(_) => false,
                Outcome::Refused | Outcome::Unknown => true,
            };
            return After::same_if(is_right);
        }
        let failed = self.failed(append);
        if !failed.is_empty() {
            let is_right = match outcome {
                Outcome::Conflict(conflict) => *conflict == Conflict { failed },
                Outcome::Appended(_) => false,
                Outcome::Refused | Outcome::Unknown => true,
            };
            return After::same_if(is_right);
        }
        let mut next = self.clone();
        let (first, count) = (next.events.len(), append.events.len());
        for event in &append.events {
            let revision = event.stream.as_ref().map(|stream| next.count(stream));
            next.events.push((event, revision));
        }
        next.commits.insert(id, (first, count));
        next.writers.push(at);
        if let Some(tracking) = &append.tracking {
            next.tracking.insert(&tracking.source, tracking.position);
        }
        let is_right = match outcome {
            Outcome::Appended(appended) => *appended == next.answer(first, count, false),
            Outcome::Unknown => true,
            Outcome::Conflict(_) | Outcome::Refused => false,
        };
        if is_right { After::Changed(next) } else { After::Impossible }
    }

    fn answer(&self, first: usize, count: usize, deduplicated: bool) -> Appended {
        let mut revisions: Vec<StreamRevision> = Vec::new();
        for (event, revision) in &self.events[first..first + count] {
            let (Some(stream), Some(revision)) = (&event.stream, revision) else { continue };
            let revision = Revision::new(*revision);
            match revisions.iter_mut().find(|known| known.stream == *stream) {
                Some(known) => known.revision = revision,
                None => revisions.push(StreamRevision { stream: stream.clone(), revision }),
            }
        }
        let (first, last) = (place(first), place(first + count - 1));
        Appended { first, last, revisions, deduplicated }
    }

    fn failed(&self, append: &Append) -> Vec<FailedCondition> {
        let conditions = append.conditions.iter().enumerate();
        let mut failed: Vec<_> =
            conditions.filter_map(|(index, condition)| self.broken(index, condition)).collect();
        if let Some(stale) = &append.tracking
            && let Some(&recorded) = self.tracking.get(&stale.source)
            && stale.position <= recorded
        {
            failed.push(FailedCondition::Tracking { stale: stale.clone(), recorded });
        }
        failed
    }

    fn broken(&self, index: usize, condition: &AppendCondition) -> Option<FailedCondition> {
        match condition {
            AppendCondition::Revision { stream, expected } => {
                let actual = self.count(stream).checked_sub(1).map(Revision::new);
                let (stream, expected) = (stream.clone(), *expected);
                let broken = FailedCondition::Revision { index, stream, expected, actual };
                (!expected.holds(actual)).then_some(broken)
            }
            AppendCondition::NoneMatch { query, after } => {
                let matching = |at: &usize| *after < Some(place(*at)) && query.matches(self.events[*at].0);
                let newest = (0..self.events.len()).rev().find(matching)?;
                Some(FailedCondition::NoneMatch { index, position: place(newest) })
            }
        }
    }

    fn count(&self, stream: &StreamId) -> u64 {
        self.events.iter().filter(|(event, _)| event.stream.as_ref() == Some(stream)).count() as u64
    }

    fn head(&self) -> Option<Position> {
        Position::new(self.events.len() as u64)
    }

    fn has_read(&self, query: &Query, options: &ReadOptions, found: &[RecordedEvent]) -> bool {
        let wanted = |at: &usize| {
            let (event, revision) = &self.events[*at];
            let position = Some(place(*at));
            options.after < position
                && options.until.is_none_or(|until| position <= Some(until))
                && options.from_revision.is_none_or(|from| revision.is_some_and(|it| from.get() <= it))
                && query.matches(event)
        };
        let mut due: Vec<usize> = (0..self.events.len()).filter(wanted).collect();
        if options.direction == Direction::Backwards {
            due.reverse();
        }
        let limit = options.limit.unwrap_or(u64::MAX);
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        due.len() == found.len() && due.iter().zip(found).all(|(&at, found)| self.is_event(at, found))
    }

    fn is(&self, log: &[RecordedEvent]) -> bool {
        self.events.len() == log.len() && log.iter().enumerate().all(|(at, found)| self.is_event(at, found))
    }

    fn is_event(&self, at: usize, found: &RecordedEvent) -> bool {
        let (event, revision) = &self.events[at];
        found.position == place(at) && found.revision == revision.map(Revision::new) && found.event == **event
    }
}

fn place(at: usize) -> Position {
    Position::new(at as u64 + 1).expect("places begin at 1")
}
