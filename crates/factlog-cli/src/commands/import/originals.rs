//! Whether an event exported from this very store is still where it was.
//!
//! Events that were appended several at once are recognised by the store only when they come again
//! together, but a file has them one by one. A line that names this store and a position is therefore
//! compared with what is at that position; nothing needs to be appended then.

use factlog_core::{EventStream, Position, Query, ReadOptions};

use crate::failure::{Failure, Outcome};
use crate::opened::Opened;
use factlog_cloudevents::Incoming;

/// Whether the store holds an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Present {
    /// Not where the line says: it must be appended, which also finds it elsewhere.
    No,
    /// With the same content.
    Same,
    /// With the same id and other content.
    Other,
}

/// Looks events up at their original positions, in one forward read as long as they come in order.
pub(super) struct Originals<'a> {
    store: &'a Opened,
    ahead: Option<(Position, EventStream)>,
}

impl<'a> Originals<'a> {
    pub(super) fn new(store: &'a Opened) -> Self {
        Self { store, ahead: None }
    }

    pub(super) fn look(&mut self, incoming: &Incoming) -> Outcome<Present> {
        let Some(origin) = incoming.origin else { return Ok(Present::No) };
        if origin.store != self.store.id()? {
            return Ok(Present::No);
        }
        let mut events = match self.ahead.take() {
            Some((next, events)) if next == origin.position => events,
            _ => self.store.read(Query::All, ReadOptions::default().after(origin.position.previous())),
        };
        let Some(recorded) = pollster::block_on(events.next()) else { return Ok(Present::No) };
        let recorded = recorded.map_err(|error| {
            Failure::store(format!("compare with the event at position {}", origin.position), &error)
        })?;
        self.ahead = Some((origin.position.next(), events));
        if recorded.event == incoming.event {
            return Ok(Present::Same);
        }
        let same_id = recorded.event.id == incoming.event.id;
        Ok(if same_id { Present::Other } else { Present::No })
    }
}
