//! The latency of single appends while nothing else happens, and while segments are sealed all the time.
//!
//! The two stores differ in one setting: one seals every 64 KiB, about every 180 events, the other not at all in this
//! run. They are measured in turns.

use std::path::Path;

use anyhow::{Context, Result};
use bench_common::latency::Latency;
use bench_common::number::shown;
use bench_common::results::Results;
use factlog_core::EventStore;
use factlog_engine::{Engine, Settings};

use crate::load::{self, Load};
use crate::{Scale, progress, row};

const LOAD: Load = Load { writers: 1, batch: 1, appends: 1_500, conditional: false };

pub(crate) fn run(dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    let sealing = Settings { segment_bytes: 64 << 10, ..Settings::default() };
    let mut measured = [("quiet", Settings::default()), ("sealing", sealing)].map(|(name, settings)| {
        let path = dir.join(name);
        (Engine::open(&path, settings), path, Latency::default())
    });
    for round in 0..=scale.rounds {
        progress(&format!("latency while sealing, round {round} of {}", scale.rounds));
        for (store, _, latency) in &mut measured {
            let store =
                store.as_ref().map_err(|error| anyhow::anyhow!("the store could not be opened: {error}"))?;
            let one = load::run(store, &LOAD)?;
            if round > 0 {
                latency.add(&one.latency);
            }
        }
    }
    let segments =
        std::fs::read_dir(measured[1].1.join("segments")).context("no segment was sealed")?.count();
    let [quiet, busy] = [&measured[0].2, &measured[1].2];
    for (quantile, name, target) in [(0.5, "p50", None), (0.99, "p99", Some(2.0))] {
        let [calm, sealing] = [quiet.micros(quantile), busy.micros(quantile)];
        let mut line = row(&format!("{name} of an append while sealing"), sealing, "µs");
        line.limit = format!("{} µs quiet", shown(calm));
        line.ratio = Some(sealing / calm);
        if let Some(target) = target {
            line.target = "≤ 2 times quiet".to_owned();
            line.met = Some(sealing / calm <= target);
        }
        line.note = format!("{segments} files of segments sealed meanwhile");
        results.rows.push(line);
    }
    for (store, path, _) in measured {
        pollster::block_on(store?.close())?;
        std::fs::remove_dir_all(&path).context("the store could not be removed")?;
    }
    Ok(())
}
