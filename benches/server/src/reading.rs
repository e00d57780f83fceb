//! One reader of the whole log, by a read and by a subscription, beside a scan of the engine.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bench_common::clock::{Stopwatch, per_second, process_cpu};
use bench_common::facts::fact;
use bench_common::memory::settle;
use bench_common::number::{median, shown};
use bench_common::results::Results;
use factlog_core::{Append, Delivery, EventStore, Query, ReadOptions, StartFrom};
use factlog_engine::{Engine, Settings};

use crate::load::event;
use crate::served::Served;
use crate::{Scale, progress, row};

/// How long the store may take to put away what was written.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events a second of one reader.
const TARGET: f64 = 500_000.0;

/// What was measured in turns: events a second, and processor microseconds an event of the server and of this process.
#[derive(Default)]
struct Turns {
    rates: Vec<f64>,
    server: Vec<f64>,
    own: Vec<f64>,
}

pub(crate) async fn run(dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    progress(&format!("a log of {} events", shown(scale.events as f64)));
    let scan = fill(dir, scale).await?;
    results.fact("events of the log that is read", shown(scale.events as f64));
    let server = Served::start(dir, false)?;
    let store = server.client()?;
    let (mut reads, mut follows) = (Turns::default(), Turns::default());
    for round in 0..=scale.rounds {
        progress(&format!("reading, round {round} of {}", scale.rounds));
        turn(&server, &mut reads, round, read(&store)).await?;
        turn(&server, &mut follows, round, follow(&store)).await?;
    }
    for (what, turns) in [("one reader of all events", reads), ("one subscriber from the beginning", follows)]
    {
        let mut line = row(what, median(&turns.rates), "events/s");
        line.limit = format!("a scan of the engine, {} events/s", shown(scan));
        line.ratio = Some(line.value / scan);
        line.target = "≥ 500,000 events/s".to_owned();
        line.met = Some(TARGET <= line.value);
        line.note = format!(
            "processor µs an event: server {}, this process {}",
            shown(median(&turns.server)),
            shown(median(&turns.own))
        );
        results.rows.push(line);
    }
    Ok(())
}

/// Fills a store, lets it come to rest, and scans it.
async fn fill(dir: &Path, scale: Scale) -> Result<f64> {
    let engine = Engine::open(dir.join("store"), Settings::default())?;
    let mut batch = Vec::new();
    for number in 0..scale.events {
        batch.push(event(fact(number, scale.events))?);
        if batch.len() == 1_000 || number + 1 == scale.events {
            engine.append(Append::new(std::mem::take(&mut batch))).await.context("an append failed")?;
        }
    }
    settle(&dir.join("store"), PATIENCE)?;
    let mut rates = Vec::new();
    for _ in 0..3 {
        let watch = Stopwatch::start();
        let read = read(&engine).await?;
        ensure!(read == scale.events, "{read} events were read");
        rates.push(per_second(read, watch.elapsed()));
    }
    engine.close().await?;
    Ok(median(&rates))
}

async fn turn(
    server: &Served,
    turns: &mut Turns,
    round: usize,
    work: impl Future<Output = Result<u64>>,
) -> Result<()> {
    let (cpu, own, watch) = (server.cpu()?, process_cpu(), Stopwatch::start());
    let events = work.await?;
    let time = watch.elapsed();
    if 0 < round {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / events as f64;
        turns.rates.push(per_second(events, time));
        turns.server.push(each(server.cpu()? - cpu));
        turns.own.push(each(process_cpu() - own));
    }
    Ok(())
}

async fn read(store: &dyn EventStore) -> Result<u64> {
    let mut events = store.read(Query::All, ReadOptions::default());
    let mut read = 0;
    while let Some(event) = events.next().await {
        read += 1;
        // The facts of the first key are the last.
        ensure!(event?.position.get() == read, "events come in order");
    }
    Ok(read)
}

async fn follow(store: &dyn EventStore) -> Result<u64> {
    let mut deliveries = store.subscribe(Query::All, StartFrom::Beginning);
    let mut read = 0;
    while let Some(delivery) = deliveries.next().await {
        match delivery? {
            Delivery::Event(_) => read += 1,
            Delivery::CaughtUp(_) => break,
        }
    }
    Ok(read)
}
