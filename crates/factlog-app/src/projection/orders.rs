//! Orders: what an operator asks of a running read model, through the handle or through a row of the sink.
//!
//! * A row `order/<id>` is answered by a row `answer/<id>`; both are JSON, so a program without the user's code can
//!   give orders to one that runs. Orders are looked for several times a second.
//! * The commit that carries out an order also takes it away and answers it. A program that dies before has done nothing,
//!   and whoever runs the read model next finds the order; one that dies behind it has done it once.

use std::cell::Cell;

use factlog_core::{Position, Query, ReadOptions, RecordedEvent};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

use super::acts;
use super::rows::{self, AMENDED, ParkedRow, ROWS_MAX};
use super::shared::Shared;
use super::sink::Committed;
use super::target::{Control, Target};
use super::waits::Waited;
use super::{ProjectionError, commits};
use crate::Recorded;

/// Answers that nobody took away, at most.
pub(super) const ANSWERS_MAX: usize = 1_000;

/// What the supervisor is told to do; it answers when it is done.
pub(super) enum Order {
    Act(Act, Answer),
    Stop(oneshot::Sender<()>),
}

/// An order that was left in the sink.
pub(super) struct Found {
    id: String,
    text: String,
    /// What it asks for, if that makes sense.
    pub(super) act: Result<Act, String>,
}

/// How often an act looks at what it is about, before it is left to whoever asked.
const LOOKS: usize = 8;

/// The order that a commit carries out, if it was left in the sink.
#[derive(Clone, Copy)]
pub(super) struct Hand<'a>(Option<&'a Found>);

impl<'a> Hand<'a> {
    /// Nobody waits for an answer in the sink.
    pub(super) const EMPTY: Self = Self(None);

    pub(super) fn of(found: &'a Found) -> Self {
        Self(Some(found))
    }

    /// Lets a commit take the order away and answer it.
    pub(super) fn close(self, control: &mut Control, done: &str) {
        if let Some(found) = self.0 {
            found.close(control, &json!({ "done": done }));
        }
    }
}

impl Found {
    fn close(&self, control: &mut Control, said: &serde_json::Value) {
        control.change(format!("order/{}", self.id), Some(self.text.clone()), None);
        control.put(format!("answer/{}", self.id), Some(said.to_string()));
    }
}

pub(super) type Answer = oneshot::Sender<Result<String, ProjectionError>>;

/// What an operator may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub(super) enum Act {
    Pause,
    Resume,
    Rebuild,
    Switch,
    Back,
    Retry { key: String },
    Skip { key: String, reason: String },
    Edit { position: u64, data: String },
    Event { position: u64 },
    Verify,
}

impl<T: Target> Shared<T> {
    /// Tries a parked key again now.
    pub(super) fn retry(
        &self,
        generation: u64,
        key: &str,
        hand: Hand<'_>,
    ) -> Result<String, ProjectionError> {
        self.commit_act(|control| {
            let now = self.clock.now();
            self.due(generation, key, control)?;
            acts::note(control, now, acts::RETRIED, json!({ "key": key, "generation": generation }));
            let done = format!("key {key} is tried again");
            hand.close(control, &done);
            Ok(done)
        })
    }

    /// Takes the event a key stands before off it, for good, in every generation.
    pub(super) fn skip(
        &self,
        generation: u64,
        key: &str,
        reason: &str,
        hand: Hand<'_>,
    ) -> Result<String, ProjectionError> {
        let seen = Cell::new(None);
        self.commit_act(|control| {
            self.due(generation, key, control)?;
            let first = self.target.rows(&rows::waiting(generation, key), 1)?.into_keys().next();
            let first = first.ok_or_else(|| refused(format!("nothing waits for key {key}")))?;
            let position = rows::number(&first)?;
            if seen.replace(Some(position)).is_some_and(|meant| meant != position) {
                return Err(refused(format!("key {key} has moved on to position {position}; ask again")));
            }
            control.change(first, Some(String::new()), None);
            control.put(acts::skip(position, key), Some(reason.to_owned()));
            self.amend(control)?;
            let data = json!({ "key": key, "position": position, "reason": reason });
            acts::note(control, self.clock.now(), acts::SKIPPED, data);
            let done = format!("key {key} passes over position {position}");
            hand.close(control, &done);
            Ok(done)
        })
    }

    /// Lets an event that keys stand before be read with other data, in every generation.
    pub(super) fn edit(
        &self,
        generation: u64,
        position: u64,
        data: &str,
        hand: Hand<'_>,
    ) -> Result<String, ProjectionError> {
        self.check_edit(position, data)?;
        let waits = format!("/{position:020}");
        let prefix = format!("waiting/{generation:08}/");
        self.commit_act(|control| {
            let mut found = 0;
            for name in self.target.rows(&prefix, usize::MAX)?.keys() {
                if let Some(key) = name[prefix.len()..].strip_suffix(&waits) {
                    self.due(generation, key, control)?;
                    found += 1;
                }
            }
            if found == 0 {
                return Err(refused(format!(
                    "no parked key waits for position {position}; only such an event is edited"
                )));
            }
            control.put(acts::edit(position), Some(data.to_owned()));
            self.amend(control)?;
            let act = json!({ "position": position, "data": data });
            acts::note(control, self.clock.now(), acts::EDITED, act);
            let done = format!("position {position} is read with the new data by {found} keys");
            hand.close(control, &done);
            Ok(done)
        })
    }

