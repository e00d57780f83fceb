//! A bus inside the process: every reader gets every event that is published after it came, in order.
//!
//! * It is bounded, and never waits: a reader that falls behind is told how many events it missed.

use std::fmt;

use factlog_core::{BoxFuture, Error, RecordedEvent, Result};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Outgoing, Publisher};

/// Hands events to readers in this process. Cheap to clone; it lasts as long as one of its clones.
#[derive(Clone)]
pub struct Bus(broadcast::Sender<RecordedEvent>);

impl Bus {
    /// With room for so many events that a reader has yet to take; at least one.
    pub fn new(room: usize) -> Self {
        Self(broadcast::Sender::new(room.max(1)))
    }

    /// From now on.
    pub fn subscribe(&self) -> BusReader {
        BusReader(self.0.subscribe())
    }
}

impl Publisher for Bus {
    fn publish<'a>(&'a self, batch: &'a [Outgoing<'a>]) -> BoxFuture<'a, Vec<Result<()>>> {
        for event in batch {
            // Without a reader there is nobody to miss it.
            drop(self.0.send(event.recorded.clone()));
        }
        Box::pin(std::future::ready(batch.iter().map(|_| Ok(())).collect()))
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("readers", &self.0.receiver_count()).finish_non_exhaustive()
    }
}

/// One reader of a [`Bus`].
#[derive(Debug)]
pub struct BusReader(broadcast::Receiver<RecordedEvent>);

impl BusReader {
    /// The next event; `None` when the bus is gone.
    ///
    /// # Errors
    /// `Unavailable` where the reader fell behind by more than the bus has room for: how many it missed. The next call
    /// goes on with the oldest that is there; whoever must not miss any reads the store's own subscription.
    pub async fn next(&mut self) -> Option<Result<RecordedEvent>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(missed)) => Some(Err(Error::unavailable(format!(
                "the reader fell behind and missed {missed} events; read them from the store, or give the bus more room"
            )))),
        }
    }
}
