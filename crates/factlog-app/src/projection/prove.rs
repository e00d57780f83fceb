//! Whether a checkpoint is of this log.

use factlog_core::{EventId, EventStore, Position, Query, ReadOptions, Result};

use super::target::Target;
use super::worker::{Ended, Worker};
use crate::model::Mark;

impl<T: Target> Worker<T> {
    /// Holds the checkpoints against the log: a read model of another log, or of one that was restored from an older
    /// copy, must not go on as if it were this one's (trap 31).
    pub(super) fn prove(&self) -> Result<(), Ended> {
        let mut proven: Vec<Mark> = Vec::new();
        for held in &self.held {
            let store = &*self.shared.store;
            let head = self.ready(store.head())??.position;
            let same = held.reached.position <= head
                && match held.reached.last {
                    None => true,
                    Some(last) if proven.contains(&last) => true,
                    Some(last) => {
                        proven.push(last);
                        self.ready(id_at(store, last.position))?? == Some(last.id)
                    }
                };
            if !same {
                let (name, at, head) =
                    (T::NAME, Position::number(held.reached.position), Position::number(head));
                return Err(factlog_core::Error::invalid(format!(
                    "read model {name} at position {at} was not built from this log, whose head is {head}; open the log it belongs to, or rebuild it"
                ))
                .into());
            }
        }
        Ok(())
    }
}

async fn id_at(store: &dyn EventStore, position: Position) -> Result<Option<EventId>> {
    let options = ReadOptions::default().after(position.previous()).limit(1);
    let event = store.read(Query::All, options).next().await.transpose()?;
    Ok(event.filter(|event| event.position == position).map(|event| event.event.id))
}
