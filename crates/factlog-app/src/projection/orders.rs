//! Orders: what an operator asks of a running read model, through the handle or through a row of the sink.
//!
//! * A row `order/<id>` is answered by a row `answer/<id>`; both are JSON, so a program without the user's code can
//!   give orders to one that runs. Orders are looked for several times a second.

use factlog_core::{Position, Query, ReadOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

use super::acts;
use super::rows::{self, ParkedRow, ROWS_MAX};
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

/// The id of an order, and what it asks for if that makes sense.
pub(super) type Taken = (String, Result<Act, String>);
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
}

impl<T: Target> Shared<T> {
    /// Tries a parked key again now.
    pub(super) fn retry(&self, generation: u64, key: &str) -> Result<String, ProjectionError> {
        let now = self.clock.now();
        let mut control = Control::default();
        self.due(generation, key, &mut control)?;
        acts::note(&mut control, now, acts::RETRIED, json!({ "key": key, "generation": generation }));
        self.write_act(control)?;
        Ok(format!("key {key} is tried again"))
    }

    /// Takes the event a key stands before off it, for good, in every generation.
    pub(super) fn skip(&self, generation: u64, key: &str, reason: &str) -> Result<String, ProjectionError> {
        let mut control = Control::default();
        self.due(generation, key, &mut control)?;
        let first = self.target.rows(&rows::waiting(generation, key), 1)?.into_keys().next();
        let first = first.ok_or_else(|| refused(format!("nothing waits for key {key}")))?;
        let position = rows::number(&first)?;
        control.change(first, Some(String::new()), None);
        control.put(acts::skip(position, key), Some(reason.to_owned()));
        let data = json!({ "key": key, "position": position, "reason": reason });
        acts::note(&mut control, self.clock.now(), acts::SKIPPED, data);
        self.write_act(control)?;
        Ok(format!("key {key} passes over position {position}"))
    }

    /// Lets an event that keys stand before be read with other data, in every generation.
    pub(super) fn edit(&self, generation: u64, position: u64, data: &str) -> Result<String, ProjectionError> {
        self.check_edit(position, data)?;
        let mut control = Control::default();
        let waits = format!("/{position:020}");
        let prefix = format!("waiting/{generation:08}/");
        let mut found = 0;
        for name in self.target.rows(&prefix, usize::MAX)?.keys() {
            if let Some(key) = name[prefix.len()..].strip_suffix(&waits) {
                self.due(generation, key, &mut control)?;
                found += 1;
            }
        }
        if found == 0 {
            return Err(refused(format!(
                "no parked key waits for position {position}; only such an event is edited"
            )));
        }
        control.put(acts::edit(position), Some(data.to_owned()));
        let act = json!({ "position": position, "data": data });
        acts::note(&mut control, self.clock.now(), acts::EDITED, act);
        self.write_act(control)?;
        Ok(format!("position {position} is read with the new data by {found} keys"))
    }

    /// Data that cannot be read would stop the read model whole.
    fn check_edit(&self, position: u64, data: &str) -> Result<(), ProjectionError> {
        let place = Position::new(position).ok_or_else(|| refused("there is no position 0".to_owned()))?;
        let options = ReadOptions::default().after(place.previous()).until(place);
        let mut events = self.store.read(Query::All, options);
        let raw = match self.supervisor.wait(events.next(), Some(std::time::Duration::from_secs(5))) {
            Waited::Ready(raw) => raw.transpose()?,
            Waited::Tick | Waited::Halted => None,
        };
        let mut raw = raw.ok_or_else(|| refused(format!("position {position} cannot be read now")))?;
        raw.event.data = data.to_owned().into();
        drop(Recorded::<T::Event>::facts(&raw)?);
        Ok(())
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

    pub(super) fn write_act(&self, control: Control) -> Result<(), ProjectionError> {
        match self.target.write(control)? {
            Committed::Written => Ok(()),
            Committed::Refused => Err(refused("the read model moved meanwhile; ask again".to_owned())),
        }
    }

    /// The orders that were left in the sink; each is taken away before it is done, so that it is done once.
    pub(super) fn take_orders(&self) -> Result<Vec<Taken>, ProjectionError> {
        let mut taken = Vec::new();
        for (name, text) in self.target.rows("order/", ROWS_MAX)? {
            let mut control = Control::default();
            control.change(name.clone(), Some(text.clone()), None);
            if self.target.write(control)? == Committed::Written {
                let id = name["order/".len()..].to_owned();
                taken.push((id, serde_json::from_str(&text).map_err(|error| error.to_string())));
            }
        }
        Ok(taken)
    }

    pub(super) fn answer(&self, id: &str, answer: &Result<String, String>) -> Result<(), ProjectionError> {
        let said = match answer {
            Ok(done) => json!({ "done": done }),
            Err(error) => json!({ "error": error }),
        };
        let mut control = Control::default();
        let left = self.target.rows("answer/", ANSWERS_MAX)?;
        if ANSWERS_MAX <= left.len() {
            control.rows.extend(left.into_keys().take(ANSWERS_MAX / 2).map(|name| (name, None)));
        }
        control.put(format!("answer/{id}"), Some(said.to_string()));
        self.write_act(control)
    }

    pub(super) fn parked_count(&self, generation: u64) -> Result<usize, ProjectionError> {
        Ok(self.target.rows(&rows::parked(generation, ""), commits::PARKED_MAX)?.len())
    }
}

pub(super) fn refused(why: String) -> ProjectionError {
    ProjectionError::Refused(why)
}
