//! `factlog stats`: the store in numbers.

use factlog_core::Position;
use serde_json::json;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::numbers;
use crate::output::answer;

pub(super) fn run(context: &Context) -> Outcome {
    let store = context.look()?;
    let stats =
        pollster::block_on(store.stats()).map_err(|error| Failure::store("count what is stored", &error))?;
    store.close()?;
    // A server that is older does not tell it.
    let id = stats.store.map(|id| id.to_string());
    let time = stats.head.recorded_at.map(|time| time.to_string());
    let head = stats.head.position.map(Position::get);
    answer(
        context.json,
        || {
            json!({
                "store": id,
                "events": stats.events,
                "streams": stats.streams,
                "types": stats.types,
                "tags": stats.tags,
                "head": head,
                "recorded_at": time,
                "bytes_on_disk": stats.bytes_on_disk,
            })
        },
        || {
            let rows = [
                ("store", id.clone().unwrap_or_else(|| "not told".to_owned())),
                ("events", numbers::grouped(stats.events)),
                ("streams", numbers::grouped(stats.streams)),
                ("types", numbers::grouped(stats.types)),
                ("tags", numbers::grouped(stats.tags)),
                ("head", head.map_or("empty".to_owned(), numbers::grouped)),
                ("recorded", time.clone().unwrap_or_else(|| "never".to_owned())),
                ("on disk", numbers::bytes(stats.bytes_on_disk)),
            ];
            rows.map(|(name, value)| format!("{name:<10}{value}")).join("\n")
        },
    )
}
