//! The handle of a running read model: read, wait, look, rebuild, stop.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use factlog_core::{Error, EventStore, Position};
use tokio::sync::{mpsc, oneshot, watch};

use super::sink::Sink;
use super::{Freshness, OnTimeout, Projection, ProjectionError, ProjectionState, ProjectionStatus};

/// A read model that a thread keeps up to date. Cheap to clone; when the last one is dropped the thread ends.
///
/// ```
#[doc = include_str!("../docs/counter.txt")]
/// # let app = App::new(MemoryStore::new());
/// let counters = app.project(Counters).in_memory().start()?;
/// let outcome = app.execute(Raise { counter: 1 }).await?;
/// let timeout = std::time::Duration::from_secs(5);
/// counters.at_least(outcome.position, timeout, OnTimeout::Error).await?;
/// assert_eq!(counters.get(&1).await?, Some(1));
/// assert_eq!(counters.lag().await?, 0);
/// counters.rebuild().await?;
/// assert_eq!(counters.all().await?, [(1, 1)]);
/// counters.stop().await?;
/// # Ok(()) }
/// ```
pub struct ReadModel<P: Projection> {
    pub(super) sink: Arc<dyn Sink<P>>,
    pub(super) status: watch::Receiver<ProjectionStatus>,
    pub(super) orders: mpsc::Sender<Order>,
    /// Not held, so that a read model that was stopped does not keep the store open.
    pub(super) store: Weak<dyn EventStore>,
}

/// What the thread is told to do; it answers when it is done.
pub(super) enum Order {
    Rebuild(oneshot::Sender<Result<(), ProjectionError>>),
    Stop(oneshot::Sender<()>),
}

impl<P: Projection> ReadModel<P> {
    /// The document under the key, as last committed. A file is read on the polling thread.
    ///
    /// # Errors
    /// [`ProjectionError`] where the projection failed or was stopped, or its file cannot be read.
    pub async fn get(&self, key: &P::Key) -> Result<Option<P::Document>, ProjectionError> {
        self.check()?;
        Ok(self.sink.get(key)?)
    }

    /// Every document, in key order.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn all(&self) -> Result<Vec<(P::Key, P::Document)>, ProjectionError> {
        self.scan(|_| true).await
    }

    /// Every document whose key is wanted, in key order. It looks at all keys, but only reads those documents.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn scan(
        &self,
        wanted: impl Fn(&P::Key) -> bool + Send,
    ) -> Result<Vec<(P::Key, P::Document)>, ProjectionError> {
        self.check()?;
        Ok(self.sink.scan(&wanted)?)
    }

    /// Waits until every event up to and including `position` is applied: read your own write with
    /// `at_least(outcome.position, ...)`. `None` is no wait. To wait, it needs a tokio runtime with time enabled.
    ///
    /// # Errors
    /// [`ProjectionError::Behind`] after the timeout if it is to be an error; as [`get`](Self::get) otherwise.
    pub async fn at_least(
        &self,
        position: impl Into<Option<Position>>,
        timeout: Duration,
        on_timeout: OnTimeout,
    ) -> Result<Freshness, ProjectionError> {
        let wanted = position.into();
        let mut status = self.status.clone();
        let decided = |status: &ProjectionStatus| wanted <= status.certain() || status.problem().is_some();
        // Without anything to wait for there is no need for a timer, nor for the runtime that has one.
        if !decided(&status.borrow()) {
            // Whether time is up or the thread is gone is seen below, by looking.
            let _ = tokio::time::timeout(timeout, status.wait_for(decided)).await;
        }
        self.check()?;
        let applied = self.status.borrow().certain();
        match wanted {
            Some(wanted) if applied < Some(wanted) && on_timeout == OnTimeout::Error => {
                Err(ProjectionError::Behind { name: P::NAME, applied, wanted, waited: timeout })
            }
            _ => Ok(Freshness { applied, stale: applied < wanted }),
        }
    }

    /// Every event up to and including this position is in what readers see. Of a file that was just opened it is
    /// what the file says; [`at_least`](Self::at_least) waits until the file is known to be of this log.
    pub fn checkpoint(&self) -> Option<Position> {
        self.status.borrow().applied
    }

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

    /// How many events the store's head is ahead of what readers see, whether they concern the read model or not.
    /// It asks the store, so it also tells of one that waits, has failed or was stopped.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] where the store does not say, or is not there any more.
    pub async fn lag(&self) -> Result<u64, ProjectionError> {
        let applied = Position::number(self.checkpoint());
        let Some(store) = self.store.upgrade() else {
            let message = format!("the store of read model {} is gone; open it again", P::NAME);
            return Err(Error::closed(message).into());
        };
        let head = Position::number(store.head().await?.position);
        Ok(head.saturating_sub(applied))
    }

    /// Builds it again from the first event, beside what readers see, and switches when that has caught up.
    /// It also brings back a projection that failed. One that is asked for during another is that one.
    ///
    /// # Errors
    /// [`ProjectionError`]: what the rebuild failed at. What readers saw before is then followed again, as far as it
    /// can be. An unavailable store or file is no failure: the rebuild waits for it, see [`status`](Self::status).
    pub async fn rebuild(&self) -> Result<(), ProjectionError> {
        let (done, answer) = oneshot::channel();
        self.order(Order::Rebuild(done)).await?;
        answer.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Ends the thread after what it is just committing, and answers when the store is released. Stopping twice is
    /// fine.
    ///
    /// # Errors
    /// [`ProjectionError::Panicked`] where the thread had ended before by a panic.
    pub async fn stop(&self) -> Result<(), ProjectionError> {
        let (done, answer) = oneshot::channel();
        let told = match self.order(Order::Stop(done)).await {
            Ok(()) => answer.await.map_err(|_| self.gone()),
            Err(gone) => Err(gone),
        };
        match told {
            Err(ProjectionError::Stopped(_)) => Ok(()),
            other => other,
        }
    }

    async fn order(&self, order: Order) -> Result<(), ProjectionError> {
        self.orders.send(order).await.map_err(|_| self.gone())
    }

    /// Why there is no answer, if so.
    fn check(&self) -> Result<(), ProjectionError> {
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
            _ => ProjectionError::Panicked(P::NAME),
        }
    }
}

impl<P: Projection> Clone for ReadModel<P> {
    fn clone(&self) -> Self {
        Self {
            sink: self.sink.clone(),
            status: self.status.clone(),
            orders: self.orders.clone(),
            store: self.store.clone(),
        }
    }
}

impl<P: Projection> fmt::Debug for ReadModel<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadModel").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}