    /// Data that cannot be read would stop the read model whole.
    fn check_edit(&self, position: u64, data: &str) -> Result<(), ProjectionError> {
        let mut raw = self.event_at(position)?;
        raw.event.data = data.to_owned().into();
        drop(Recorded::<T::Event>::facts(&raw)?);
        Ok(())
    }

    fn event_at(&self, position: u64) -> Result<RecordedEvent, ProjectionError> {
        let place = Position::new(position).ok_or_else(|| refused("there is no position 0".to_owned()))?;
        let options = ReadOptions::default().after(place.previous()).until(place);
        let mut events = self.store.read(Query::All, options);
        let raw = match self.supervisor.wait(events.next(), Some(std::time::Duration::from_secs(5))) {
            Waited::Ready(raw) => raw.transpose()?,
            Waited::Tick | Waited::Halted => None,
        };
        raw.ok_or_else(|| refused(format!("position {position} cannot be read now")))
    }

    /// A stored event as JSON, for a program that cannot open the store while this one has it.
    pub(super) fn event(&self, position: u64) -> Result<String, ProjectionError> {
        let RecordedEvent { event, recorded_at, revision, .. } = self.event_at(position)?;
        let tags: Vec<&str> = event.tags.iter().map(factlog_core::Tag::as_str).collect();
        Ok(json!({
            "position": position,
            "id": event.id.to_string(),
            "type": event.event_type.as_str(),
            "stream": event.stream.as_ref().map(factlog_core::StreamId::as_str),
            "revision": revision.map(factlog_core::Revision::get),
            "recorded_at": recorded_at.to_string(),
            "tags": tags,
            "data": String::from_utf8_lossy(&event.data),
        })
        .to_string())
    }

    /// Makes a parked key due, in the commit that is being made.
    fn due(&self, generation: u64, key: &str, control: &mut Control) -> Result<(), ProjectionError> {
        let name = rows::parked(generation, key);
        let text = self.target.rows(&name, 1)?.remove(&name);
        let text = text.ok_or_else(|| refused(format!("key {key} is not parked")))?;
        let row: ParkedRow = rows::read(&name, &text)?;
        let due = ParkedRow { retry_at: Some(0), ..row };
        control.change(name, Some(text), Some(rows::write(&due)));
        Ok(())
    }

    /// Whoever folds with the events as they were before is refused, in every generation and program.
    pub(super) fn amend(&self, control: &mut Control) -> Result<(), ProjectionError> {
        let before = self.target.rows(AMENDED, 1)?.remove(AMENDED);
        let count = before.as_deref().map(|text| rows::read::<u64>(AMENDED, text)).transpose()?.unwrap_or(0);
        control.change(AMENDED.to_owned(), before, Some((count + 1).to_string()));
        Ok(())
    }

    /// Writes an act that looks at keys which workers move, too: where one has moved meanwhile, it looks again.
    fn commit_act(
        &self,
        act: impl Fn(&mut Control) -> Result<String, ProjectionError>,
    ) -> Result<String, ProjectionError> {
        for _ in 1..LOOKS {
            let mut control = Control::default();
            let done = act(&mut control)?;
            if matches!(self.target.write(control)?, Committed::Written) {
                return Ok(done);
            }
        }
        let mut control = Control::default();
        let done = act(&mut control)?;
        self.write_act(control)?;
        Ok(done)
    }

    pub(super) fn write_act(&self, control: Control) -> Result<(), ProjectionError> {
        match self.target.write(control)? {
            Committed::Written => Ok(()),
            Committed::Refused => Err(refused("the read model moved meanwhile; ask again".to_owned())),
        }
    }

    /// The orders that were left in the sink.
    pub(super) fn orders(&self) -> Result<Vec<Found>, ProjectionError> {
        let orders = self.target.rows("order/", ROWS_MAX)?;
        if !orders.is_empty() {
            self.forget_answers()?;
        }
        let found = orders.into_iter().map(|(name, text)| {
            let act = serde_json::from_str(&text).map_err(|error| error.to_string());
            Found { id: name["order/".len()..].to_owned(), text, act }
        });
        Ok(found.collect())
    }

    /// Whether an order is there and not answered.
    pub(super) fn is_open(&self, found: &Found) -> Result<bool, ProjectionError> {
        Ok(!self.target.rows(&format!("order/{}", found.id), 1)?.is_empty())
    }

    /// Answers that nobody takes away do not pile up.
    fn forget_answers(&self) -> Result<(), ProjectionError> {
        let left = self.target.rows("answer/", ANSWERS_MAX)?;
        if left.len() < ANSWERS_MAX {
            return Ok(());
        }
        let mut control = Control::default();
        control.rows.extend(left.into_keys().take(ANSWERS_MAX / 2).map(|name| (name, None)));
        self.write_act(control)
    }

    /// Takes away and answers an order that no commit has closed: it was refused, or there was nothing to do.
    pub(super) fn settle(&self, found: &Found, done: &Result<String, String>) -> Result<(), ProjectionError> {
        let mut control = Control::default();
        match done {
            Ok(done) => found.close(&mut control, &json!({ "done": done })),
            Err(error) => found.close(&mut control, &json!({ "error": error })),
        }
        // Refused where it is closed, here or by another program.
        let (Committed::Written | Committed::Refused) = self.target.write(control)?;
        Ok(())
    }

    pub(super) fn parked_count(&self, generation: u64) -> Result<usize, ProjectionError> {
        Ok(self.target.rows(&rows::parked(generation, ""), commits::PARKED_MAX)?.len())
    }
}

pub(super) fn refused(why: String) -> ProjectionError {
    ProjectionError::Refused(why)
}
