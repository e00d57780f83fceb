//! Appends while 100 subscribers do not read, in turns with appends while there are none.
//!
//! The appends come at a steady pace, a part of what the server can do: at its limit the 99th percentile tells how long the queue
//! is, and nothing of the subscribers.
//!
//! Short turns in pairs, now one first and now the other. What counts is the median of the pairs' ratios: the two turns of a pair lie
//! seconds apart and meet the same machine, while one bad moment of it is in the 99th percentile of all turns together.

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
const APPENDS: u64 = 500;
/// Pairs of turns for each round of the other measurements.
const PAIRS: usize = 3;
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
    let pairs = PAIRS * scale.rounds;
    for pair in 0..pairs {
        progress(&format!("stalled subscribers, pair {} of {pairs}", pair + 1));
        let mut p99 = [0.0; 2];
        for turn in 0..2 {
            // Another one begins each pair.
            let crowded = (turn + pair) % 2 == 1;
            server.rest().await?;
            let before = server.private()?;
            let stalled = if crowded { stall(&server).await? } else { Vec::new() };
            server.rest().await?;
            let measured = load::run(&writers, APPENDS, Some(PACE)).await?.latency;
            p99[usize::from(crowded)] = measured.micros(0.99);
            if crowded {
                let more = server.private()?.saturating_sub(before);
                grown.push(more as f64 / STALLED as f64 / 1024.0);
            }
            drop(stalled);
            if crowded { &mut beside } else { &mut quiet }.add(&measured);
        }
        ratios.push(p99[1] / p99[0]);
    }
    let ratio = median(&ratios);
    let mut line = row("p99 of an append beside 100 stalled subscribers", beside.micros(0.99), "µs");
    line.limit = format!("{} µs without them", shown(quiet.micros(0.99)));
    line.ratio = Some(ratio);
    line.target = "< 1.1 times".to_owned();
    line.met = Some(ratio < 1.1);
    line.note = format!(
        "the median of {pairs} pairs of turns, {} to {} in the middle half of them; of all turns together {}; p50 {} and {} µs; a stalled \
         subscriber takes {} KiB of the server",
        shown(quartile(&ratios, 1)),
        shown(quartile(&ratios, 3)),
        shown(beside.micros(0.99) / quiet.micros(0.99)),
        shown(beside.micros(0.5)),
        shown(quiet.micros(0.5)),
        shown(median(&grown)),
    );
    results.rows.push(line);
    Ok(())
}

/// The value that so many quarters of them lie below.
fn quartile(values: &[f64], quarters: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * quarters / 4]
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
