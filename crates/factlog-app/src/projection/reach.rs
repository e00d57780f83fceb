//! Waiting until a read model has reached a position: to read one's own writes.

use std::time::Duration;

use factlog_core::Position;

use super::operations::Operations;
use super::{Freshness, OnTimeout, ProjectionError, ProjectionStatus};

impl Operations {
    /// Waits until every event up to and including `position` is in what readers see, as
    /// [`ReadModel::at_least`](super::ReadModel::at_least) does: for whoever knows the read model by its operations only.
    ///
    /// # Errors
    /// [`ProjectionError::Behind`] after the timeout if it is to be an error; why there is no answer otherwise.
    pub async fn at_least(
        &self,
        position: impl Into<Option<Position>>,
        timeout: Duration,
        on_timeout: OnTimeout,
    ) -> Result<Freshness, ProjectionError> {
        self.reached(position.into(), None, timeout, on_timeout).await
    }

    pub(super) async fn reached(
        &self,
        wanted: Option<Position>,
        partition: Option<u16>,
        timeout: Duration,
        on_timeout: OnTimeout,
    ) -> Result<Freshness, ProjectionError> {
        let mut status = self.status.clone();
        let certain = |status: &ProjectionStatus| match partition {
            None => status.certain(),
            Some(partition) => status.certain_in(partition),
        };
        let decided = |status: &ProjectionStatus| wanted <= certain(status) || status.problem().is_some();
        // Without anything to wait for there is no need for a timer, nor for the runtime that has one.
        if !decided(&status.borrow()) {
            // Whether time is up or the thread is gone is seen below, by looking.
            let _ = tokio::time::timeout(timeout, status.wait_for(decided)).await;
        }
        self.check()?;
        let applied = certain(&self.status.borrow());
        match wanted {
            Some(wanted) if applied < Some(wanted) && on_timeout == OnTimeout::Error => {
                Err(ProjectionError::Behind { name: self.name, applied, wanted, waited: timeout })
            }
            _ => Ok(Freshness { applied, stale: applied < wanted }),
        }
    }
}
