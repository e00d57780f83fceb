//! `factlog bench read`: events read a second from warm files: forwards, backwards, and stream by stream.

use std::time::Duration;

use factlog_core::{Administration, EventStore, Query, ReadOptions, StreamId};
use factlog_engine::Engine;
use hdrhistogram::Histogram;
use serde_json::json;

use super::{Load, Place, load, report};
use crate::context::{close, open};
use crate::failure::{Failure, Outcome, say};
use crate::numbers::{grouped, rate, tenth};
use crate::stopwatch::Stopwatch;

/// Each scan is run this often; the median counts.
const SCANS: usize = 3;
/// Streams that are read one after the other, at most.
const STREAMS: usize = 10_000;

/// Events and the time they took.
#[derive(Clone, Copy, Debug)]
struct Scan {
    events: u64,
    time: Duration,
}

pub(super) fn run(filling: &Load, place: &Place, json: bool) -> Outcome {
    let mut raw = Vec::new();
    report::raw(place, &mut raw)?;
    let store = open(place.shown())?;
    let filled = fill(&store, filling)?;
    let forwards = median(&store, ReadOptions::default())?;
    let backwards = median(&store, ReadOptions::default().backwards())?;
    let (by_stream, streams, latency) = streams(&store)?;
    close(&store)?;
    report::raw(place, &mut raw)?;

    let mut report = report::Report::new("read");
    report.put("events", json!(forwards.events));
    report.put("filled", json!(filled));
    for (name, value) in [
        ("size", filling.size),
        ("tags", filling.tags),
        ("batch", filling.batch),
        ("writers", filling.writers),
    ] {
        // A store that was there already holds whatever it holds.
        report.put(name, if filled { json!(value) } else { json!(null) });
    }
    report.put("streams_read", json!(streams));
    report.put("events_per_second", json!(tenth(forwards.per_second())));
    report.put("forwards", forwards.figures());
    report.put("backwards", backwards.figures());
    report.put("by_stream", by_stream.figures());
    report.line("read", format!("{} events, median of {SCANS} scans, one thread", grouped(forwards.events)));
    for (label, scan) in [("forwards", forwards), ("backwards", backwards), ("by stream", by_stream)] {
        report.line(label, format!("{} events/s", grouped(scan.per_second() as u64)));
    }
    report.latency("one stream", &latency);
    report.machine(place, &raw);
    report.answer(json)
}

/// Fills an empty store; one that holds events is left as it is.
fn fill(store: &Engine, filling: &Load) -> Outcome<bool> {
    let head = pollster::block_on(store.head()).map_err(|error| Failure::store("read the head", &error))?;
    if head.position.is_some() {
        return Ok(false);
    }
    say(&format!("filling an empty store with {} events", grouped(filling.events)));
    load::run(store, filling)?;
    Ok(true)
}

/// The whole log: once to warm up, then the median of some.
fn median(store: &Engine, options: ReadOptions) -> Outcome<Scan> {
    scan(store, Query::All, options)?;
    let mut scans = Vec::with_capacity(SCANS);
    for _ in 0..SCANS {
        scans.push(scan(store, Query::All, options)?);
    }
    scans.sort_by_key(|scan| scan.time);
    Ok(scans[SCANS / 2])
}

fn scan(store: &Engine, query: Query, options: ReadOptions) -> Outcome<Scan> {
    let watch = Stopwatch::start();
    let mut events = store.read(query, options);
    let count: Result<u64, factlog_core::Error> = pollster::block_on(async {
        let mut count = 0;
        while let Some(event) = events.next().await {
            std::hint::black_box(event?);
            count += 1;
        }
        Ok(count)
    });
    let events = count.map_err(|error| Failure::store("scan", &error))?;
    Ok(Scan { events, time: watch.elapsed() })
}

/// Streams one by one, in the order of their names: all their events, and how long each took.
fn streams(store: &Engine) -> Outcome<(Scan, usize, Histogram<u64>)> {
    let listed = pollster::block_on(store.streams("", None, STREAMS));
    let listed = listed.map_err(|error| Failure::store("list streams", &error))?;
    let names: Vec<StreamId> = listed.into_iter().map(|info| info.stream).collect();
    let mut latency = load::histogram();
    let mut total = Scan { events: 0, time: Duration::ZERO };
    for name in &names {
        let one = scan(store, Query::stream(name.clone()), ReadOptions::default())?;
        latency.saturating_record(load::micros(one.time));
        total.events += one.events;
        total.time += one.time;
    }
    Ok((total, names.len(), latency))
}

impl Scan {
    fn per_second(self) -> f64 {
        rate(self.events, self.time)
    }

    fn figures(self) -> serde_json::Value {
        let seconds = (self.time.as_secs_f64() * 1e6).round() / 1e6;
        json!({ "events": self.events, "seconds": seconds, "events_per_second": tenth(self.per_second()) })
    }
}
