//! Executing: read, decide, append under the derived boundary, and again after a lost race.
//!
//! * The head of the read is what the condition counts from, so nothing can slip in between.
//! * Only a lost race is tried again, a bounded number of times, in line with the others of this app that lost one.
//!   Every other failure is the caller's to judge.
//! * Under a key a command happens once, for ever: the key is recorded in the same commit as its events.

use std::fmt::Display;
use std::future::IntoFuture;

use factlog_core::{
    Append, AppendCondition, AppendError, BoxFuture, Conflict, ErrorKind, Position, QueryItem, Result,
};
use serde_json::Value;
use tracing::Instrument as _;

use crate::codec::raw_event;
use crate::contention::Boundary;
use crate::fold::fold;
use crate::key::Key;
use crate::lanes::lanes_of;
use crate::load::End;
use crate::metadata::{CAUSATION, CORRELATION};
use crate::model::sealed::Fold as _;
use crate::spans;
use crate::view::query_of;
use crate::{App, Context, Decide, Events, ExecuteError, LoadPolicy, Metadata, Model, Outcome, Recorded};

/// A command being put together: await it.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// # let app = App::new(MemoryStore::new());
/// let first = app.execute(Raise { counter: 1 }).key("message-17").metadata("user", "ada").await?;
/// let again = app.execute(Raise { counter: 1 }).key("message-17").await?;
/// assert!(again.replayed && again.position == first.position);
/// assert_eq!(app.load::<Counter>(&1).await?.state, Counter(1));
///
/// let cause = &app.history::<Raised>(tags![counter = 1]?).await?[0];
/// app.execute(Raise { counter: 2 }).caused_by(cause).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is executed until it is awaited"]
pub struct Execute<C> {
    app: App,
    command: C,
    key: Option<String>,
    metadata: Result<Metadata>,
    policy: LoadPolicy,
}

impl<C: Decide> Execute<C> {
    pub(crate) fn new(app: App, command: C) -> Self {
        Self { app, command, key: None, metadata: Ok(Metadata::default()), policy: LoadPolicy::default() }
    }

    /// Makes it happen once, for ever: a repeat under the same key answers the first outcome.
    ///
    /// The key is 1 to 250 bytes and names this command in the whole store: an order's number, a message's id. Another
    /// command under the same key gets the first one's outcome, so put the kind of command into the key.
    /// It is recorded with the events; a command that is rejected or decides nothing records nothing, so a repeat
    /// decides again.
    ///
    /// The ids of the events follow from the key alone, so events of two stores that used the same keys cannot be
    /// brought together in one.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// What the first attempt may be decided on in place of everything recorded by now. Whatever it is, nothing is
    /// recorded on old facts, and nothing refused: what lost the race, and what would be rejected or decide nothing, is
    /// decided again on the latest.
    pub fn policy(mut self, policy: LoadPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// What set this off, constant along a whole conversation.
    pub fn correlation(self, id: impl Display) -> Self {
        self.with(|metadata| {
            metadata.set(CORRELATION, id.to_string());
            Ok(())
        })
    }

    /// The event or message that leads to this.
    pub fn causation(self, id: impl Display) -> Self {
        self.with(|metadata| {
            metadata.set(CAUSATION, id.to_string());
            Ok(())
        })
    }

    /// This recorded event leads to this: causation is its id, correlation is its own, or its id if it has none.
    pub fn caused_by<E>(self, event: &Recorded<E>) -> Self {
        let id = event.id.to_string();
        let correlation = event.metadata().correlation_id().unwrap_or(&id).to_owned();
        self.causation(id).correlation(correlation)
    }

    /// One more fact about the facts: who, from where.
    ///
    /// `correlation_id`, `causation_id`, `schema` and `commit_events` are the framework's own and make the command
    /// fail as invalid.
    pub fn metadata(self, name: &str, value: impl Into<Value>) -> Self {
        self.with(|metadata| metadata.insert(name, value.into()))
    }

    fn with(mut self, change: impl FnOnce(&mut Metadata) -> Result<()>) -> Self {
        self.metadata = self.metadata.and_then(|mut metadata| {
            change(&mut metadata)?;
            Ok(metadata)
        });
        self
    }
}

impl<C: Decide> IntoFuture for Execute<C> {
    type Output = Result<Outcome, ExecuteError<C::Error>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let run = Run {
                key: self.key.as_deref().map(Key::new).transpose()?,
                metadata: self.metadata?,
                policy: self.policy,
                app: self.app,
                command: self.command,
            };
            run.until_done().instrument(spans::command::<C>()).await
        })
    }
}

/// A command on its way.
struct Run<C> {
    app: App,
    command: C,
    key: Option<Key>,
    metadata: Metadata,
    policy: LoadPolicy,
}

/// What one decision came to.
enum Attempt {
    Done(Outcome),
    Lost(Conflict),
}

