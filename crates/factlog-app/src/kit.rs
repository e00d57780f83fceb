//! The test kit: `given` facts, `when` a command, `then` facts or `rejected`, without runtime and store.
//!
//! Given events pass through the same encoding and the same boundary as in production: a view sees only those
//! whose tags and types it asks for, so a forgotten tag fails here and not in production. Decisions are run twice,
//! so an impure one fails too.
//!
//! Also in one line each: snapshots that equal a replay, read models replayed in every way, processes over virtual time,
//! what was stored read as ever, any events of a set, and a world that stops between any two effects.

#[cfg(feature = "proptest")]
pub mod arbitrary;
mod clock;
mod golden;
mod process;
mod projection;
mod snapshots;
pub mod stops;
mod tags;

use std::fmt::{Debug, Write as _};

use factlog_core::{EventId, Position, RecordedEvent, Revision, StreamId, Timestamp};

pub use clock::ManualClock;
pub use golden::{Golden, golden};
pub use process::{GivenProcess, given_process};
pub use projection::Projected;
pub use tags::sees_every_event;

use crate::codec::raw_event;
use crate::{Context, Decide, EventSet, Events, Metadata, Model};

/// These facts are recorded, in this order.
///
/// For an example see [`Decide`].
///
/// # Panics
/// Where an event cannot be encoded.
#[track_caller]
pub fn given<E: EventSet>(events: impl IntoIterator<Item = E>) -> Given {
    given_nothing().and(events)
}

/// Nothing is recorded.
pub fn given_nothing() -> Given {
    Given { log: Vec::new(), now: Timestamp::default() }
}

/// Facts that a test begins with.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// let raised = Raised { counter: 1 };
/// given([raised.clone()]).when(Raise { counter: 1 }).then([raised.clone()]);
/// assert_eq!(given([raised.clone(), raised]).view::<Counter>(&1), Counter(2));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is tested until `when`"]
pub struct Given {
    log: Vec<RecordedEvent>,
    now: Timestamp,
}

impl Given {
    /// And these facts, perhaps of another set.
    ///
    /// # Panics
    /// Where an event cannot be encoded.
    #[track_caller]
    pub fn and<E: EventSet>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        for event in events {
            self.record(&event);
        }
        self
    }

    /// The time: of the facts given from here on, and [`Context::now`] of the command. 1970 unless said.
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Decides the command on these facts.
    ///
    /// # Panics
    /// Where the model cannot be folded.
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a test reads best with the command as a value, as `execute` takes it"
    )]
    pub fn when<C: Decide>(self, command: C) -> When<C> {
        let model: C::Model = self.view(&command.boundary());
        let context = Context { now: self.now, head: self.log.last().map(|event| event.position), key: None };
        When { answer: command.decide(&model, &context), again: command.decide(&model, &context) }
    }

    /// The state a model has on these facts: `given([...]).view::<Account>(&id)`.
    ///
    /// # Panics
    /// Where it cannot be folded.
    #[track_caller]
    pub fn view<M: Model>(&self, id: &M::Id) -> M {
        let mut slots = slots::<M>(id);
        offer::<M>(&mut slots, &self.log);
        M::finish(slots)
    }

    #[track_caller]
    fn record<E: EventSet>(&mut self, event: &E) {
        let number = self.log.len() as u64 + 1;
        let id = EventId::from_bytes(u128::from(number).to_be_bytes());
        let event = match raw_event(event, id, &Metadata::default()) {
            Ok(event) => event,
            Err(error) => panic!("a given event cannot be recorded: {}", with_causes(&error)),
        };
        let revision = event.stream.as_ref().map(|stream| self.next_revision(stream));
        self.log.push(RecordedEvent {
            position: Position::new(number).expect("positions count from 1"),
            recorded_at: self.now,
            revision,
            event,
        });
    }

    fn next_revision(&self, stream: &StreamId) -> Revision {
        let before = self.log.iter().filter(|event| event.event.stream.as_ref() == Some(stream));
        Revision::new(before.count() as u64)
    }
}

