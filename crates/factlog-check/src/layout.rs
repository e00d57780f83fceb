//! Which appends the log consists of, and when each can first have been there.
//!
//! * Every place of the log belongs to exactly one [`Placed`]; one without writers is what nobody can have written.
//! * The log does not say where an append begins. An append is known by the id of its first event; where an answer
//!   says that one stands, it stands; in between, the longest that fits does.

use std::collections::HashMap;

use factlog_core::{Append, EventId, RecordedEvent};

use super::index::Index;
use crate::history::{History, Moment, Operation, Outcome, What};

/// An append as it stands in the log.
#[derive(Debug)]
pub(super) struct Placed {
    /// Its first place.
    pub(super) first: u64,
    /// Its last place.
    pub(super) last: u64,
    /// The operations that can have written it.
    pub(super) writers: Vec<usize>,
    /// The operations with these very events that cannot, going by what they were told.
    pub(super) others: Vec<usize>,
    /// When all that stands up to here had been asked for.
    asked: Moment,
}

/// The appends of a log, in order.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) placed: Vec<Placed>,
    by_id: HashMap<EventId, Vec<usize>>,
    end: u64,
}

/// How well an operation's answer goes with its events standing at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// It was told that it wrote them here.
    Told,
    /// It may have written them: nobody knows, or it was told another place.
    Possible,
    /// It was told that it wrote nothing.
    Denied,
}

impl Layout {
    pub(super) fn new(history: &History, index: &Index<'_>) -> Self {
        let mut asked: HashMap<EventId, Vec<usize>> = HashMap::new();
        for (at, append, _) in appends(history) {
            asked.entry(first_id(append)).or_default().push(at);
        }
        let told = told(history, index);
        let mut layout = Self { placed: Vec::new(), by_id: HashMap::new(), end: index.end() };
        let mut place = 1;
        while let Some(recorded) = index.at(place) {
            let id = recorded.event.id;
            let with_id = asked.get(&id).map_or(&[][..], Vec::as_slice);
            let placed = stand(history, index, &told, place, with_id);
            place = placed.last + 1;
            layout.by_id.entry(id).or_default().push(layout.placed.len());
            layout.placed.push(placed);
        }
        layout
    }

    /// Takes note of when each append was first asked for, once its writers are settled.
    pub(super) fn settle(&mut self, history: &History) {
        let mut latest = 0;
        for placed in &mut self.placed {
            let first = placed.writers.iter().map(|&at| history.operations[at].begun).min();
            latest = latest.max(first.unwrap_or(0));
            placed.asked = latest;
        }
    }

    /// The appends in the log that begin with this id; more than one is a violation.
    pub(super) fn with_id(&self, id: EventId) -> impl Iterator<Item = &Placed> {
        self.by_id.get(&id).into_iter().flatten().map(|&at| &self.placed[at])
    }

    /// Where an append stands: at `first` if it was told so and that is true, else where its events are.
    pub(super) fn of(&self, at: usize, append: &Append, first: Option<u64>) -> Option<&Placed> {
        let mine = || {
            self.with_id(first_id(append))
                .filter(|placed| placed.writers.contains(&at) || placed.others.contains(&at))
        };
        mine().find(|placed| Some(placed.first) == first).or_else(|| mine().next())
    }

    /// Greatest state there can have been at this moment, going by what had been asked for; the whole log at `None`.
    pub(super) fn ceiling(&self, moment: Option<Moment>) -> u64 {
        let Some(moment) = moment else { return self.end };
        let count = self.placed.partition_point(|placed| placed.asked <= moment);
        count.checked_sub(1).map_or(0, |last| self.placed[last].last)
    }

    /// Least state that includes this place: the end of its append.
    pub(super) fn whole(&self, place: u64) -> u64 {
        let at = self.placed.partition_point(|placed| placed.last < place);
        self.placed.get(at).filter(|_| 0 < place).map_or(place, |placed| placed.last)
    }
}

/// Every append of a history with its index and outcome.
pub(super) fn appends(history: &History) -> impl Iterator<Item = (usize, &Append, &Outcome)> {
    history.operations.iter().enumerate().filter_map(|(at, operation)| {
        let (append, outcome) = as_append(operation)?;
        (!append.events.is_empty()).then_some((at, append, outcome))
    })
}

/// What was appended and what became of it, if that is what was asked.
pub(super) fn as_append(operation: &Operation) -> Option<(&Append, &Outcome)> {
    match &operation.what {
        What::Append { append, outcome } => Some((append, outcome)),
        What::Read { .. }
        | What::Deliveries { .. }
        | What::CaughtUp { .. }
        | What::Tracking { .. }
        | What::PositionAt { .. }
        | What::Head { .. } => None,
    }
}

/// The id an append is known by.
pub(super) fn first_id(append: &Append) -> EventId {
    append.events.first().expect("the store refuses an append without events").id
}

/// Whether these events stand there as they were given.
pub(super) fn is_same(append: &Append, recorded: &[RecordedEvent]) -> bool {
    append.events.iter().eq(recorded.iter().map(|recorded| &recorded.event))
}

/// The places where appends were truly told that they begin.
fn told(history: &History, index: &Index<'_>) -> HashMap<u64, usize> {
    let mut told = HashMap::new();
    for (at, append, outcome) in appends(history) {
        if let Outcome::Appended(appended) = outcome
            && !appended.deduplicated
            && let first = appended.first.get()
            && index.slice(first, append.events.len()).is_some_and(|there| is_same(append, there))
        {
            told.insert(first, at);
        }
    }
    told
}

/// What stands at this place, given the operations that begin with its first id.
fn stand(
    history: &History,
    index: &Index<'_>,
    told: &HashMap<u64, usize>,
    place: u64,
    with_id: &[usize],
) -> Placed {
    let mut standing: Vec<(Fit, u64, usize)> = Vec::new();
    for &at in with_id {
        let Some((append, outcome)) = as_append(&history.operations[at]) else { continue };
        let count = append.events.len();
        let last = place + count as u64 - 1;
        let is_there = index.slice(place, count).is_some_and(|there| is_same(append, there));
        let fit = fit(outcome, place);
        let is_free = fit == Fit::Told || (place + 1..=last).all(|within| !told.contains_key(&within));
        if is_there && is_free {
            standing.push((fit, last, at));
        }
    }
    let best = standing.iter().map(|&(fit, last, _)| (fit, std::cmp::Reverse(last))).min();
    let Some((best, std::cmp::Reverse(last))) = best else {
        return Placed { first: place, last: place, writers: Vec::new(), others: Vec::new(), asked: 0 };
    };
    let (mut writers, mut others) = (Vec::new(), Vec::new());
    for (fit, _, at) in standing.into_iter().filter(|&(_, its_last, _)| its_last == last) {
        if fit == best && fit != Fit::Denied { writers.push(at) } else { others.push(at) }
    }
    Placed { first: place, last, writers, others, asked: 0 }
}

fn fit(outcome: &Outcome, place: u64) -> Fit {
    match outcome {
        Outcome::Appended(appended) if appended.deduplicated => Fit::Denied,
        Outcome::Appended(appended) if appended.first.get() == place => Fit::Told,
        Outcome::Appended(_) | Outcome::Unknown => Fit::Possible,
        Outcome::Conflict(_) | Outcome::Refused => Fit::Denied,
    }
}
