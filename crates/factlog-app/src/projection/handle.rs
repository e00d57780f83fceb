//! The handle of a running read model: read, wait, look, stop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Error, ErrorKind, Position};

use super::documents::DocumentSink;
use super::operations::Operations;
use super::partition::partition;
use super::sink::Generation;
use super::{Freshness, OnTimeout, Projection, ProjectionError, ProjectionStatus};

/// A read model that threads keep up to date. Cheap to clone; when the last one is dropped the threads end.
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
    pub(super) sink: Arc<DocumentSink<P>>,
    pub(super) operations: Operations,
}

impl<P: Projection> ReadModel<P> {
    /// The document under the key, as last committed. A file is read on the polling thread.
    ///
    /// # Errors
    /// [`ProjectionError`] where the projection failed or was stopped, or its file cannot be read;
    /// [`OtherVersion`](ProjectionError::OtherVersion) while what is served does not fit this version's type.
    pub async fn get(&self, key: &P::Key) -> Result<Option<P::Document>, ProjectionError> {
        self.operations.check()?;
        self.sink.document(Generation::Serving, key).map_err(|error| self.misfit(error))
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
        self.operations.check()?;
        self.sink.scan(Generation::Serving, &wanted).map_err(|error| self.misfit(error))
    }

    /// Every document of any generation, also of one that is built or kept: to compare before a switch.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn all_of(&self, generation: u64) -> Result<Vec<(P::Key, P::Document)>, ProjectionError> {
        self.operations.check()?;
        Ok(self.sink.scan(Generation::Number(generation), &|_| true)?)
    }

    /// Documents of another version need not fit this one's type, and that is no damage.
    fn misfit(&self, error: Error) -> ProjectionError {
        let status = self.operations.status.borrow();
        let served = status.generations.iter().find(|one| one.phase == super::GenerationPhase::Serving);
        match served {
            Some(served) if error.kind() == ErrorKind::Corrupt && served.version != P::VERSION => {
                ProjectionError::OtherVersion { name: P::NAME, serving: served.version, present: P::VERSION }
            }
            _ => error.into(),
        }
    }

    /// Waits until every event up to and including `position` is applied: read your own write with
    /// `at_least(outcome.position, ...)`. `None` is no wait. To wait, it needs a tokio runtime with time enabled.
    ///
    /// While what is served was built by another version, it waits for the switch. A parked key stands still and is
    /// not waited for: see [`Operations::parked`].
    ///
    /// # Errors
    /// [`ProjectionError::Behind`] after the timeout if it is to be an error; as [`get`](Self::get) otherwise.
    pub async fn at_least(
        &self,
        position: impl Into<Option<Position>>,
        timeout: Duration,
        on_timeout: OnTimeout,
    ) -> Result<Freshness, ProjectionError> {
        self.operations.at_least(position, timeout, on_timeout).await
    }

    /// The same for one key: it waits only for the workers that own it.
    ///
    /// # Errors
    /// As [`at_least`](Self::at_least).
    pub async fn at_least_for(
        &self,
        key: &P::Key,
        position: impl Into<Option<Position>>,
        timeout: Duration,
        on_timeout: OnTimeout,
    ) -> Result<Freshness, ProjectionError> {
        self.operations.reached(position.into(), Some(partition(key)?), timeout, on_timeout).await
    }

    /// Every event up to and including this position is in what readers see. Of a file that was just opened it is
    /// what the file says; [`at_least`](Self::at_least) waits until the file is known to be of this log.
    pub fn checkpoint(&self) -> Option<Position> {
        self.operations.status.borrow().applied
    }

    /// How it is.
    pub fn status(&self) -> ProjectionStatus {
        self.operations.status()
    }

    /// How many events the store's head is ahead of what readers see, whether they concern the read model or not.
    /// It asks the store, so it also tells of one that waits, has failed or was stopped.
    ///
    /// # Errors
    /// [`ProjectionError::Store`] where the store does not say, or is not there any more.
    pub async fn lag(&self) -> Result<u64, ProjectionError> {
        Ok(self.operations.lag().await?.events)
    }

    /// Builds it again from the first event, beside what readers see, and switches when that has caught up.
    /// It also brings back a projection that failed. One that is asked for during another is that one.
    ///
    /// # Errors
    /// [`ProjectionError`]: what the rebuild failed at. What readers saw before is then followed again, as far as it
    /// can be. An unavailable store or file is no failure: the rebuild waits for it, see [`status`](Self::status).
    pub async fn rebuild(&self) -> Result<(), ProjectionError> {
        self.operations.rebuild().await
    }

    /// What an operator does: pause, switch, back, parked keys.
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Ends the threads after the commit they are in. Stopping twice is fine.
    ///
    /// # Errors
    /// [`ProjectionError::Panicked`] where the thread had ended before by a panic.
    pub async fn stop(&self) -> Result<(), ProjectionError> {
        self.operations.stop().await
    }
}

impl<P: Projection> Clone for ReadModel<P> {
    fn clone(&self) -> Self {
        Self { sink: self.sink.clone(), operations: self.operations.clone() }
    }
}

impl<P: Projection> fmt::Debug for ReadModel<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadModel").field("status", &*self.operations.status.borrow()).finish_non_exhaustive()
    }
}
