//! Appends: one writer, many writers, batches, with and without conditions, in turns with the raw disk.
//!
//! Each round measures the disk, then every load once. A figure is the median of its rounds, and a ratio the median
//! of the ratios of the rounds, each to the disk before and after it: a slow minute weighs on both.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bench_common::latency::Latency;
use bench_common::number::{median, shown};
use bench_common::raw::{self, SyncRates};
use bench_common::results::{Results, Row};
use factlog_core::{EventStore, Position};
use factlog_engine::{Engine, Settings};

use crate::load::{self, Load};
use crate::{Scale, progress, row};

/// What is measured each round, in this order.
const LOADS: [(&str, Load); 8] = [
    ("1 writer, one event an append", Load { writers: 1, batch: 1, appends: 1_500, conditional: false }),
    (
        "1 writer, one event an append, conditional",
        Load { writers: 1, batch: 1, appends: 1_500, conditional: true },
    ),
    ("64 writers, one event an append", Load { writers: 64, batch: 1, appends: 400, conditional: false }),
    (
        "64 writers, one event an append, conditional",
        Load { writers: 64, batch: 1, appends: 400, conditional: true },
    ),
    (
        "1,024 writers, one event an append",
        Load { writers: 1_024, batch: 1, appends: 30, conditional: false },
    ),
    ("1 writer, 1,000 events an append", Load { writers: 1, batch: 1_000, appends: 40, conditional: false }),
    ("8 writers, 1,000 events an append", Load { writers: 8, batch: 1_000, appends: 6, conditional: false }),
    (
        "8 writers, 1,000 events an append, conditional",
        Load { writers: 8, batch: 1_000, appends: 6, conditional: true },
    ),
];

/// All rounds of one load.
#[derive(Debug, Default)]
struct Rounds {
    rates: Vec<f64>,
    latency: Latency,
}

pub(crate) fn run(dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let store =
        Engine::open(dir.join("store"), Settings::default()).context("the store could not be opened")?;
    let mut raw = vec![probe(dir)?];
    let mut measured: Vec<Rounds> = LOADS.iter().map(|_| Rounds::default()).collect();
    let mut expected = 0;
    // The first turn warms up caches, allocator and files, and is thrown away.
    for round in 0..=scale.rounds {
        progress(&format!("appends, round {round} of {}", scale.rounds));
        let mut turns: Vec<_> = LOADS.iter().zip(&mut measured).collect();
        // Every other round backwards: what comes first must not always have the emptier log.
        if !round.is_multiple_of(2) {
            turns.reverse();
        }
        for ((_, load), rounds) in turns {
            let one = load::run(&store, load)?;
            expected += one.events;
            if round > 0 {
                rounds.rates.push(one.per_second());
                rounds.latency.add(&one.latency);
            }
        }
        if round > 0 {
            raw.push(probe(dir)?);
        }
    }
    let head = pollster::block_on(store.head())?.position;
    assert_eq!(Position::number(head), expected, "every event that was acknowledged is there");
    pollster::block_on(store.close())?;
    limits(&raw, results);
    report(&measured, &raw, results);
    std::fs::remove_dir_all(dir).context("the store could not be removed")
}

fn probe(dir: &Path) -> Result<SyncRates> {
    raw::sync_rates(dir, Duration::from_millis(250))
}

/// The disk alone, so that a reader can judge how steady it was.
fn limits(raw: &[SyncRates], results: &mut Results) {
    type Kind = fn(&SyncRates) -> f64;
    let kinds: [(&str, Kind); 4] = [
        ("raw: 4 KiB appended + fdatasync", |raw| raw.growing),
        ("raw: 4 KiB over zeros + fdatasync", |raw| raw.overwriting),
        ("raw: 4 KiB over zeros, RWF_DSYNC", |raw| raw.dsync),
        ("raw: 384 KiB over zeros, RWF_DSYNC", |raw| raw.bulk),
    ];
    for (name, of) in kinds {
        let rates: Vec<f64> = raw.iter().map(of).collect();
        let lowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = rates.iter().copied().fold(0.0, f64::max);
        let text =
            format!("{} a second (median; {} to {})", shown(median(&rates)), shown(lowest), shown(highest));
        results.fact(name, text);
    }
}

fn report(measured: &[Rounds], raw: &[SyncRates], results: &mut Results) {
    let mut before: Option<&Rounds> = None;
    for ((name, load), rounds) in LOADS.iter().zip(measured) {
        let mut line = row(name, median(&rounds.rates), "events/s");
        line.note = format!(
            "p50 {} µs, p99 {} µs",
            shown(rounds.latency.micros(0.5)),
            shown(rounds.latency.micros(0.99))
        );
        match (load.conditional, before) {
            (true, Some(plain)) => conditional(&mut line, rounds, plain),
            _ => against_disk(&mut line, load, rounds, raw),
        }
        target(&mut line, load, rounds);
        results.rows.push(line);
        before = Some(rounds);
    }
}

/// How much longer than the load just before it, which is the same without conditions.
fn conditional(line: &mut Row, rounds: &Rounds, plain: &Rounds) {
    let ratios: Vec<f64> = plain.rates.iter().zip(&rounds.rates).map(|(plain, with)| plain / with).collect();
    let ratio = median(&ratios);
    line.limit = format!("{} events/s without", shown(median(&plain.rates)));
    line.ratio = Some(ratio);
    line.target = "≤ 1.15 times as long".to_owned();
    line.met = Some(ratio <= 1.15);
}

/// Events for each raw synchronous write; for large appends, their writes for each raw write of that size.
fn against_disk(line: &mut Row, load: &Load, rounds: &Rounds, raw: &[SyncRates]) {
    let bulk = load.batch == 1_000;
    let of = |raw: &SyncRates| if bulk { raw.bulk } else { raw.dsync };
    let share = if bulk { load.batch as f64 } else { 1.0 };
    let around = raw.windows(2).map(|pair| f64::midpoint(of(&pair[0]), of(&pair[1])));
    let ratios: Vec<f64> = rounds.rates.iter().zip(around).map(|(rate, raw)| rate / share / raw).collect();
    let all: Vec<f64> = raw.iter().map(of).collect();
    line.limit =
        format!("{} {} writes/s", shown(median(&all)), if bulk { "raw 384 KiB" } else { "raw 4 KiB" });
    line.ratio = Some(median(&ratios));
}

fn target(line: &mut Row, load: &Load, rounds: &Rounds) {
    if load.conditional {
        return;
    }
    match (load.writers, load.batch) {
        (1, 1) => {
            line.target = "≥ 0.8 of the raw rate".to_owned();
            line.met = line.ratio.map(|ratio| 0.8 <= ratio);
        }
        (64, 1) => line.target = "≥ 10 times UmaDB: see `bench peers`".to_owned(),
        (8, 1_000) => {
            line.target = "≥ 500,000 events/s".to_owned();
            line.met = Some(500_000.0 <= median(&rounds.rates));
        }
        _ => {}
    }
}
