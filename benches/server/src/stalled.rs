//! Appends while 100 subscribers do not read, in turns with appends while there are none.
//!
//! The appends come at a steady pace, a part of what the server can do: at its limit the 99th percentile tells how long the queue
//! is, and nothing of the subscribers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bench_common::facts::fact;
use bench_common::latency::Latency;
use bench_common::number::{median, shown};
use bench_common::results::Results;
use factlog_client::RemoteStore;
use factlog_core::{Append, EventStore, Query, StartFrom, Subscription};

use crate::load::{self, To, event};
use crate::served::Served;
use crate::{Scale, progress, row};

/// Subscribers that do not read.
const STALLED: usize = 100;
/// Writers, and appends of each in one turn.
const WRITERS: usize = 8;
const APPENDS: u64 = 1_500;
/// Time from one append of a writer to its next.
const PACE: Duration = Duration::from_millis(2);
/// Events there are from the beginning: more than a subscriber that does not read can be sent.
const EVENTS: u64 = 50_000;

pub(crate) async fn run(dir: &Path, scale: Scale, results: &mut Results) -> Result<()> {
    let server = Served::start(dir, false)?;
    fill(&server).await?;
    let writers: Vec<To> = (0..WRITERS)
        .map(|_| Ok(To::Store(Arc::new(server.client()?) as Arc<dyn EventStore>)))
        .collect::<Result<_>>()?;
    load::run(&writers, APPENDS, Some(PACE)).await?;
    let (mut quiet, mut beside) = (Latency::default(), Latency::default());
    let (mut ratios, mut grown) = (Vec::new(), Vec::new());
    for round in 0..scale.rounds {
        progress(&format!("stalled subscribers, round {} of {}", round + 1, scale.rounds));
        server.rest().await?;
        let without = load::run(&writers, APPENDS, Some(PACE)).await?;
        server.rest().await?;
        let before = server.private()?;
        let stalled = stall(&server).await?;
        server.rest().await?;
        let with = load::run(&writers, APPENDS, Some(PACE)).await?;
        grown.push(server.private()?.saturating_sub(before) as f64 / STALLED as f64 / 1024.0);
        drop(stalled);
        ratios.push(with.latency.micros(0.99) / without.latency.micros(0.99));
        quiet.add(&without.latency);
        beside.add(&with.latency);
    }
    let ratio = beside.micros(0.99) / quiet.micros(0.99);
    let mut line = row("p99 of an append beside 100 stalled subscribers", beside.micros(0.99), "µs");
    line.limit = format!("{} µs without them", shown(quiet.micros(0.99)));
    line.ratio = Some(ratio);
    line.target = "< 1.1 times".to_owned();
    line.met = Some(ratio < 1.1);
    line.note = format!(
        "of all rounds together; round by round {} (median); p50 {} and {} µs; a stalled subscriber takes {} KiB of the server",
        shown(median(&ratios)),
        shown(beside.micros(0.5)),
        shown(quiet.micros(0.5)),
        shown(median(&grown)),
    );
    results.rows.push(line);
    Ok(())
}

async fn fill(server: &Served) -> Result<()> {
    let store = server.client()?;
    for first in (0..EVENTS).step_by(1_000) {
        // Numbers of their own: ids must not be those of the writers.
        let numbers = (first..first + 1_000).map(|number| (1 << 40) + number);
        let events: Result<Vec<_>> = numbers.map(|number| event(fact(number, EVENTS))).collect();
        store.append(Append::new(events?)).await.context("an append failed")?;
    }
    Ok(())
}

/// Subscribers of everything that take one event and no more, each on a connection of its own.
async fn stall(server: &Served) -> Result<Vec<(RemoteStore, Subscription)>> {
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let client = server.client()?;
        let mut subscription = client.subscribe(Query::All, StartFrom::Beginning);
        subscription.next().await.context("it never ends")??;
        stalled.push((client, subscription));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(stalled)
}
