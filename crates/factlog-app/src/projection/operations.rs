//! What one does with a running projection whatever its shape: wait, look, pause, switch, mend, stop.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use factlog_core::{Clock, Error, EventStore, Position, Query, ReadOptions, Timestamp};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::orders::{Act, Order};
use super::sink::Rows;
use super::target::json;
use super::{Lag, ProjectionError, ProjectionState, ProjectionStatus};

/// Operations on a running projection. Each is done by the program that runs it, in order.
///
/// ```
#[doc = include_str!("../docs/counter.txt")]
/// # let app = App::new(MemoryStore::new());
/// # app.execute(Raise { counter: 1 }).await?;
/// let counters = app.project(Counters).in_memory().start()?;
/// let operations = counters.operations();
/// operations.pause().await?;
/// operations.resume().await?;
/// counters.rebuild().await?;
/// operations.back().await?;
/// assert_eq!(operations.parked().await?, []);
/// counters.stop().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Operations {
    pub(super) name: &'static str,
    pub(super) status: watch::Receiver<ProjectionStatus>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) rows: Arc<dyn ReadRows>,
    pub(super) clock: Arc<dyn Clock>,
    /// Not held, so that a read model that was stopped does not keep the store open.
    pub(super) store: Weak<dyn EventStore>,
}

/// The rows of a sink, whatever its documents.
pub(super) trait ReadRows: Send + Sync {
    fn parked(&self) -> Result<Vec<ParkedKey>, Error>;
}

impl<F: Fn() -> Result<Vec<ParkedKey>, Error> + Send + Sync> ReadRows for F {
    fn parked(&self) -> Result<Vec<ParkedKey>, Error> {
        self()
    }
}

/// A key that stands still before an event that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedKey {
    /// The key, as JSON.
    pub key: String,
    /// The generation it is parked in.
    pub generation: u64,
    /// Why its first event could not be applied.
    pub error: String,
    /// How often that was tried.
    pub attempts: u32,
    /// When it is tried again by itself; `None` when only an operator's act goes on.
    pub retry_at: Option<Timestamp>,
    /// The first events that wait, in order, at most 100: the first is the one that fails.
    pub waiting: Vec<Position>,
}

/// Positions told of one parked key at most.
const WAITING_MAX: usize = 100;

impl Operations {
    /// How it is.
    pub fn status(&self) -> ProjectionStatus {
        let mut status = self.status.borrow().clone();
        if let Err(problem) = self.check()
            && status.problem().is_none()
        {
            status.state = ProjectionState::Failed(problem);
        }
        status
    }

    /// How far what readers see is behind the store, in events and in time. It asks the store.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] where the store does not say, or is not there any more.
    pub async fn lag(&self) -> Result<Lag, ProjectionError> {
        let applied = self.status.borrow().applied;
        let Some(store) = self.store.upgrade() else {
            let message = format!("the store of read model {} is gone; open it again", self.name);
            return Err(Error::closed(message).into());
        };
        let head = Position::number(store.head().await?.position);
        let events = head.saturating_sub(Position::number(applied));
        let options = ReadOptions::default().after(applied).limit(1);
        let waits = match events {
            0 => None,
            _ => store.read(Query::All, options).next().await.transpose()?,
        };
        let now = self.clock.now();
        let since = |event: factlog_core::RecordedEvent| {
            let micros = now.as_micros().saturating_sub(event.recorded_at.as_micros());
            Duration::from_micros(u64::try_from(micros).unwrap_or(0))
        };
        Ok(Lag { events, time: waits.map(since).unwrap_or_default() })
    }

    /// Applies nothing until it is resumed, also after a restart, from the moment that it answers and in every program
    /// that shares it. Readers see what there was.
    ///
    /// # Errors
    /// [`ProjectionError`] where it was stopped, or the sink is unavailable.
    pub async fn pause(&self) -> Result<(), ProjectionError> {
        self.act(Act::Pause).await
    }