#[track_caller]
fn slots<M: Model>(id: &M::Id) -> M::Slots {
    match M::slots(id) {
        Ok(slots) => slots,
        Err(error) => panic!("the view cannot be asked for: {error}"),
    }
}

#[track_caller]
fn offer<M: Model>(slots: &mut M::Slots, log: &[RecordedEvent]) {
    for event in log {
        for slot in M::each(slots) {
            if let Err(error) = slot.offer(event) {
                panic!("a given event does not fit the view: {error}");
            }
        }
    }
}

/// A command that was decided.
#[derive(Debug)]
#[must_use = "nothing is tested until `then`, `then_nothing` or `rejected`"]
pub struct When<C: Decide> {
    answer: Result<Events<C::Event>, C::Error>,
    again: Result<Events<C::Event>, C::Error>,
}

impl<C: Decide> When<C>
where
    C::Event: PartialEq + Debug,
    C::Error: PartialEq,
{
    /// Exactly these events were decided, in this order.
    ///
    /// # Panics
    /// Otherwise, with the difference.
    #[track_caller]
    pub fn then<E: Into<C::Event>>(self, expected: impl IntoIterator<Item = E>) {
        self.check_pure();
        let expected: Vec<C::Event> = expected.into_iter().map(Into::into).collect();
        match self.answer {
            Err(rejection) => {
                panic!("expected {} events, but the command was rejected: {rejection}", expected.len())
            }
            Ok(events) => {
                for event in events.as_slice() {
                    if let Err(error) = event.encode() {
                        panic!("a decided event cannot be recorded: {}", with_causes(&error));
                    }
                }
                if events.as_slice() != expected {
                    panic!(
                        "the command decided something else\n{}",
                        difference(&expected, events.as_slice())
                    );
                }
            }
        }
    }

    /// The command was accepted and nothing happened.
    ///
    /// # Panics
    /// Otherwise, with what happened.
    #[track_caller]
    pub fn then_nothing(self) {
        self.then(Vec::<C::Event>::new());
    }

    /// The command was refused with this reason.
    ///
    /// # Panics
    /// Otherwise, with what happened.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a test reads best with the reason as a value")]
    pub fn rejected(self, expected: C::Error) {
        self.check_pure();
        match self.answer {
            Err(rejection) if rejection == expected => {}
            Err(rejection) => {
                panic!("expected the rejection\n  - {expected:?}\nbut it was\n  + {rejection:?}\n")
            }
            Ok(events) => {
                let difference = difference(&[], events.as_slice());
                panic!("expected the rejection {expected:?}, but the command decided\n{difference}");
            }
        }
    }

    #[track_caller]
    fn check_pure(&self) {
        assert!(
            self.answer == self.again,
            "the command decided differently the second time on the same facts; `decide` must be pure"
        );
    }
}

/// The two lists side by side: ` ` in both, `-` expected only, `+` decided only.
fn difference<E: PartialEq + Debug>(expected: &[E], decided: &[E]) -> String {
    let same_start = expected.iter().zip(decided).take_while(|(left, right)| left == right).count();
    let (left, right) = (&expected[same_start..], &decided[same_start..]);
    let same_end =
        left.iter().rev().zip(right.iter().rev()).take_while(|(left, right)| left == right).count();
    let mut text = String::new();
    let mut lines = |sign: char, events: &[E]| {
        for event in events {
            let event = format!("{event:#?}").replace('\n', &format!("\n  {sign} "));
            writeln!(text, "  {sign} {event}").expect("writing to a string");
        }
    };
    lines(' ', &expected[..same_start]);
    lines('-', &left[..left.len() - same_end]);
    lines('+', &right[..right.len() - same_end]);
    lines(' ', &left[left.len() - same_end..]);
    text
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("writing to a string");
        cause = error.source();
    }
    text
}
