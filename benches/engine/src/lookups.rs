//! Ten events among all, found by their stream and by a tag: again and again, each once, and from a cold disk.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use bench_common::clock::Stopwatch;
use bench_common::facts;
use bench_common::latency::Latency;
use bench_common::number::shown;
use bench_common::raw;
use bench_common::results::{Results, Row};
use factlog_core::{Query, QueryItem, ReadOptions, StreamId, Tags};
use factlog_engine::Engine;

use crate::log::read;
use crate::{opening, progress, row};

/// Events among which the targets say that ten are found.
const PROMISED: u64 = 10_000_000;

/// Looks up few keys again and again, then many keys once each.
pub(crate) fn warm(store: &Engine, dir: &Path, events: u64, results: &mut Results) -> Result<()> {
    const LOOKUPS: u64 = 2_000;
    progress("lookups");
    let raw = raw::random_read(&dir.join("segments"), false)?;
    let kinds = events / facts::OF_A_KIND;
    let stream =
        |kind: u64| Ok::<_, anyhow::Error>(Query::stream(StreamId::new(format!("transfer-{kind}"))?));
    let tag = |kind: u64| {
        Ok::<_, anyhow::Error>(Query::any_of([QueryItem::tagged(Tags::new([format!("account:{kind}")])?)])?)
    };
    // 40 keys touch 400 blocks, which the engine's cache holds; 2,000 touch more than it holds.
    for (warmth, different) in [("warm", 40), ("warm, every one another", LOOKUPS)] {
        for (what, query) in [("stream", &stream as &dyn Fn(u64) -> Result<Query>), ("tag", &tag)] {
            let mut latency = Latency::default();
            for lookup in 0..LOOKUPS {
                let query = query(facts::mix(different + lookup % different) % kinds)?;
                let watch = Stopwatch::start();
                let found = read(store, query, ReadOptions::default())?;
                let time = watch.elapsed();
                assert_eq!(found, facts::OF_A_KIND, "one {what}");
                if different == LOOKUPS || different <= lookup {
                    latency.record(time);
                }
            }
            let name = format!("one {what} of 10 events among {}, {warmth}", shown(events as f64));
            let p50 = latency.micros(0.5);
            let mut line = row(&name, p50, "µs");
            against_reads(&mut line, p50, facts::OF_A_KIND as u32, raw);
            line.target = "≤ 20 µs".to_owned();
            line.met = verdict(p50 <= 20.0, events);
            line.note = format!("p99 {} µs; {}", shown(latency.micros(0.99)), among(events));
            results.rows.push(line);
        }
    }
    Ok(())
}

pub(crate) fn cold(dir: &Path, events: u64, results: &mut Results) -> Result<()> {
    progress("cold lookups");
    let cold = opening::cold(dir, events)?;
    let raw = raw::random_read(&dir.join("segments"), true)?;
    let mut line = row(
        &format!("one stream of 10 events among {}, cold", shown(events as f64)),
        cold.read_calls,
        "read calls",
    );
    against_reads(&mut line, cold.p50_micros, 3, raw);
    line.target = "≤ 3 disk reads".to_owned();
    line.met = verdict(cold.read_calls <= 3.0, events);
    line.note = format!(
        "p50 {} µs, {} KiB from the disk each; {}",
        shown(cold.p50_micros),
        shown(cold.disk_bytes / 1024.0),
        among(events)
    );
    results.rows.push(line);
    Ok(())
}

/// Fast among fewer than the target says does not prove it; slow among fewer is a miss already.
fn verdict(kept: bool, events: u64) -> Option<bool> {
    match (kept, PROMISED <= events) {
        (true, false) => None,
        (kept, _) => Some(kept),
    }
}

fn among(events: u64) -> &'static str {
    if events < PROMISED {
        "the target says among 10 M: `--large 10000000`"
    } else {
        "as many as the target says"
    }
}

/// Beside as many raw reads of 4 KiB as it should take.
fn against_reads(line: &mut Row, micros: f64, reads: u32, raw: Duration) {
    let least = (raw * reads).as_secs_f64() * 1e6;
    line.limit = format!("{reads} raw reads of 4 KiB: {} µs", shown(least));
    line.ratio = Some(micros / least);
}
