//! Writers that each wait for one append before they begin the next; what they append is made before the clock starts.
//!
//! The same writers, tasks of one runtime, append to the engine and over the network.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bench_common::clock::{Stopwatch, per_second, process_cpu};
use bench_common::facts::{Fact, own_fact};
use bench_common::latency::Latency;
use factlog_core::{Append, ContentType, Event, EventId, EventStore, EventType, StreamId, Tags};
use tokio::task::JoinSet;

use crate::served::Bare;
use crate::socket::Socket;

/// Numbers given to facts so far: ids must never repeat.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// What a writer appends to.
#[derive(Clone)]
pub(crate) enum To {
    Store(Arc<dyn EventStore>),
    Calls(Bare),
    Socket(Socket),
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) appends: u64,
    pub(crate) time: Duration,
    pub(crate) latency: Latency,
    /// Processor time of this process.
    pub(crate) cpu: Duration,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        per_second(self.appends, self.time)
    }
}

/// One writer for each of `to`, with so many appends of one event each, the next as soon as the last is answered and `pace` is
/// over.
pub(crate) async fn run(to: &[To], appends: u64, pace: Option<Duration>) -> Result<Measured> {
    let work: Result<Vec<Vec<Append>>> =
        (0..to.len() as u64).map(|writer| (0..appends).map(|_| one(writer)).collect()).collect();
    let (cpu, watch) = (process_cpu(), Stopwatch::start());
    let mut writers = JoinSet::new();
    for (to, work) in to.iter().zip(work?) {
        writers.spawn(write(to.clone(), work, pace));
    }
    let mut measured = Measured::default();
    while let Some(written) = writers.join_next().await {
        measured.latency.add(&written.context("a writer panicked")??);
    }
    (measured.time, measured.cpu) = (watch.elapsed(), process_cpu() - cpu);
    measured.appends = measured.latency.count();
    assert_eq!(measured.appends, to.len() as u64 * appends, "every append was measured");
    Ok(measured)
}

fn one(writer: u64) -> Result<Append> {
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    Ok(Append::new([event(own_fact(number, writer))?]))
}

/// The event of a fact.
pub(crate) fn event(fact: Fact) -> Result<Event> {
    let event = Event::new(EventType::new(fact.event_type)?, fact.data)
        .with_id(EventId::from_bytes(fact.id))
        .in_stream(StreamId::new(fact.stream)?)
        .tagged(Tags::new(fact.tags)?)
        .with_content_type(ContentType::JSON);
    Ok(event)
}

async fn write(to: To, work: Vec<Append>, pace: Option<Duration>) -> Result<Latency> {
    let mut latency = Latency::default();
    let mut ticks = pace.map(tokio::time::interval);
    for append in work {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        let watch = Stopwatch::start();
        match &to {
            To::Store(store) => {
                store.append(append).await.map_err(|error| anyhow!("an append failed: {error}"))?;
            }
            To::Calls(client) => {
                client.clone().append(factlog_proto::v1::AppendRequest::from(append)).await?;
            }
            To::Socket(socket) => {
                socket.append(append).await?;
            }
        }
        latency.record(watch.elapsed());
    }
    Ok(latency)
}
