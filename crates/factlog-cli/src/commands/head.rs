//! `factlog head`: the last committed position and its time.

use factlog_core::Position;
use serde_json::json;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::output::answer;

pub(super) fn run(context: &Context) -> Outcome {
    let store = context.look()?;
    let head = pollster::block_on(store.head()).map_err(|error| Failure::store("read the head", &error))?;
    store.close()?;
    let time = head.recorded_at.map(|time| time.to_string());
    answer(
        context.json,
        || json!({ "position": head.position.map(Position::get), "recorded_at": time }),
        || match (head.position, &time) {
            (Some(position), Some(time)) => format!("{position} recorded at {time}"),
            _ => "empty".to_owned(),
        },
    )
}
