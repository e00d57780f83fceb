//! Large logs: filling them, and scanning the largest both ways; the rest of what is measured of them is put together.

use std::path::Path;

use anyhow::{Context, Result};
use bench_common::clock::{Stopwatch, per_second};
use bench_common::facts::fact;
use bench_common::footprint;
use bench_common::number::{median, shown};
use bench_common::raw;
use bench_common::results::Results;
use factlog_core::{Append, EventStore, Query, ReadOptions};
use factlog_engine::{Compression, Engine, Settings};

use crate::{Scale, load, lookups, progress, row, sizes, space};

const BATCH: u64 = 1_000;
const SCANS: usize = 5;
const MIB: f64 = (1 << 20) as f64;

/// Segments of some kind, which are scanned.
struct Segments {
    /// Added to the name of the line.
    name: &'static str,
    settings: fn() -> Settings,
    /// Events a second that the design wants of them.
    target: f64,
}

/// The kinds of segments that are scanned. The first is that of the log that everything else is measured of; each other
/// gets a log of its own.
const SEGMENTS: [Segments; 2] = [
    Segments { name: ", compressed", settings: Settings::default, target: 1.5e6 },
    Segments { name: ", not compressed", settings: uncompressed, target: 3e6 },
];

fn uncompressed() -> Settings {
    Settings { compression: Compression::None, ..Settings::default() }
}

/// Bytes that a log was given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given {
    /// The data of its events.
    pub(crate) data: u64,
    /// All their content, and their ids.
    pub(crate) whole: u64,
}

pub(crate) fn run(dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    let [usual, others @ ..] = &SEGMENTS;
    let (sizes, largest) = (scale.sizes(), scale.largest());
    let large = dir.join("large");
    let mut opened = Vec::new();
    for events in sizes {
        let path = if events == largest { large.clone() } else { dir.join("smaller") };
        let given = fill(&path, events, (usual.settings)())?;
        if events == largest {
            space::run(&path, events, given, results)?;
        }
        opened.push(sizes::measure(&path, events, &opened, results)?);
        if events < largest {
            std::fs::remove_dir_all(&path).context("a smaller log could not be removed")?;
        }
    }
    let store = Engine::open(&large, (usual.settings)())?;
    scans(&store, &large, usual, results)?;
    lookups::warm(&store, &large, largest, results)?;
    pollster::block_on(store.close())?;
    lookups::cold(&large, largest, results)?;
    for other in others {
        let path = dir.join("other");
        fill(&path, largest, (other.settings)())?;
        let store = Engine::open(&path, (other.settings)())?;
        scans(&store, &path, other, results)?;
        pollster::block_on(store.close())?;
        std::fs::remove_dir_all(&path).context("a log of another kind could not be removed")?;
    }
    Ok(())
}

/// Fills a new store, and closes it.
fn fill(dir: &Path, events: u64, settings: Settings) -> Result<Given> {
    progress(&format!("filling a log with {} events", shown(events as f64)));
    std::fs::create_dir_all(dir)?;
    let store = Engine::open(dir, settings)?;
    let mut given = Given::default();
    let mut first = 0;
    while first < events {
        let last = events.min(first + BATCH);
        let batch: Result<Vec<_>> = (first..last).map(|number| load::event(fact(number, events))).collect();
        let append = Append::new(batch?);
        given.data += append.events.iter().map(|event| event.data.len() as u64).sum::<u64>();
        // An event is its content and its id.
        given.whole += append.events.iter().map(|event| event.size() as u64 + 16).sum::<u64>();
        pollster::block_on(store.append(append))
            .map_err(|error| anyhow::anyhow!("filling failed: {error}"))?;
        first = last;
    }
    pollster::block_on(store.close())?;
    Ok(given)
}

/// Reads and drops all that a query finds, and counts it.
pub(crate) fn read(store: &Engine, query: Query, options: ReadOptions) -> Result<u64> {
    let mut events = store.read(query, options);
    pollster::block_on(async {
        let mut count = 0;
        while let Some(event) = events.next().await {
            std::hint::black_box(event?);
            count += 1;
        }
        Ok(count)
    })
}

fn head_of(store: &Engine) -> Result<u64> {
    let head = pollster::block_on(store.head())?.position;
    Ok(head.map_or(0, factlog_core::Position::get))
}

fn scans(store: &Engine, dir: &Path, kind: &Segments, results: &mut Results) -> Result<()> {
    progress(&format!("scanning both ways{}", kind.name));
    let events = head_of(store)?;
    let bytes = footprint::disk_bytes(&dir.join("segments"))? as f64;
    let ways = [("forwards", ReadOptions::default()), ("backwards", ReadOptions::default().backwards())];
    let mut rates = [Vec::new(), Vec::new()];
    let (mut disk, mut memory) = (Vec::new(), Vec::new());
    for round in 0..=SCANS {
        for ((_, options), rates) in ways.iter().zip(&mut rates) {
            let watch = Stopwatch::start();
            let count = read(store, Query::All, *options)?;
            assert_eq!(count, events, "a scan finds every event");
            if round > 0 {
                rates.push(per_second(count, watch.elapsed()));
            }
        }
        disk.push(raw::sequential_read(&dir.join("segments"))?);
        memory.push(raw::memory_copy());
    }
    let (disk, memory) = (median(&disk), median(&memory));
    results.fact(
        "raw: files of the log read from the cache, 256 KiB a call",
        format!("{} MiB/s", shown(disk / MIB)),
    );
    results.fact("raw: memory copied", format!("{} MiB/s", shown(memory / MIB)));
    for ((way, _), rates) in ways.iter().zip(&rates) {
        let rate = median(rates);
        let through = rate * bytes / events as f64;
        let mut line = row(&format!("scan {way}, warm, one thread{}", kind.name), rate, "events/s");
        line.limit = format!("{} MiB/s from the file cache", shown(disk / MIB));
        line.ratio = Some(through / disk);
        line.target = format!("≥ {} events/s", shown(kind.target));
        line.met = Some(kind.target <= rate);
        line.note = format!(
            "{} MiB/s of segments, {} of a memory copy",
            shown(through / MIB),
            shown(through / memory)
        );
        results.rows.push(line);
    }
    Ok(())
}
