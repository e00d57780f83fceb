//! `factlog bench append`: durable appends a second, each one's time, and the disk's own rate beside it.

use std::time::Duration;

use serde_json::json;

use super::load::Measured;
use super::probe::RawSync;
use super::{Load, Place, load, report};
use crate::context::{close, open};
use crate::failure::{Outcome, say};
use crate::numbers::{counted, grouped, rate, tenth};

/// Events appended before anything is measured, at most: caches, allocator and files are warm then.
const WARM_UP: u64 = 1_000;

/// Parts of the load, with the disk measured before, between and after: a disk shared with others changes by the second.
const PARTS: u64 = 16;

/// Appends `asked`, or as much of it as begins within `longest`.
pub(super) fn run(asked: &Load, longest: Option<Duration>, place: &Place, json: bool) -> Outcome {
    say(&format!(
        "measuring {} and the disk under {}",
        counted(asked.events, "event"),
        place.shown().display()
    ));
    let mut raw = Vec::new();
    report::raw(place, &mut raw)?;
    let store = open(place.shown())?;
    let warm_up = Load { events: WARM_UP.min(asked.events.div_ceil(10)), ..asked.clone() };
    load::run(&store, &warm_up)?;
    let mut measured = Measured::default();
    for part in parts(asked) {
        measured.add(&load::run(&store, &part)?);
        report::raw(place, &mut raw)?;
        if longest.is_some_and(|longest| longest <= measured.time) {
            break;
        }
    }
    close(&store)?;
    answer(asked, &warm_up, &measured, &raw, place, json)
}

fn answer(
    asked: &Load,
    warm_up: &Load,
    measured: &Measured,
    raw: &[RawSync],
    place: &Place,
    json: bool,
) -> Outcome {
    let per_second = rate(measured.events, measured.time);
    let appends_per_second = rate(measured.latency.len(), measured.time);
    let mut report = report::Report::new("append");
    for (name, value) in [
        ("events", measured.events),
        ("writers", asked.writers),
        ("batch", asked.batch),
        ("size", asked.size),
        ("tags", asked.tags),
        ("threads", measured.threads),
        ("warm_up_events", warm_up.events),
    ] {
        report.put(name, json!(value));
    }
    let seconds = measured.time.as_secs_f64();
    report.put("seconds", json!((seconds * 1e3).round() / 1e3));
    report.put("events_per_second", json!(tenth(per_second)));
    report.put("appends_per_second", json!(tenth(appends_per_second)));
    let Load { writers, batch, size, tags, .. } = *asked;
    let [writers, batch, tags] =
        [(writers, "writer"), (batch, "event"), (tags, "tag")].map(|(count, noun)| counted(count, noun));
    let load = format!("{writers}, {batch} an append, {size} bytes and {tags} an event");
    report.line("append", format!("{} in {seconds:.2} s, {load}", counted(measured.events, "event")));
    report.line(
        "rate",
        format!("{} events/s, {} appends/s", grouped(per_second as u64), grouped(appends_per_second as u64)),
    );
    report.latency("latency", &measured.latency);
    let raw = report.machine(place, raw);
    let [to_growing, to_overwriting] =
        [raw.growing, raw.overwriting].map(|raw| appends_per_second / raw.per_second());
    report.put("appends_per_raw_sync", json!((to_growing * 1e3).round() / 1e3));
    report.put("appends_per_raw_overwrite_sync", json!((to_overwriting * 1e3).round() / 1e3));
    report.line(
        "ratio",
        format!("{to_growing:.2} appends for each raw sync, {to_overwriting:.2} for each over zeros"),
    );
    report.answer(json)
}

/// The load in equal parts, or whole where parts would keep the writers from their company.
fn parts(asked: &Load) -> Vec<Load> {
    let round = asked.writers.saturating_mul(asked.batch);
    let parts = (asked.events / round.max(1) / 10).clamp(1, PARTS);
    let part =
        |n| Load { events: asked.events * (n + 1) / parts - asked.events * n / parts, ..asked.clone() };
    (0..parts).map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a part were rounded away, or if few events were torn into parts without concurrency.
    #[test]
    fn the_parts_are_the_whole() {
        for (events, writers, batch, expected) in
            [(20_000, 1, 1, 16), (7, 1, 1, 1), (256_001, 64, 1, 16), (1_000, 64, 100, 1)]
        {
            let parts = parts(&Load { events, writers, batch, size: 2, tags: 0 });
            assert_eq!(parts.len(), expected);
            assert_eq!(parts.iter().map(|part| part.events).sum::<u64>(), events);
        }
    }
}
