//! Remembering: what operators edited and skipped is in the log, and a read model that is made anew takes it from there.
//!
//! * Nobody folds before that: what was folded with an event as it was would stay in the documents.

use std::time::Duration;

use factlog_core::{Error, ErrorKind, Query, ReadOptions, RecordedEvent, Result, StreamId};
use serde_json::Value;

use super::ProjectionError;
use super::acts;
use super::board::Condition;
use super::rows::ANEW;
use super::shared::Shared;
use super::sink::Committed;
use super::target::{Control, Target};
use super::waits::Waited;

/// How long the store may take for one act; it is asked again later.
const PATIENCE: Duration = Duration::from_secs(1);

impl<T: Target> Shared<T> {
    /// Takes edits and skips from the log, if the sink is new. There are no workers before, who would say what is wrong.
    pub(super) fn remember(&self) -> Result<(), ProjectionError> {
        self.try_remember().inspect_err(|error| {
            let condition = match error {
                ProjectionError::Store(cause) if cause.kind() == ErrorKind::Unavailable => {
                    Condition::Waiting(cause.clone())
                }
                other => Condition::Failed(other.clone()),
            };
            self.change(|board| {
                for progress in board.generations.values_mut() {
                    progress.workers.insert(0, condition.clone());
                }
            });
        })
    }

    fn try_remember(&self) -> Result<(), ProjectionError> {
        let Some(text) = self.target.rows(ANEW, 1)?.remove(ANEW) else { return Ok(()) };
        let mut control = Control::default();
        control.change(ANEW.to_owned(), Some(text), None);
        let stream = StreamId::new(format!("$parked-{}", T::NAME))?;
        let mut events = self.store.read(Query::stream(stream), ReadOptions::default());
        loop {
            match self.supervisor.wait(events.next(), Some(PATIENCE)) {
                Waited::Ready(None) => break,
                Waited::Ready(Some(event)) => recall(&event?, &mut control)?,
                Waited::Tick | Waited::Halted => {
                    return Err(Error::unavailable("the store does not answer; it is asked again").into());
                }
            }
        }
        if 1 < control.rows.len() {
            self.amend(&mut control)?;
        }
        // Refused where another program has done the same.
        let (Committed::Written | Committed::Refused) = self.target.write(control)?;
        Ok(())
    }
}

/// Does again what an act did for every generation; a later one of the same event counts.
fn recall(event: &RecordedEvent, control: &mut Control) -> Result<()> {
    let kind = event.event.event_type.as_str();
    if ![acts::EDITED, acts::SKIPPED].contains(&kind) {
        return Ok(());
    }
    let damaged = || {
        let position = event.position;
        Error::corrupt(format!("the act {kind} at position {position} says nothing that makes sense"))
    };
    let data: Value = serde_json::from_slice(&event.event.data).map_err(|cause| damaged().because(cause))?;
    let text = |member: &str| data[member].as_str().map(str::to_owned).ok_or_else(damaged);
    let position = data["position"].as_u64().ok_or_else(damaged)?;
    if kind == acts::EDITED {
        control.put(acts::edit(position), Some(text("data")?));
    } else {
        control.put(acts::skip(position, &text("key")?), Some(text("reason")?));
    }
    Ok(())
}