    /// Goes on after a pause, or after a failure.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn resume(&self) -> Result<(), ProjectionError> {
        self.act(Act::Resume).await
    }

    /// Builds a new generation beside; answers when it has caught up, and is switched to unless that is by hand.
    ///
    /// # Errors
    /// What the rebuild failed at; the generation is then gone.
    pub async fn rebuild(&self) -> Result<(), ProjectionError> {
        self.act(Act::Rebuild).await
    }

    /// Makes the generation that is built what readers see, as soon as it has caught up; or the one that was
    /// switched back from.
    ///
    /// # Errors
    /// [`ProjectionError::Refused`] where there is none.
    pub async fn switch(&self) -> Result<(), ProjectionError> {
        self.act(Act::Switch).await
    }

    /// Makes the generation before what readers see, with side effects passing to it at that very position. Where
    /// its code is not this program's, it stands still until that code is started.
    ///
    /// # Errors
    /// [`ProjectionError::Refused`] where none is kept.
    pub async fn back(&self) -> Result<(), ProjectionError> {
        self.act(Act::Back).await
    }

    /// The keys that stand still, in the order of their JSON.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] where the sink cannot be read.
    pub async fn parked(&self) -> Result<Vec<ParkedKey>, ProjectionError> {
        Ok(self.rows.parked()?)
    }

    /// Tries a parked key again now, and then what waits behind its event.
    ///
    /// # Errors
    /// [`ProjectionError::Refused`] where the key is not parked. Whether it helped is in [`parked`](Self::parked).
    pub async fn retry<K: Serialize>(&self, key: &K) -> Result<(), ProjectionError> {
        self.act(Act::Retry { key: json(key) }).await
    }

    /// Lets a parked key pass over the event it stands before, in every generation, and go on behind it.
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn skip<K: Serialize>(&self, key: &K, reason: &str) -> Result<(), ProjectionError> {
        self.act(Act::Skip { key: json(key), reason: reason.to_owned() }).await
    }

    /// Lets this projection read an event that parked keys wait for with other data (JSON), in every generation. The
    /// event in the log stays as it is.
    ///
    /// # Errors
    /// [`ProjectionError::Refused`] where no parked key waits for it, [`ProjectionError::Codec`] where the data does
    /// not fit its type.
    pub async fn edit(&self, position: Position, data: &str) -> Result<(), ProjectionError> {
        self.act(Act::Edit { position: position.get(), data: data.to_owned() }).await
    }

    /// Ends the threads after the commit they are in. Stopping twice is fine.
    ///
    /// # Errors
    /// [`ProjectionError::Panicked`] where the thread had ended before by a panic.
    pub async fn stop(&self) -> Result<(), ProjectionError> {
        let (done, answer) = oneshot::channel();
        let told = match self.orders.send(Order::Stop(done)).await {
            Ok(()) => answer.await.map_err(|_| self.gone()),
            Err(_) => Err(self.gone()),
        };
        match told {
            Err(ProjectionError::Stopped(_)) => Ok(()),
            other => other,
        }
    }

    async fn act(&self, act: Act) -> Result<(), ProjectionError> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Act(act, done)).await.map_err(|_| self.gone())?;
        answer.await.map_err(|_| self.gone())?.map(|_| ())
    }

    /// Why there is no answer, if so.
    pub(super) fn check(&self) -> Result<(), ProjectionError> {
        if let Some(problem) = self.status.borrow().problem() {
            return Err(problem);
        }
        match self.status.has_changed() {
            Ok(_) => Ok(()),
            Err(_) => Err(self.gone()),
        }
    }

    /// What became of a thread that is not there any more.
    fn gone(&self) -> ProjectionError {
        match self.status.borrow().problem() {
            Some(ProjectionError::Stopped(name)) => ProjectionError::Stopped(name),
            _ => ProjectionError::Panicked(self.name),
        }
    }
}

/// The parked keys that a sink's rows tell of.
pub(super) fn parked_in(rows: impl Fn(&str, usize) -> Result<Rows, Error>) -> Result<Vec<ParkedKey>, Error> {
    let mut parked = Vec::new();
    for (name, text) in rows("parked/", super::commits::PARKED_MAX)? {
        let mut parts = name.splitn(3, '/').skip(1);
        let (Some(number), Some(key)) = (parts.next(), parts.next()) else {
            return Err(super::rows::damaged(&name, &text));
        };
        let generation = super::rows::number(number)?;
        let row: super::rows::ParkedRow = super::rows::read(&name, &text)?;
        let mut waiting = Vec::new();
        for name in rows(&super::rows::waiting(generation, key), WAITING_MAX)?.keys() {
            waiting.extend(Position::new(super::rows::number(name)?));
        }
        parked.push(ParkedKey {
            key: key.to_owned(),
            generation,
            error: row.error,
            attempts: row.attempts,
            retry_at: row.retry_at.map(Timestamp::from_micros),
            waiting,
        });
    }
    Ok(parked)
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}
