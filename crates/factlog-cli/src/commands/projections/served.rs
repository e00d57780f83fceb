//! `factlog projections list` of a server: what its program tells of the projections beside it.
//!
//! The names in JSON are those of a list of a file, where they mean the same. What only the file knows is left out.

use factlog_core::{Clock as _, Position, ProjectionInfo, SystemClock};
use serde_json::{Value, json};

use super::number;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::numbers::span;
use crate::opened::Remote;
use crate::output::{answer, printable};
use crate::read_model::Place;
use crate::table::{Align, table};

/// Whether a server is meant: the command line goes before the environment, and there a file goes before a server.
pub(super) fn is_asked(place: &Place, context: &Context) -> Outcome<bool> {
    let line = context.line();
    let by_line = !place.is_on_line() && (line.server.is_some() || line.context.is_some());
    Ok((by_line || place.named().is_none()) && context.server_named()?.is_some())
}

pub(super) fn list(context: &Context) -> Outcome {
    let store = context.look()?;
    let told = store.remote.as_ref().map_or_else(|| Ok(Vec::new()), Remote::projections);
    let told = told.map_err(|error| Failure::store("ask how the projections are", &error))?;
    store.close()?;
    let documents: Vec<Value> = told.iter().map(document).collect();
    answer(
        context.json,
        || json!({ "projections": documents }),
        || {
            let columns = [
                ("NAME", Align::Left),
                ("STATE", Align::Left),
                ("WELL", Align::Left),
                ("APPLIED", Align::Right),
                ("BEHIND", Align::Right),
                ("FOR", Align::Right),
                ("ADVANCED", Align::Right),
                ("PARKED", Align::Right),
                ("PROBLEM", Align::Left),
            ];
            table(columns, &documents.iter().map(row).collect::<Vec<_>>())
        },
    )
}

fn document(info: &ProjectionInfo) -> Value {
    let since = |at: i64| SystemClock.now().as_micros().saturating_sub(at) / 1_000_000;
    json!({
        "name": info.name,
        "state": info.state,
        "problem": info.problem,
        "well": info.well,
        "applied": info.applied.map(Position::get),
        "lag_events": info.lag_events,
        "lag_seconds": info.lag.as_secs(),
        "advanced_at": info.advanced_at.map(|at| at.to_string()),
        "seconds_since_advance": info.advanced_at.map(|at| u64::try_from(since(at.as_micros())).unwrap_or(0)),
        "parked": info.parked,
    })
}

fn row(document: &Value) -> [String; 9] {
    let text = |name: &str| document[name].as_str().map_or("-".to_owned(), printable);
    let seconds = |name: &str| document[name].as_u64().map(span);
    [
        text("name"),
        text("state"),
        if document["well"] == true { "yes" } else { "no" }.to_owned(),
        number(&document["applied"]),
        number(&document["lag_events"]),
        seconds("lag_seconds").unwrap_or_default(),
        seconds("seconds_since_advance").map_or("-".to_owned(), |span| format!("{span} ago")),
        number(&document["parked"]),
        text("problem"),
    ]
}
