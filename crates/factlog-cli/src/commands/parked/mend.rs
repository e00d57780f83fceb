//! `factlog parked retry` and `skip`: the order, and what came of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Retry, Skip};
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::grouped;
use crate::output::{answer, printable};
use crate::read_model::{File, Given, ParkedKey, Projection, Waiting, give, wait_until};

/// How long the outcome of a new try is waited for: it follows within a second.
const TRY: Duration = Duration::from_secs(10);

pub(super) fn retry(arguments: &Retry, json: bool) -> Outcome {
    let file = arguments.one.place.open()?;
    let projection = file.projection(&arguments.one.projection)?;
    let parked = projection.parked_key(&file, &arguments.one.key)?;
    let order = json!({ "do": "retry", "key": parked.key });
    let mend = Mend { file: &file, projection: &projection, parked: &parked, act: "retry" };
    mend.give(&order, arguments.waiting, json!({}), json)
}

pub(super) fn skip(arguments: &Skip, json: bool) -> Outcome {
    let file = arguments.one.place.open()?;
    let projection = file.projection(&arguments.one.projection)?;
    let parked = projection.parked_key(&file, &arguments.one.key)?;
    let order = json!({ "do": "skip", "key": parked.key, "reason": arguments.reason });
    let mend = Mend { file: &file, projection: &projection, parked: &parked, act: "skip" };
    mend.give(&order, arguments.waiting, json!({ "reason": arguments.reason }), json)
}

/// What is done to a parked key.
pub(super) struct Mend<'a> {
    pub(super) file: &'a File,
    pub(super) projection: &'a Projection,
    pub(super) parked: &'a ParkedKey,
    pub(super) act: &'static str,
}

impl Mend<'_> {
    /// Gives the order, waits for what came of it, and says so with these members beside.
    pub(super) fn give(&self, order: &Value, waiting: Waiting, beside: Value, json: bool) -> Outcome {
        let given = give(self.file, self.projection, order, waiting)?;
        let left = match &given {
            Given::Left(_) => Came::Left,
            Given::Done(_) if self.projection.paused => Came::Paused,
            Given::Done(_) => self.outcome()?,
        };
        if let Came::Failed(again) = &left {
            return Err(self.failed(again));
        }
        answer(
            json,
            || {
                let mut document = json!({
                    "projection": self.projection.name, "key": self.parked.key, "position": self.parked.position,
                    "order": self.act, "done": !matches!(left, Came::Left), "goes_on": matches!(left, Came::GoesOn),
                });
                if let (Value::Object(document), Value::Object(beside)) = (&mut document, beside) {
                    document.extend(beside);
                }
                document
            },
            || self.text(&left),
        )
    }

    /// What the new try came to.
    fn outcome(&self) -> Outcome<Came> {
        let tried = wait_until(TRY, || {
            let Some(again) = self.parked.again(self.file, &self.projection.name)? else {
                return Ok(Some(Came::GoesOn));
            };
            Ok(again.rests().then_some(Came::Failed(again)))
        })?;
        Ok(tried.unwrap_or(Came::Slow))
    }

    fn failed(&self, again: &ParkedKey) -> Failure {
        let key = printable(&self.parked.key);
        let what = match (again.position, self.parked.position) {
            (Some(now), Some(before)) if before < now => {
                format!("key {key} went on, and stands still again at position {}", grouped(now))
            }
            _ => format!("key {key} was tried again, and failed again"),
        };
        let name = printable(&self.projection.name);
        Failure::new(Kind::Failure, what)
            .because(printable(&again.error))
            .advise(format!("correct the program, or `factlog parked edit` or `skip {name} {key}`"))
    }

    fn text(&self, came: &Came) -> String {
        let key = printable(&self.parked.key);
        let at = self
            .parked
            .position
            .map_or(String::new(), |position| format!(" at position {}", grouped(position)));
        let name = printable(&self.projection.name);
        match came {
            Came::GoesOn if self.act == "skip" => {
                format!("key {key} of {name} passed over the event{at} and goes on")
            }
            Came::GoesOn => format!("key {key} of {name} goes on{at}"),
            Came::Paused => {
                format!("key {key} of {name} is tried when the projection is resumed: it is paused")
            }
            Came::Slow | Came::Failed(_) => format!("key {key} of {name} will be tried; it has not been yet"),
            Came::Left => format!("the order lies there; it is done when a program runs {name}"),
        }
    }
}

enum Came {
    GoesOn,
    Failed(ParkedKey),
    Paused,
    Slow,
    Left,
}
