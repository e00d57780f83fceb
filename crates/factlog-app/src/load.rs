//! Loading: a question to a model or a history, now or as of the past, and its answer.

use std::future::IntoFuture;
use std::marker::PhantomData;

use factlog_core::{BoxFuture, Error, Position, QueryItem, ReadOptions, Result, Revision, Tags, Timestamp};

use crate::fold::fold;
use crate::view::{event_types, query_of};
use crate::{App, CodecError, EventSet, LoadPolicy, Model, Recorded};

/// A past (or present) to ask about.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// # let app = App::new(MemoryStore::new());
/// let first = app.execute(Raise { counter: 1 }).await?;
/// app.execute(Raise { counter: 1 }).await?;
/// let then = AsOf::Position(first.position.expect("something happened"));
/// assert_eq!(app.load::<Counter>(&1).at(then).await?.state, Counter(1));
/// assert_eq!(app.load::<Counter>(&1).await?.state, Counter(2));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// With every event up to and including this position.
    Position(Position),
    /// As known to the store then: with every event recorded at or before this time.
    Time(Timestamp),
    /// With every event of its stream up to and including this revision; for a view of one stream without tags.
    Revision(Revision),
}

/// A model, and what it is valid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<M> {
    /// The state the events have folded to.
    pub state: M,
    /// The last position it takes into account; `None` before the first event of the store. Under a
    /// [`LoadPolicy`] that allows it, that is less than the head.
    pub position: Option<Position>,
    /// For a single view of one stream: the revision of the stream's last event it takes into account.
    pub revision: Option<Revision>,
    /// How many events were folded for this answer; a snapshot or a view in memory makes it fewer.
    pub events_folded: u64,
    /// How many of the events read for this answer were of types that no view of one stream has in its set, and were
    /// passed over; see [`View::UNKNOWN`](crate::View::UNKNOWN).
    pub events_unknown: u64,
}

/// Why a view could not be loaded.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// An event could not be read as its type.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The store failed, or the question has no answer.
    #[error(transparent)]
    Store(#[from] Error),
}

impl LoadError {
    /// The store's error, with the kind that says what to do about it, if it is one.
    pub fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::Codec(_) => None,
        }
    }
}

/// A question being put together: await it.
#[derive(Debug)]
#[must_use = "nothing is loaded until it is awaited"]
pub struct Load<'a, M: Model> {
    app: &'a App,
    id: &'a M::Id,
    at: Option<AsOf>,
    policy: LoadPolicy,
}

impl<'a, M: Model> Load<'a, M> {
    pub(crate) fn new(app: &'a App, id: &'a M::Id) -> Self {
        Self { app, id, at: None, policy: LoadPolicy::default() }
    }

    /// As of the past.
    ///
    /// A position or revision that is not recorded yet is an error; a time to come is the present.
    pub fn at(mut self, at: AsOf) -> Self {
        self.at = Some(at);
        self
    }

    /// How old the present may be; the past is what it was under every policy.
    pub fn policy(mut self, policy: LoadPolicy) -> Self {
        self.policy = policy;
        self
    }
}

impl<'a, M: Model> IntoFuture for Load<'a, M> {
    type Output = Result<Loaded<M>, LoadError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let end = match self.at {
                None => End::Head,
                Some(at) => End::of(self.app, at).await?,
            };
            let mut folded = fold::<M>(self.app, self.id, end, self.policy).await?;
            let slots = M::each(&mut folded.slots);
            let events_folded = slots.iter().map(|slot| slot.progress().folded).sum();
            let events_unknown = slots.iter().map(|slot| slot.progress().unknown).sum();
            let revision = match slots.as_slice() {
                [slot] if slot.revision_condition().is_some() => slot.progress().revision,
                _ => None,
            };
            let state = M::finish(folded.slots);
            Ok(Loaded { position: folded.head, revision, events_folded, events_unknown, state })
        })
    }
}

/// What happened, as typed events: await it.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// # let app = App::new(MemoryStore::new());
/// app.execute(Raise { counter: 1 }).await?;
/// let history = app.history::<Raised>(tags![counter = 1]?).await?;
/// assert_eq!(history[0].event, Raised { counter: 1 });
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is read until it is awaited"]
pub struct History<'a, E> {
    app: &'a App,
    tags: Tags,
    at: Option<AsOf>,
    events: PhantomData<fn() -> E>,
}

impl<'a, E: EventSet> History<'a, E> {
    pub(crate) fn new(app: &'a App, tags: Tags) -> Self {
        Self { app, tags, at: None, events: PhantomData }
    }

    /// As of the past: by position or time.
    pub fn at(mut self, at: AsOf) -> Self {
        self.at = Some(at);
        self
    }
}

impl<'a, E: EventSet> IntoFuture for History<'a, E> {
    type Output = Result<Vec<Recorded<E>>, LoadError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let options = match self.at {
                None => ReadOptions::default(),
                Some(at) => match End::of(self.app, at).await? {
                    End::Head => ReadOptions::default(),
                    End::Nothing => return Ok(Vec::new()),
                    End::Position(position) => ReadOptions::default().until(position),
                    End::Revision(_) => return Err(no_revision("a history").into()),
                },
            };
            let tags = self.tags;
            let item = QueryItem { types: event_types::<E>()?, tags: tags.clone(), stream: None };
            let query = query_of(vec![item]).expect("one item is a query");
            let mut events = self.app.store().read(query, options);
            let mut history = Vec::new();
            while let Some(raw) = events.next().await {
                history.extend(Recorded::facts(&raw?)?.filter(|fact: &Recorded<E>| fact.has(&tags)));
            }
            Ok(history)
        })
    }
}

/// Where a fold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Head,
    /// Before the first event.
    Nothing,
    Position(Position),
    Revision(Revision),
}

impl End {
    async fn of(app: &App, at: AsOf) -> Result<Self> {
        match at {
            AsOf::Revision(revision) => Ok(Self::Revision(revision)),
            AsOf::Time(time) => {
                let position = app.store().position_at(time).await?;
                Ok(position.map_or(Self::Nothing, Self::Position))
            }
            AsOf::Position(position) => {
                let head = app.store().head().await?.position;
                if head < Some(position) {
                    let head = Position::number(head);
                    return Err(Error::invalid(format!(
                        "position {position} is not recorded yet; the head is {head}, ask for a position up to it"
                    )));
                }
                Ok(Self::Position(position))
            }
        }
    }
}

pub(crate) fn no_revision(what: &str) -> Error {
    Error::invalid(format!(
        "{what} has no revision of its own; only a single view of one stream without tags has, so ask by position or time"
    ))
}
