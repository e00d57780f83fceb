//! Whether a checkpoint is of this log.

use factlog_core::{EventId, EventStore, Position, Query, ReadOptions, Result};

use super::lease;
use super::rows::{self, Checkpoint, ROWS_MAX};
use super::target::Target;
use super::worker::{Ended, Worker};
use crate::model::Mark;

impl<T: Target> Worker<T> {
    /// Holds the checkpoints against the log: a read model of another log, or of one that was restored from an older
    /// copy, must not go on as if it were this one's (trap 31).
    pub(super) fn prove(&self) -> Result<(), Ended> {
        let mut proven: Vec<Mark> = Vec::new();
        for reached in self.checkpoints()? {
            let store = &*self.shared.store;
            let head = self.ready(store.head())??.position;
            let same = reached.position <= head
                && match reached.last {
                    None => true,
                    Some(last) if proven.contains(&last) => true,
                    Some(last) => {
                        proven.push(last);
                        self.ready(id_at(store, last.position))?? == Some(last.id)
                    }
                };
            if !same {
                let (name, at, head) = (T::NAME, Position::number(reached.position), Position::number(head));
                return Err(factlog_core::Error::invalid(format!(
                    "read model {name} at position {at} was not built from this log, whose head is {head}; open the log it belongs to, or rebuild it"
                ))
                .into());
            }
        }
        Ok(())
    }

    /// Those it holds; where other programs hold all of it, theirs, once: readers here see them, too.
    fn checkpoints(&self) -> Result<Vec<Checkpoint>, Ended> {
        if !self.held.is_empty() {
            return Ok(self.held.iter().map(|held| held.reached).collect());
        }
        if self.shared.is_proven(self.generation) {
            return Ok(Vec::new());
        }
        let mut checkpoints = Vec::new();
        for (name, text) in self.shared.target.rows(&rows::ranges(self.generation), ROWS_MAX)? {
            let (_, row) = lease::parsed(&name, &text)?;
            checkpoints.push(row.checkpoint().expect("checked when it was read"));
        }
        Ok(checkpoints)
    }
}

async fn id_at(store: &dyn EventStore, position: Position) -> Result<Option<EventId>> {
    let options = ReadOptions::default().after(position.previous()).limit(1);
    let event = store.read(Query::All, options).next().await.transpose()?;
    Ok(event.filter(|event| event.position == position).map(|event| event.event.id))
}
