//! The promises of the contract, held against a history.
//!
//! What makes this linear is that the store numbers its events: whatever a client saw, the state of the store at that
//! instant was a prefix of the log that is there at the end, and a whole number of appends. So there is no order to
//! search for, only instants to find, and the earliest one that fits is always the right choice (`order.rs`).
//!
//! * Everything here is pure, and O(n log n) in the length of the history; conditions and reads cost what the events
//!   cost that share their rarest type, tag or stream within the bounds asked for.
//! * A history begins with an empty store and is whole: what is in the log and was asked for by nobody is a violation.
//! * "A before B" means that A's answer came before B was asked. Anything else may have happened in either order.
//! * An append whose fate nobody knows may have happened at any instant after it was asked, or never.
//! * The meaning of a query is [`Query::matches`](factlog_core::Query::matches); the index here only leaves out what it
//!   would refuse.
//! * A store that breaks one promise often breaks others by it: there is at least one violation of the right property,
//!   and there may be more. Only a sound log makes the rest worth reading.
//! * If the same events were appended twice under other conditions, with both fates unknown, the one whose conditions
//!   held is taken to have been written.
//!
//! [`wgl`] searches for an order instead, and is there to hold this to account.

mod conditions;
mod conflict;
mod facts;
pub mod history;
mod index;
mod layout;
mod log;
mod order;
mod reads;
mod recorded;
mod repeats;
mod subscriptions;
#[cfg(test)]
mod tests;
mod times;
pub mod wgl;

use std::fmt;

use crate::history::History;
use facts::Facts;
use order::Instants;

/// A promise that a history can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// Positions and revisions of the log are dense, its times never go back.
    Log,
    /// What was acknowledged is in the log as it was said, whole; what was not is there whole or not at all; and
    /// nothing else is.
    Recorded,
    /// Appends, reads and heads happened between question and answer, and reads and heads saw whole appends.
    RealTime,
    /// Conditions held where an append was recorded, and a conflict tells what was so at one instant of its window.
    Conditions,
    /// Reads find what a scan of the log up to their head finds.
    Reads,
    /// Subscriptions deliver what matches, all of it, once and in order, and know when they have caught up.
    Subscriptions,
    /// An append that is repeated is recorded once, and the answer says so.
    Repeats,
    /// Tracking answers were so at some instant of their window.
    Tracking,
    /// The position by a time was the last one recorded by then at some instant of the window.
    Times,
}

/// Where a promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// The operation with this index in the history.
    Operation(usize),
    /// This place in the log, from 1.
    Place(u64),
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub property: Property,
    /// Where.
    pub at: At,
    /// What is wrong, in plain words.
    pub what: String,
}

/// Every broken promise of a history; none for a sound one.
pub fn check(history: &History) -> Vec<Violation> {
    let facts = Facts::new(history);
    let instants = Instants::find(&facts);
    let mut found = Vec::new();
    log::check(&facts, &mut found);
    recorded::check(&facts, &mut found);
    conditions::check(&facts, &mut found);
    reads::check(&facts, &mut found);
    subscriptions::check(&facts, &instants, &mut found);
    repeats::check(&facts, &mut found);
    // Real time, conflicts, tracking and times: whatever had no instant.
    instants.check(&mut found);
    found.sort_by_key(|violation| (violation.property, violation.at));
    found
}

impl Violation {
    fn of_operation(property: Property, operation: usize, what: String) -> Self {
        Self { property, at: At::Operation(operation), what }
    }

    fn of_place(property: Property, place: u64, what: String) -> Self {
        Self { property, at: At::Place(place), what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let property = self.property;
        match self.at {
            At::Operation(operation) => write!(f, "{property}: operation {operation} {}", self.what),
            At::Place(place) => write!(f, "{property}: the event at place {place} {}", self.what),
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Recorded => "recorded",
            Self::RealTime => "real time",
            Self::Conditions => "conditions",
            Self::Reads => "reads",
            Self::Subscriptions => "subscriptions",
            Self::Repeats => "repeats",
            Self::Tracking => "tracking",
            Self::Times => "times",
        })
    }
}
