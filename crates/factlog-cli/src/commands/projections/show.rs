//! `factlog projections show`: one projection with all its generations.

use factlog_core::Timestamp;
use serde_json::{Value, json};

use super::{Named, number, rate};
use crate::failure::Outcome;
use crate::numbers::{counted, grouped, span, tenth};
use crate::output::{answer, printable};
use crate::read_model::Projection;
use crate::table::{Align, facts, table};

pub(super) fn run(named: &Named, json: bool) -> Outcome {
    let projection = named.place.open()?.projection(&named.projection)?;
    answer(json, || document(&projection), || text(&projection))
}

fn document(projection: &Projection) -> Value {
    let mut document = projection.document();
    document["given_up"] = projection.given_up.clone().unwrap_or_default();
    document["generations"] = generations(projection).into();
    document
}

fn generations(projection: &Projection) -> Vec<Value> {
    let running = projection.is_running();
    let generations = projection.generations.iter().map(|(number, generation)| {
        let status = generation.status.as_ref();
        let moving = status.filter(|_| running);
        json!({
            "number": number,
            "phase": generation.phase.name(),
            "version": generation.version,
            "fingerprint": generation.fingerprint,
            "because": generation.because,
            "applied": generation.applied,
            "ranges": generation.ranges,
            "built": status.map(|status| status.built),
            "rate": moving.map(|status| tenth(status.rate)),
            "remaining_seconds": moving.and_then(|status| status.remaining_seconds),
            "parked": generation.parked,
            "seen_at": status.map(|status| Timestamp::from_micros(status.at).to_string()),
        })
    });
    generations.collect()
}

fn text(projection: &Projection) -> String {
    let document = projection.document();
    let said = |name: &str| document[name].as_str().map(printable);
    let state = match document["state"].as_str() {
        Some("stalled") => Some("stalled: it runs and is behind, and does not advance".to_owned()),
        _ => said("state"),
    };
    let behind = document["lag_events"].as_u64().map(|events| match document["lag_seconds"].as_u64() {
        Some(seconds) if 0 < events => format!("{}, for {}", counted(events, "event"), span(seconds)),
        _ => counted(events, "event"),
    });
    let seen = projection.last_sign().map(|status| {
        let owner = Timestamp::from_micros(status.at);
        format!("{} ago, at {owner}", span(projection.since(status.at)))
    });
    let advanced = document["seconds_since_advance"].as_u64().map(|seconds| format!("{} ago", span(seconds)));
    let given_up = projection.given_up.as_ref().map(|given_up| {
        let error = printable(given_up["error"].as_str().unwrap_or_default());
        format!("generation {}: {error}", given_up["generation"])
    });
    let above = facts([
        ("name", said("name")),
        ("state", state),
        ("problem", said("problem")),
        ("served", projection.serving.map(|number| format!("generation {number}"))),
        ("applied", document["applied"].as_u64().map(grouped)),
        ("head", document["head"].as_u64().map(grouped)),
        ("behind", behind),
        ("advanced", advanced),
        ("seen", seen),
        ("given up", given_up),
    ]);
    let columns = [
        ("GENERATION", Align::Right),
        ("PHASE", Align::Left),
        ("VERSION", Align::Right),
        ("APPLIED", Align::Right),
        ("RATE/S", Align::Right),
        ("LEFT", Align::Right),
        ("PARKED", Align::Right),
        ("BUILT BECAUSE", Align::Left),
    ];
    let rows = generations(projection);
    let rows = rows.iter().map(|row| {
        [
            number(&row["number"]),
            row["phase"].as_str().unwrap_or_default().to_owned(),
            number(&row["version"]),
            number(&row["applied"]),
            rate(&row["rate"]),
            row["remaining_seconds"].as_u64().map_or("-".to_owned(), span),
            number(&row["parked"]),
            row["because"].as_str().map_or("-".to_owned(), printable),
        ]
    });
    format!("{above}\n\n{}", table(columns, &rows.collect::<Vec<_>>()))
}
