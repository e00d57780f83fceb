//! Opening, memory and cold lookups, each in a process of its own: nothing is warm there that should not be.

use std::path::Path;

use anyhow::{Context, Result, bail};
use bench_common::child;
use bench_common::clock::Stopwatch;
use bench_common::facts;
use bench_common::footprint::{self, Memory};
use factlog_core::{EventStore, Position, Query, ReadOptions, StreamId};
use factlog_engine::{Engine, Settings};
use serde::{Deserialize, Serialize};

use crate::load::{self, Load};
use crate::log::read;

/// What a process that opened a store tells.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Opened {
    pub(crate) seconds: f64,
    /// Memory before opening: the program itself.
    pub(crate) before: Memory,
    pub(crate) after: Memory,
    /// Memory after a scan of the whole log.
    pub(crate) scanned: Memory,
}

/// What a process that looked up streams from a cold disk tells, each per lookup.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Cold {
    pub(crate) p50_micros: f64,
    pub(crate) read_calls: f64,
    pub(crate) disk_bytes: f64,
}

/// The other side: what a child process does, by the name it was started with.
pub(crate) fn run_child(name: &str, words: &[String]) -> Result<()> {
    let [dir, rest @ ..] = words else { bail!("{name} wants a directory") };
    let dir = Path::new(dir);
    match (name, rest) {
        ("child-open", []) => child::tell(&open_and_scan(dir)?),
        ("child-hold", []) => hold(dir),
        ("child-cold", [events]) => child::tell(&cold_lookups(dir, events.parse()?)?),
        _ => bail!("there is no child {name} with these arguments"),
    }
}

/// Opens the store in a new process, and reads all of it.
pub(crate) fn open(dir: &Path) -> Result<Opened> {
    child::answer(&mut child::again(&["child-open", text(dir)?])?)
}

/// Looks up streams in a new process with nothing cached.
pub(crate) fn cold(dir: &Path, events: u64) -> Result<Cold> {
    child::answer(&mut child::again(&["child-cold", text(dir)?, &events.to_string()])?)
}

/// Lets a new process append to the store, and kills it with SIGKILL while it has it open.
pub(crate) fn kill(dir: &Path) -> Result<()> {
    child::kill_when_ready(&mut child::again(&["child-hold", text(dir)?])?)
}

fn text(dir: &Path) -> Result<&str> {
    dir.to_str().with_context(|| format!("{} is no text", dir.display()))
}

fn open_and_scan(dir: &Path) -> Result<Opened> {
    let before = Memory::of_this_process()?;
    let watch = Stopwatch::start();
    let store = Engine::open(dir, Settings::default())?;
    let seconds = watch.elapsed().as_secs_f64();
    let after = Memory::of_this_process()?;
    read(&store, Query::All, ReadOptions::default())?;
    let scanned = Memory::of_this_process()?;
    pollster::block_on(store.close())?;
    Ok(Opened { seconds, before, after, scanned })
}

/// Appends a little, so that there is a tail to recover, and waits to be killed.
fn hold(dir: &Path) -> Result<()> {
    let store = Engine::open(dir, Settings::default())?;
    let head = Position::number(pollster::block_on(store.head())?.position);
    load::number_from((1 << 40) + head);
    load::run(&store, &Load { writers: 1, batch: 1, appends: 200, conditional: false })?;
    child::wait_to_be_killed()
}

fn cold_lookups(dir: &Path, events: u64) -> Result<Cold> {
    const LOOKUPS: u64 = 100;
    let store = Engine::open(dir, Settings { cache_bytes: 0, ..Settings::default() })?;
    let streams = events / facts::OF_A_KIND;
    let mut latency = bench_common::latency::Latency::default();
    let (mut calls, mut bytes) = (0, 0);
    for lookup in 0..LOOKUPS {
        let stream = StreamId::new(format!("transfer-{}", facts::mix(lookup) % streams))?;
        footprint::forget_cached(dir)?;
        let idle = footprint::reads()?;
        let before = footprint::reads()?;
        let watch = Stopwatch::start();
        let found = read(&store, Query::stream(stream), ReadOptions::default())?;
        latency.record(watch.elapsed());
        let after = footprint::reads()?;
        assert_eq!(found, facts::OF_A_KIND);
        // Asking for the counters takes read calls too: as many as between the first two.
        calls += (after.0 - before.0).saturating_sub(before.0 - idle.0);
        bytes += after.1 - before.1;
    }
    pollster::block_on(store.close())?;
    let each = |sum: u64| sum as f64 / LOOKUPS as f64;
    Ok(Cold { p50_micros: latency.micros(0.5), read_calls: each(calls), disk_bytes: each(bytes) })
}
