//! `factlog parked list` and `show`.

use factlog_core::{EventStore as _, Position, Query, ReadOptions, Timestamp};
use serde_json::{Value, json};

use super::{List, One};
use crate::context::{Context, close};
use crate::failure::Outcome;
use crate::numbers::{counted, grouped, span};
use crate::output::{answer, printable};
use crate::read_model::{File, Given, ParkedKey, Projection, Waiting, give};
use crate::table::{Align, facts, table};

/// Positions shown of one key at most.
const WAITING_MAX: usize = 100;
/// Characters of an error that a row shows.
const ERROR_CHARS: usize = 60;

pub(super) fn list(arguments: &List, json: bool) -> Outcome {
    let file = arguments.place.open()?;
    let projections = match &arguments.projection {
        Some(name) => vec![file.projection(name)?],
        None => file.projections()?,
    };
    let mut found = Vec::new();
    for projection in &projections {
        found.extend(projection.parked(&file)?.into_iter().map(|parked| (projection, parked)));
    }
    answer(
        json,
        || {
            let keys = found.iter().map(|(projection, parked)| document(projection, parked));
            json!({ "parked": keys.collect::<Vec<_>>() })
        },
        || {
            let columns = [
                ("PROJECTION", Align::Left),
                ("GENERATION", Align::Right),
                ("KEY", Align::Left),
                ("POSITION", Align::Right),
                ("WAITING", Align::Right),
                ("ATTEMPTS", Align::Right),
                ("NEXT", Align::Right),
                ("ERROR", Align::Left),
            ];
            let rows = found.iter().map(|(projection, parked)| row(projection, parked));
            table(columns, &rows.collect::<Vec<_>>())
        },
    )
}

fn row(projection: &Projection, parked: &ParkedKey) -> [String; 8] {
    let error = match parked.error.char_indices().nth(ERROR_CHARS) {
        Some((end, _)) => format!("{}…", printable(&parked.error[..end])),
        None => printable(&parked.error),
    };
    [
        printable(&projection.name),
        parked.generation.to_string(),
        printable(&parked.key),
        parked.position.map_or("-".to_owned(), grouped),
        grouped(parked.waiting),
        parked.attempts.to_string(),
        next(projection, parked).unwrap_or_else(|| "never".to_owned()),
        error,
    ]
}

/// When it is tried again by itself.
fn next(projection: &Projection, parked: &ParkedKey) -> Option<String> {
    let left = parked.retry_at?.saturating_sub(projection.now().as_micros()) / 1_000_000;
    Some(
        u64::try_from(left)
            .ok()
            .filter(|left| 0 < *left)
            .map_or("now".to_owned(), |left| format!("in {}", span(left))),
    )
}

pub(super) fn document(projection: &Projection, parked: &ParkedKey) -> Value {
    json!({
        "projection": projection.name,
        "generation": parked.generation,
        "key": parked.key,
        "position": parked.position,
        "waiting": parked.waiting,
        "attempts": parked.attempts,
        "retry_at": parked.retry_at.map(|at| Timestamp::from_micros(at).to_string()),
        "error": parked.error,
    })
}

pub(super) fn show(one: &One, context: &Context) -> Outcome {
    let file = one.place.open()?;
    let projection = file.projection(&one.projection)?;
    let parked = projection.parked_key(&file, &one.key)?;
    let positions = parked.positions(&file, &projection.name, WAITING_MAX)?;
    let edited = parked.edited(&file, &projection.name)?;
    let event = failing(&file, &projection, &parked, context);
    answer(
        context.json,
        || {
            let mut document = document(&projection, &parked);
            document["waiting_positions"] = json!(positions);
            document["edited"] = json!(edited);
            match &event {
                Ok(event) => document["event"] = event.clone(),
                Err(why) => document["event_problem"] = json!(why),
            }
            document
        },
        || {
            let mut waits = positions.iter().map(|position| grouped(*position)).collect::<Vec<_>>().join(" ");
            if (positions.len() as u64) < parked.waiting {
                waits.push_str(" …");
            }
            let member =
                |name: &str| event.as_ref().ok().and_then(|event| event[name].as_str()).map(printable);
            let event_at = match &event {
                Ok(_) => member("stream").map_or("in no stream".to_owned(), |stream| format!("in {stream}")),
                Err(why) => format!("not shown: {why}"),
            };
            facts([
                ("projection", Some(printable(&projection.name))),
                ("key", Some(printable(&parked.key))),
                ("generation", Some(parked.generation.to_string())),
                ("error", Some(printable(&parked.error))),
                ("attempts", Some(parked.attempts.to_string())),
                (
                    "next",
                    Some(next(&projection, &parked).unwrap_or_else(|| "only by an operator".to_owned())),
                ),
                ("waiting", Some(format!("{}: {waits}", counted(parked.waiting, "event")))),
                ("fails at", parked.position.map(grouped)),
                ("event", Some(event_at)),
                ("type", member("type")),
                ("id", member("id")),
                ("recorded", member("recorded_at")),
                ("data", member("data")),
                ("read as", edited.as_deref().map(printable)),
            ])
        },
    )
}

/// The event that fails: from the program, which may have the store, or from the store.
pub(super) fn failing(
    file: &File,
    projection: &Projection,
    parked: &ParkedKey,
    context: &Context,
) -> Result<Value, String> {
    let position = parked.position.ok_or("nothing waits for the key")?;
    if projection.is_running() {
        let order = json!({ "do": "event", "position": position });
        match give(file, projection, &order, Waiting::SHORT) {
            Ok(Given::Done(text)) => return serde_json::from_str(&text).map_err(|error| error.to_string()),
            Ok(Given::Left(_)) => {}
            Err(failure) => return Err(failure.to_string()),
        }
    }
    if context.directory().is_err() {
        return Err("no program runs the projection, and --data names no store to read it from".to_owned());
    }
    from_store(position, context)
        .map_err(|failure| failure.to_string())?
        .ok_or_else(|| "it is gone".to_owned())
}

fn from_store(position: u64, context: &Context) -> Outcome<Option<Value>> {
    let store = context.existing_store()?;
    let place = Position::new(position);
    let options = ReadOptions::default().after(place.and_then(Position::previous)).until(place);
    let read = pollster::block_on(store.read(Query::All, options).next()).transpose();
    let event = read.map_err(|error| crate::failure::Failure::store("read the event", &error))?;
    close(&store)?;
    Ok(event.map(|found| {
        json!({
            "position": position,
            "id": found.event.id.to_string(),
            "type": found.event.event_type.as_str(),
            "stream": found.event.stream.as_ref().map(factlog_core::StreamId::as_str),
            "revision": found.revision.map(factlog_core::Revision::get),
            "recorded_at": found.recorded_at.to_string(),
            "tags": found.event.tags.iter().map(factlog_core::Tag::as_str).collect::<Vec<_>>(),
            "data": String::from_utf8_lossy(&found.event.data),
        })
    }))
}
