//! The same work done by factlog, UmaDB, Tephra, SQLite and PostgreSQL, in turns in one run.
//!
//! Each work has a fresh store of every kind. A round lets every store work once, for about the same time, one after
//! the other: a slow minute of the machine weighs on all of them. It knows nothing of tables and charts: it writes its
//! results as JSON for `cargo xtask bench peers`. Reading order: [`store`], [`work`], then any store.

mod cluster;
mod factlog;
mod ports;
mod postgresql;
mod sqlite;
mod store;
mod tephra;
mod umadb;
mod work;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench_common::arguments::Arguments;
use bench_common::clock::{Stopwatch, process_cpu};
use bench_common::facts::{Fact, fact};
use bench_common::number::shown;
use bench_common::raw;
use bench_common::results::{Cell, Results};

use crate::cluster::Cluster;
use crate::store::{Peer, Store};
use crate::work::{Measured, WORKS, Work};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Scale {
    rounds: usize,
    /// Time of one store in one round.
    time: Duration,
    /// Events that are read back.
    events: u64,
}

/// A store in the middle of a work.
struct Running<'a> {
    peer: &'a Peer,
    store: Box<dyn Store>,
    dir: PathBuf,
    /// The position of its last event.
    head: u64,
    rounds: Vec<f64>,
    sum: Measured,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let (rounds, millis, events) = if arguments.quick { (2, 200, 20_000) } else { (7, 1_000, 500_000) };
    let scale =
        Scale { rounds, time: Duration::from_millis(millis), events: arguments.events.unwrap_or(events) };
    let dir = tempfile::Builder::new().prefix("factlog-bench-").tempdir_in(&arguments.dir);
    let dir = dir.with_context(|| format!("no directory can be made in {}", arguments.dir.display()))?;
    let mut results = Results::default();
    results.fact("rounds", scale.rounds);
    results.fact("time of a store in a round", format!("{millis} ms, 200,000 events at most"));
    results.fact("events read back", shown(scale.events as f64));
    results.fact("an event", "256 bytes of JSON, 2 tags, 1 stream, a type");
    for store in VERSIONS {
        results.fact(store.0, store.1);
    }
    let before = raw::sync_rates(dir.path(), Duration::from_millis(500))?;
    let peers = peers(dir.path(), &mut results);
    for work in &WORKS {
        appends(work, &peers, dir.path(), scale, &mut results)?;
    }
    read_back(&peers, dir.path(), scale, &mut results)?;
    let after = raw::sync_rates(dir.path(), Duration::from_millis(500))?;
    let text = format!("{} a second before, {} after", shown(before.dsync), shown(after.dsync));
    results.fact("raw: 4 KiB over zeros, RWF_DSYNC", text);
    results.write(&arguments.out)
}

/// What is compared, as it is set up.
const VERSIONS: [(&str, &str); 5] = [
    ("factlog", "embedded, default settings; the commit is above"),
    (
        "UmaDB",
        "umadb-core 0.7.8, embedded, with the writer thread its server uses (synchronous mode, its default)",
    ),
    (
        "Tephra",
        "tephra 0.4.1, embedded; tephra-server 0.4.4 and tephra-client 0.5.3 on loopback; default settings",
    ),
    ("SQLite", "rusqlite 0.41.1 (bundled), WAL, synchronous=FULL, one connection behind a lock"),
    ("PostgreSQL", "15, default settings, one connection a writer, one function call an append"),
];

fn peers(dir: &Path, results: &mut Results) -> Vec<Peer> {
    let mut peers = vec![
        Peer { name: "factlog", open: Box::new(factlog::open) },
        Peer { name: "UmaDB", open: Box::new(umadb::open) },
        Peer { name: "Tephra", open: Box::new(tephra::open) },
    ];
    #[cfg(feature = "tephra-served")]
    peers.push(Peer { name: "Tephra served", open: Box::new(tephra::served::open) });
    #[cfg(not(feature = "tephra-served"))]
    absent(
        results,
        "Tephra served",
        "its crates need protoc 36.2 to build: put it on the PATH or name it in PROTOC",
    );
    peers.push(Peer { name: "SQLite", open: Box::new(sqlite::open) });
    match Cluster::start(dir) {
        Ok(cluster) => {
            let cluster = Arc::new(cluster);
            peers.push(Peer { name: "PostgreSQL", open: Box::new(move |_| postgresql::open(&cluster)) });
        }
        Err(error) => absent(results, "PostgreSQL", &format!("{error:#}")),
    }
    peers
}

