//! An instant for every answer: what makes a history linear in the order that its log already has.
//!
//! * A state is a number of events: the log up to there. Answers that exclude each other's instants do so only through
//!   real time: if A was answered before B was asked, A's state is not above B's.
//! * So operations are taken as they were asked, each with the greatest state that had been shown before (its floor)
//!   and the greatest that can have been there when it was answered (its ceiling). Each takes the least state in between
//!   that explains its answer, which leaves the most to those after it. If there is none, there is no order at all.
//! * One without an instant is reported and does not raise the floor, so that it is blamed and not those after it.

use factlog_core::{Append, Appended, Position, RecordedEvent, TrackingSource};

use super::facts::Facts;
use super::{Property, Violation, conflict, times};
use crate::history::{Operation, Outcome, What};

/// The states an operation can have seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Shown to somebody before it was asked.
    pub(super) floor: u64,
    /// Who had shown that.
    pub(super) by: Option<usize>,
    /// All that had been asked for when it was answered.
    pub(super) ceiling: u64,
}

/// Why there is no instant, and whose promise that breaks.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) property: Property,
    pub(super) what: String,
}

/// The state at which an answer is right; `None` if it is right at any.
pub(super) type Instant = Result<Option<u64>, Wrong>;

/// What was found for each operation.
#[derive(Debug)]
pub(super) struct Instants {
    windows: Vec<Window>,
    instants: Vec<Instant>,
}

impl Instants {
    pub(super) fn find(facts: &Facts<'_>) -> Self {
        let operations = &facts.history.operations;
        // At one moment what is asked comes before what is answered: they overlap.
        let mut moments: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * operations.len());
        for (at, operation) in operations.iter().enumerate() {
            moments.push((operation.begun, false, at));
            moments.extend(operation.ended.map(|ended| (ended, true, at)));
        }
        moments.sort_unstable();
        let mut now = Window { floor: 0, by: None, ceiling: 0 };
        let mut found =
            Self { windows: vec![now; operations.len()], instants: vec![Ok(None); operations.len()] };
        for (_, is_answer, at) in moments {
            if !is_answer {
                let window = Window { ceiling: facts.layout.ceiling(operations[at].ended), ..now };
                found.windows[at] = window;
                found.instants[at] = instant(facts, at, &operations[at], window);
            } else if let Ok(Some(state)) = found.instants[at]
                && now.floor < state
            {
                now = Window { floor: state, by: Some(at), ..now };
            }
        }
        found
    }

    /// What the operation can have seen.
    pub(super) fn window(&self, at: usize) -> Window {
        self.windows[at]
    }

    /// Reports every operation without an instant.
    pub(super) fn check(&self, found: &mut Vec<Violation>) {
        for (at, instant) in self.instants.iter().enumerate() {
            if let Err(Wrong { property, what }) = instant {
                found.push(Violation::of_operation(*property, at, what.clone()));
            }
        }
    }
}

impl Window {
    /// Where the floor comes from, in words.
    pub(super) fn shown(&self) -> String {
        match self.by {
            Some(by) => format!("operation {by} had shown {} before it was asked", self.floor),
            None => "nothing had been shown before it was asked".to_owned(),
        }
    }

    pub(super) fn asked(&self) -> String {
        format!("only {} can have been recorded when it was answered", self.ceiling)
    }
}

fn instant(facts: &Facts<'_>, at: usize, operation: &Operation, window: Window) -> Instant {
    let is_answered = operation.ended.is_some();
    match &operation.what {
        What::Append { append, outcome } => match outcome {
            Outcome::Appended(appended) if appended.deduplicated => {
                repeat(facts, at, append, appended, window)
            }
            Outcome::Appended(appended) => recorded(facts, at, append, Some(appended), window),
            Outcome::Unknown => recorded(facts, at, append, None, window),
            Outcome::Conflict(conflict) => conflict::instant(facts, append, conflict, window).map(Some),
            Outcome::Refused => Ok(None),
        },
        What::Read { head, .. } | What::Head { found: head } if is_answered => {
            seen(facts, Position::number(*head), window)
        }
        What::Deliveries { found, .. } => delivered(facts, found, window),
        What::CaughtUp { found, .. } if is_answered => caught_up(facts, Position::number(*found), window),
        What::Tracking { source, found } if is_answered => tracked(facts, source, *found, window),
        What::PositionAt { time, found } if is_answered => times::instant(facts, *time, *found, window),
        What::Read { .. }
        | What::Head { .. }
        | What::CaughtUp { .. }
        | What::Tracking { .. }
        | What::PositionAt { .. } => Ok(None),
    }
}

