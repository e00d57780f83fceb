//! The handle of a running process: look, wait, operate, stop.

use std::sync::{Arc, Weak};

use factlog_core::{Error, EventStore, Position, Result};
use tokio::sync::{mpsc, oneshot, watch};

use super::inspect::{Cancellation, Inspect};
use super::runner::Runner;
use super::status::{ProcessError, ProcessState, ProcessStatus};
use super::{Instance, ProcessManager};

/// A process that a thread runs. Cheap to clone; when the last one is dropped the thread ends.
///
/// For an example see [`ProcessManager`].
#[derive(Clone, Debug)]
pub struct Processes {
    name: &'static str,
    status: watch::Receiver<Seen>,
    orders: mpsc::Sender<Order>,
    /// Not held, so that a process that was stopped does not keep the store open.
    store: Weak<dyn EventStore>,
}

/// What the thread shows.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) status: ProcessStatus,
    pub(super) at_rest: bool,
}

/// What the thread is told to do; it answers when it is done.
pub(super) enum Order {
    Look(oneshot::Sender<()>),
    Stop(oneshot::Sender<()>),
}

impl Processes {
    pub(super) fn new<P: ProcessManager>(
        runner: &Runner<P>,
        status: watch::Receiver<Seen>,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        Self { name: P::NAME, status, orders, store: Arc::downgrade(runner.app.store()) }
    }

    /// How it is.
    pub fn status(&self) -> ProcessStatus {
        let mut status = self.status.borrow().status.clone();
        if self.status.has_changed().is_err() && is_running(&status.state) {
            status.state = ProcessState::Failed(self.gone());
        }
        status
    }

    /// How many events the store's head is ahead of what is handled, whether they concern the process or not.
    ///
    /// # Errors
    /// What the store says; `Closed` where it is not there any more.
    pub async fn lag(&self) -> Result<u64> {
        let handled = Position::number(self.status.borrow().status.handled);
        let head = Position::number(self.store()?.head().await?.position);
        Ok(head.saturating_sub(handled))
    }

    /// Waits until every input up to and including `position` is handled: what follows from it is then recorded, and
    /// its commands are under way. `None` is no wait.
    ///
    /// # Errors
    /// [`ProcessError`] where the process has failed or was stopped.
    pub async fn at_least(&self, position: impl Into<Option<Position>>) -> Result<(), ProcessError> {
        let wanted = position.into();
        self.wait(|seen| wanted <= seen.status.handled).await
    }

    /// Waits until there is nothing to do for everything recorded by now and for what came of it, but to wait for time,
    /// for new events, or for an operator. While a command is tried again and again, that is not so.
    ///
    /// # Errors
    /// [`ProcessError`] where the process has failed or was stopped, or the store does not tell its head.
    pub async fn idle(&self) -> Result<(), ProcessError> {
        let head = self.store()?.head().await?.position;
        self.wait(|seen| seen.at_rest && head <= seen.status.handled).await
    }

    /// Looks at the clock, and answers when timers that are due by now have fired. It does so by itself every second;
    /// this is for a clock that is not the system's.
    ///
    /// # Errors
    /// [`ProcessError`] where the process has failed or was stopped.
    pub async fn look(&self) -> Result<(), ProcessError> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Look(done)).await.map_err(|_| self.gone())?;
        answer.await.map_err(|_| self.gone())
    }

    /// The instances that are not over, by name, from the log.
    ///
    /// # Errors
    /// As [`Inspect::instances`].
    pub async fn instances(&self) -> Result<Vec<Instance>> {
        self.inspect()?.instances().await
    }

    /// One instance, also one that is over, from the log; `None` where there never was one.
    ///
    /// # Errors
    /// As [`Inspect::show`].
    pub async fn show(&self, instance: &str) -> Result<Option<Instance>> {
        self.inspect()?.show(instance).await
    }

    /// Lets an instance that stands still go on; the answer is what to wait for with [`at_least`](Self::at_least).
    ///
    /// # Errors
    /// As [`Inspect::retry`].
    pub async fn retry(&self, instance: &str, reason: &str) -> Result<Position> {
        self.inspect()?.retry(instance, reason).await
    }

    /// Ends an instance; the answer is what to wait for with [`at_least`](Self::at_least).
    ///
    /// # Errors
    /// As [`Inspect::cancel`].
    pub async fn cancel(&self, instance: &str, how: Cancellation, reason: &str) -> Result<Position> {
        self.inspect()?.cancel(instance, how, reason).await
    }

    /// Ends the thread, and answers when the store is released. A command that is on its way is dropped and begun
    /// again, under its key, at the next start. Stopping twice is fine.
    ///
    /// # Errors
    /// [`ProcessError`] where the process had failed before.
    pub async fn stop(&self) -> Result<(), ProcessError> {
        let before = self.status().state;
        let (done, answer) = oneshot::channel();
        if self.orders.send(Order::Stop(done)).await.is_ok() {
            // A thread that is gone has stopped.
            let _ = answer.await;
        }
        match before {
            ProcessState::Failed(error) => Err(error),
            ProcessState::CatchingUp
            | ProcessState::Live
            | ProcessState::Waiting(_)
            | ProcessState::Stopped => Ok(()),
        }
    }

    async fn wait(&self, reached: impl Fn(&Seen) -> bool) -> Result<(), ProcessError> {
        let mut status = self.status.clone();
        let decided = |seen: &Seen| reached(seen) || !is_running(&seen.status.state);
        let seen = match status.wait_for(decided).await {
            Ok(seen) => seen.clone(),
            Err(_) => return Err(self.gone()),
        };
        match seen.status.state {
            ProcessState::Failed(error) => Err(error),
            ProcessState::Stopped => Err(ProcessError::Stopped(self.name)),
            ProcessState::CatchingUp | ProcessState::Live | ProcessState::Waiting(_) => Ok(()),
        }
    }

    fn inspect(&self) -> Result<Inspect> {
        Inspect::new(self.store()?, self.name)
    }

    fn store(&self) -> Result<Arc<dyn EventStore>> {
        self.store.upgrade().ok_or_else(|| {
            Error::closed(format!("the store of process {} is gone; open it again", self.name))
        })
    }

    /// What became of a thread that is not there any more.
    fn gone(&self) -> ProcessError {
        match &self.status.borrow().status.state {
            ProcessState::Failed(error) => error.clone(),
            ProcessState::Stopped => ProcessError::Stopped(self.name),
            ProcessState::CatchingUp | ProcessState::Live | ProcessState::Waiting(_) => {
                ProcessError::Panicked(self.name, "its thread is gone".to_owned())
            }
        }
    }
}

fn is_running(state: &ProcessState) -> bool {
    !matches!(state, ProcessState::Failed(_) | ProcessState::Stopped)
}
