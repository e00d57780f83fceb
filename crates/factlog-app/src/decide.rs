//! Decisions: a command and its rule, as a pure function from what is known to what happened.
//!
//! Deciding never reads a clock, draws a random number or does I/O: it may be run again after a lost race.

use factlog_core::{Position, Timestamp};

use crate::{EventSet, Model};

/// A command: what is to be done, what must be known to decide it, and the rule.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # fn main() {
/// # use factlog::{events, tags, Context, Decide, Event, Events, Result, Tags, View};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
/// # #[event(name = "seat.taken", tags(room = room))]
/// # struct Taken { room: u64 }
/// # #[derive(Default, Clone, Serialize, Deserialize)]
/// # struct Room { taken: u64 }
/// # impl View for Room {
/// #     type Id = u64;
/// #     type Event = Taken;
/// #     const NAME: &'static str = "room";
/// #     fn tags(room: &u64) -> Result<Tags> { tags![room = room] }
/// #     fn apply(&mut self, _: &Taken) { self.taken += 1; }
/// # }
/// #[derive(Debug, PartialEq)]
/// struct Full;
/// # impl std::fmt::Display for Full {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("the room is full") }
/// # }
/// # impl std::error::Error for Full {}
///
/// struct Take { room: u64 }
///
/// impl Decide for Take {
///     type Model = Room;
///     type Event = Taken;
///     type Error = Full;
///     fn boundary(&self) -> u64 {
///         self.room
///     }
///     fn decide(&self, room: &Room, _: &Context) -> Result<Events<Taken>, Full> {
///         if room.taken < 2 { Ok(events![Taken { room: self.room }]) } else { Err(Full) }
///     }
/// }
///
/// factlog::given([Taken { room: 1 }]).when(Take { room: 1 }).then([Taken { room: 1 }]);
/// factlog::given([Taken { room: 1 }, Taken { room: 1 }]).when(Take { room: 1 }).rejected(Full);
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    label = "no `Decide` here",
    note = "write `impl Decide for {Self}` with its model, its events, its error and `fn decide`"
)]
pub trait Decide: Send + Sync + 'static {
    /// What must be known: a [`View`](crate::View), a tuple of up to eight, or `()` for nothing.
    type Model: Model;
    /// What may happen.
    type Event: EventSet;
    /// Why it may be refused.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Which facts the model is about: the id of the view, or the tuple of ids.
    fn boundary(&self) -> <Self::Model as Model>::Id;

    /// The rule. Pure: the same model and context give the same answer. It may run several times.
    ///
    /// # Errors
    /// Why the command is refused. Nothing is recorded then.
    fn decide(&self, model: &Self::Model, context: &Context) -> Result<Events<Self::Event>, Self::Error>;
}

/// What a decision may know besides its model, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub(crate) now: Timestamp,
    pub(crate) head: Option<Position>,
    pub(crate) key: Option<String>,
}

impl Context {
    /// When the command was executed, by the app's clock; the same however often it is decided.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The head of the snapshot the model was read from.
    pub fn head(&self) -> Option<Position> {
        self.head
    }

    /// The command's idempotency key, if it has one.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}

/// What a command decided: any number of events, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "events that are not returned from `decide` do not happen"]
pub struct Events<E>(Vec<E>);

impl<E> Events<E> {
    /// Nothing happened.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// One fact.
    pub fn one(event: impl Into<E>) -> Self {
        Self(vec![event.into()])
    }

    /// And then this one.
    pub fn push(&mut self, event: impl Into<E>) {
        self.0.push(event.into());
    }

    /// The events in order.
    pub fn as_slice(&self) -> &[E] {
        &self.0
    }

    /// The events in order, as a list of their own.
    pub fn into_vec(self) -> Vec<E> {
        self.0
    }
}

impl<E, T: Into<E>> FromIterator<T> for Events<E> {
    fn from_iter<I: IntoIterator<Item = T>>(events: I) -> Self {
        Self(events.into_iter().map(Into::into).collect())
    }
}

/// What a command decided, each event as its own type: `events![Withdrawn { .. }, Deposited { .. }]`.
#[macro_export]
macro_rules! events {
    () => { $crate::Events::none() };
    ($($event:expr),+ $(,)?) => {{
        let mut events = $crate::Events::none();
        $(events.push($event);)+
        events
    }};
}