/// An append is committed after whatever was shown before it was asked.
fn recorded(
    facts: &Facts<'_>,
    at: usize,
    append: &Append,
    appended: Option<&Appended>,
    window: Window,
) -> Instant {
    if append.events.is_empty() {
        return Ok(None);
    }
    let placed = facts.layout.of(at, append, appended.map(|appended| appended.first.get()));
    let Some(placed) = placed.filter(|placed| placed.writers.contains(&at)) else { return Ok(None) };
    // Of several that can have written it, one that was asked early enough will do.
    let earliest = placed.writers.iter().min_by_key(|&&writer| facts.history.operations[writer].begun);
    if placed.first <= window.floor && earliest == Some(&at) {
        let what = format!("is recorded from {} on, but {}", placed.first, window.shown());
        return Err(Wrong { property: Property::RealTime, what });
    }
    Ok(appended.map(|_| placed.last))
}

/// A repeat is answered when what it repeats is there.
fn repeat(facts: &Facts<'_>, at: usize, append: &Append, appended: &Appended, window: Window) -> Instant {
    if append.events.is_empty() {
        return Ok(None);
    }
    let Some(placed) = facts.layout.of(at, append, Some(appended.first.get())) else { return Ok(None) };
    if window.ceiling < placed.last {
        let what = format!("was told that it is a repeat of {}, but {}", placed.first, window.asked());
        return Err(Wrong { property: Property::Repeats, what });
    }
    Ok(Some(placed.last.max(window.floor)))
}

/// A head is one that was there, at the end of an append.
fn seen(facts: &Facts<'_>, head: u64, window: Window) -> Instant {
    let what = if head < window.floor {
        format!("saw the head {head}, but {}", window.shown())
    } else if window.ceiling < head {
        format!("saw the head {head}, but {}", window.asked())
    } else if facts.layout.whole(head) != head {
        format!("saw the head {head}, which is within the append that ends at {}", facts.layout.whole(head))
    } else {
        return Ok(Some(head));
    };
    Err(Wrong { property: Property::RealTime, what })
}

/// What is delivered is recorded; how late is the subscription's business.
fn delivered(facts: &Facts<'_>, found: &[RecordedEvent], window: Window) -> Instant {
    let Some(last) = found.iter().map(|event| event.position.get()).max() else { return Ok(None) };
    arrived(facts, last, "delivered", window)
}

fn caught_up(facts: &Facts<'_>, head: u64, window: Window) -> Instant {
    if facts.layout.whole(head) != head {
        let what = format!("caught up with {head}, which is within an append and never was the head");
        return Err(Wrong { property: Property::Subscriptions, what });
    }
    arrived(facts, head, "caught up with", window)
}

fn arrived(facts: &Facts<'_>, place: u64, verb: &str, window: Window) -> Instant {
    let state = facts.layout.whole(place);
    if window.ceiling < state {
        let what = format!("{verb} {place}, but {}", window.asked());
        return Err(Wrong { property: Property::Subscriptions, what });
    }
    Ok(Some(state.max(window.floor)))
}

/// Tracking is what it was at some instant of the window.
fn tracked(facts: &Facts<'_>, source: &TrackingSource, found: Option<Position>, window: Window) -> Instant {
    let before = facts.tracked(source, window.floor);
    if before == found {
        return Ok(Some(window.floor));
    }
    let changes = facts.changes(source);
    let above = changes.partition_point(|change| change.place <= window.floor);
    let mut within = changes[above..].iter().take_while(|change| change.place <= window.ceiling);
    if let Some(change) = within.find(|change| Some(change.to) == found) {
        return Ok(Some(change.place));
    }
    let (found, before) = (Position::number(found), Position::number(before));
    let (shown, asked) = (window.shown(), window.asked());
    let what =
        format!("was told that {source} is tracked at {found}; {shown}, where it was {before}, and {asked}");
    Err(Wrong { property: Property::Tracking, what })
}