/// A store that is not measured is missed in the report and on the terminal.
fn absent(results: &mut Results, store: &str, reason: &str) {
    eprintln!("bench peers: NOT MEASURED: {store}: {reason}");
    results.absent.push((store.to_owned(), reason.to_owned()));
}

fn open<'a>(peer: &'a Peer, dir: &Path) -> Result<Running<'a>> {
    let dir = dir.join(peer.name.replace(' ', "-"));
    std::fs::create_dir_all(&dir)?;
    let store = (peer.open)(&dir).with_context(|| format!("{} could not be opened", peer.name))?;
    Ok(Running { peer, store, dir, head: 0, rounds: Vec::new(), sum: Measured::default() })
}

/// Every store does the work in every round, and is checked to hold all of it in the end.
fn appends(work: &Work, peers: &[Peer], dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    let mut running: Vec<Running> = peers.iter().map(|peer| open(peer, dir)).collect::<Result<_>>()?;
    let mut expected = vec![0; running.len()];
    let mut appends = vec![(200 / work.batch / work.writers).max(2); running.len()];
    // The first two turns warm up and find out how much fits into a round; they are thrown away.
    for round in 0..scale.rounds + 2 {
        eprintln!("bench peers: {}, round {round} of {}", work.name, scale.rounds + 1);
        for turn in 0..running.len() {
            // Each round begins with another store: nobody always comes after the same one.
            let at = (turn + round) % running.len();
            let one = &mut running[at];
            let measured = work.run(&*one.store, appends[at], &mut one.head);
            let measured = measured.with_context(|| format!("{} failed at: {}", one.peer.name, work.name))?;
            expected[at] += measured.events;
            if round < 2 {
                let time = if round == 0 { scale.time / 5 } else { scale.time };
                appends[at] = work.appends_for(time, &measured);
            } else {
                one.rounds.push(measured.per_second());
                one.sum.add(&measured);
            }
        }
    }
    for (one, expected) in running.into_iter().zip(expected) {
        let found = one.store.scan()?;
        ensure!(found == expected, "{} acknowledged {expected} events and has {found}", one.peer.name);
        finish(one, work.name, expected, results)?;
    }
    Ok(())
}

/// Every store gets the same log, and reads it back in turns.
fn read_back(peers: &[Peer], dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    const BATCH: u64 = 1_000;
    let mut running: Vec<Running> = peers.iter().map(|peer| open(peer, dir)).collect::<Result<_>>()?;
    for one in &mut running {
        eprintln!("bench peers: filling {}", one.peer.name);
        let mut writer = one.store.writer()?;
        let mut first = 0;
        while first < scale.events {
            let last = scale.events.min(first + BATCH);
            let facts: Vec<Fact> = (first..last).map(|number| fact(number, scale.events)).collect();
            writer.append(facts, None).with_context(|| format!("filling {} failed", one.peer.name))?;
            first = last;
        }
    }
    for round in 0..=scale.rounds {
        eprintln!("bench peers: reading back, round {round} of {}", scale.rounds);
        for one in &mut running {
            let mut measured = Measured::default();
            let (server, own) = (one.store.server_cpu(), process_cpu());
            let watch = Stopwatch::start();
            measured.events = one.store.scan()?;
            measured.time = watch.elapsed();
            measured.cpu = process_cpu() - own + one.store.server_cpu().saturating_sub(server);
            measured.latency.record(measured.time);
            ensure!(measured.events == scale.events, "{} read {}", one.peer.name, measured.events);
            if round > 0 {
                one.rounds.push(measured.per_second());
                one.sum.add(&measured);
            }
        }
    }
    for one in running {
        finish(one, "read all back", scale.events, results)?;
    }
    Ok(())
}

fn finish(one: Running, work: &str, events: u64, results: &mut Results) -> Result<()> {
    let disk = one.store.disk_bytes()?;
    results.cells.push(Cell {
        work: work.to_owned(),
        store: one.peer.name.to_owned(),
        p50_micros: one.sum.latency.micros(0.5),
        p99_micros: one.sum.latency.micros(0.99),
        cpu_micros_per_event: one.sum.cpu.as_secs_f64() * 1e6 / one.sum.events as f64,
        disk_bytes_per_event: Some(disk as f64 / events as f64),
        rounds: one.rounds,
    });
    drop(one.store);
    std::fs::remove_dir_all(&one.dir).with_context(|| format!("cannot remove {}", one.dir.display()))
}