impl<C: Decide> Run<C> {
    async fn until_done(self) -> Result<Outcome, ExecuteError<C::Error>> {
        if let Some(first) = self.first_outcome().await? {
            return Ok(first);
        }
        let boundary = self.command.boundary();
        let now = self.app.clock().now();
        let mut attempts = 0;
        let mut turn = None;
        let mut policy = self.policy;
        loop {
            attempts += 1;
            let mut folded = fold::<C::Model>(&self.app, &boundary, End::Head, policy).await?;
            policy = LoadPolicy::RequireLatest;
            let conditions = conditions::<C::Model>(&mut folded.slots, folded.head);
            let lanes = lanes_of(&conditions);
            let counts = self.app.contention().of::<C::Model>(&mut folded.slots);
            let context =
                Context { now, head: folded.head, key: self.key.as_ref().map(|key| key.text.clone()) };
            let model = C::Model::finish(folded.slots);
            let decided = spans::decide::<C>(attempts).in_scope(|| self.command.decide(&model, &context));
            let events = match decided {
                Ok(events) if !events.as_slice().is_empty() => events,
                // Old facts are good enough to try, not to refuse.
                _ if !folded.latest => continue,
                // Nothing is to be recorded. A twin under the same key may have been faster and be the very reason.
                answer => {
                    if let Some(first) = self.first_outcome().await? {
                        return Ok(first);
                    }
                    return match answer {
                        Ok(_) => Ok(Outcome::nothing(folded.head, attempts)),
                        Err(rejection) => Err(ExecuteError::Rejected(rejection)),
                    };
                }
            };
            Boundary::count(&counts.attempts);
            let conflict = match self.append(&events, conditions, attempts).await? {
                Attempt::Done(outcome) => return Ok(outcome),
                Attempt::Lost(conflict) => conflict,
            };
            Boundary::count(&counts.conflicts);
            if self.app.attempts() <= attempts {
                Boundary::count(&counts.given_up);
                return Err(ExecuteError::Conflict { attempts, conflict });
            }
            if turn.is_none() {
                turn = Some(self.app.lanes().turn(&lanes).await);
            }
        }
    }

    async fn append(
        &self,
        events: &Events<C::Event>,
        conditions: Vec<AppendCondition>,
        attempts: u32,
    ) -> Result<Attempt, ExecuteError<C::Error>> {
        let mut append = Append::new(self.raw_events(events.as_slice())?);
        append.conditions = conditions;
        if let Some(key) = &self.key {
            append = append.when(AppendCondition::none_match(key.query(), None));
        }
        let span = spans::append(&append);
        let failed = match self.app.store().append(append).instrument(span).await {
            Ok(appended) => return Ok(Attempt::Done(Outcome::of(&appended, attempts))),
            Err(failed) => failed,
        };
        // Under a key both a conflict and "the same id with other content" may mean: a twin was faster.
        let perhaps_a_twin = match &failed {
            AppendError::Conflict(_) => true,
            AppendError::Failed(error) => error.kind() == ErrorKind::Invalid,
        };
        if perhaps_a_twin && let Some(first) = self.first_outcome().await? {
            return Ok(Attempt::Done(Outcome { attempts, ..first }));
        }
        match failed {
            AppendError::Conflict(conflict) => Ok(Attempt::Lost(conflict)),
            AppendError::Failed(error) => Err(ExecuteError::Store(error)),
        }
    }

    fn raw_events(&self, events: &[C::Event]) -> Result<Vec<factlog_core::Event>, ExecuteError<C::Error>> {
        let mut raw = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let id = match &self.key {
                None => self.app.ids().next(),
                Some(key) => key.event_id(index),
            };
            raw.push(match &self.key {
                Some(key) if index == 0 => {
                    let mut metadata = self.metadata.clone();
                    metadata.set_commit_events(events.len());
                    let mut first = raw_event(event, id, &metadata)?;
                    first.tags = first.tags.with([key.tag.clone()])?;
                    first
                }
                _ => raw_event(event, id, &self.metadata)?,
            });
        }
        Ok(raw)
    }

    /// What was recorded under the key, if anything.
    async fn first_outcome(&self) -> Result<Option<Outcome>> {
        match &self.key {
            Some(key) => key.first_outcome(&**self.app.store()).await,
            None => Ok(None),
        }
    }
}

/// What must still be so when the events are recorded: nothing that the model would have folded has come since.
fn conditions<M: Model>(slots: &mut M::Slots, head: Option<Position>) -> Vec<AppendCondition> {
    let mut conditions = Vec::new();
    let mut items: Vec<QueryItem> = Vec::new();
    for slot in M::each(slots) {
        match slot.revision_condition() {
            Some(condition) if conditions.contains(&condition) => {}
            Some(condition) => conditions.push(condition),
            None => items.push(slot.item().clone()),
        }
    }
    conditions.extend(query_of(items).map(|query| AppendCondition::none_match(query, head)));
    conditions
}
