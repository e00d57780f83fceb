//! Writers that each wait for one append before they begin the next; what they append is made before the clock starts.
//!
//! Writers are futures, driven by as many threads as the machine has cores, at most one a writer.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bench_common::clock::{Stopwatch, per_second};
use bench_common::facts::{Fact, own_fact};
use bench_common::latency::Latency;
use factlog_core::{
    Append, AppendCondition, ContentType, Event, EventId, EventStore, EventType, Position, Query, QueryItem,
    StreamId, Tags,
};
use factlog_engine::Engine;
use futures_util::stream::{FuturesUnordered, StreamExt};

/// Numbers given to facts so far, over all loads of this process: ids must never repeat.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// Who appends what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) writers: u64,
    /// Events of one append.
    pub(crate) batch: u64,
    /// Appends of one writer.
    pub(crate) appends: u64,
    /// Whether each append demands that no event with the writer's two tags came after its last one.
    pub(crate) conditional: bool,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) events: u64,
    pub(crate) time: Duration,
    pub(crate) latency: Latency,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        per_second(self.events, self.time)
    }
}

/// Lets later loads use numbers from here on, in a process that did not write what the store already holds.
pub(crate) fn number_from(first: u64) {
    NUMBERS.store(first, Ordering::Relaxed);
}

/// Makes all appends, then lets the writers append them.
pub(crate) fn run(store: &Engine, load: &Load) -> Result<Measured> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let threads = cores.min(load.writers);
    let head = pollster::block_on(store.head()).context("the head could not be read")?.position;
    let mut shares: Vec<Vec<Vec<Append>>> = (0..threads).map(|_| Vec::new()).collect();
    for writer in 0..load.writers {
        shares[(writer % threads) as usize].push(writer_appends(load, writer)?);
    }
    let watch = Stopwatch::start();
    let parts: Vec<Result<Latency>> = std::thread::scope(|scope| {
        let running: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(move || drive(store, share, head))).collect();
        let joined = running.into_iter().map(|thread| thread.join());
        joined.map(|part| part.unwrap_or_else(|_| Err(anyhow!("a writer panicked")))).collect()
    });
    let time = watch.elapsed();
    let mut measured =
        Measured { events: load.writers * load.appends * load.batch, time, ..Measured::default() };
    for part in parts {
        measured.latency.add(&part?);
    }
    assert_eq!(measured.latency.count(), load.writers * load.appends, "every append was measured");
    Ok(measured)
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

fn writer_appends(load: &Load, writer: u64) -> Result<Vec<Append>> {
    let one = |_| {
        let first = NUMBERS.fetch_add(load.batch, Ordering::Relaxed);
        let facts: Vec<Fact> = (first..first + load.batch).map(|number| own_fact(number, writer)).collect();
        let boundary = load.conditional.then(|| facts[0].tags.clone());
        let events: Result<Vec<Event>> = facts.into_iter().map(event).collect();
        let append = Append::new(events?);
        let Some(tags) = boundary else { return Ok(append) };
        let query = Query::any_of([QueryItem::tagged(Tags::new(tags)?)])?;
        Ok(append.when(AppendCondition::none_match(query, None)))
    };
    (0..load.appends).map(one).collect()
}

/// One thread: its writers side by side until each has done its share.
fn drive(store: &Engine, share: Vec<Vec<Append>>, head: Option<Position>) -> Result<Latency> {
    let latency = RefCell::new(Latency::default());
    let one_writer = share.len() == 1;
    let mut writers: Vec<_> =
        share.into_iter().map(|appends| write(store, appends, head, &latency)).collect();
    pollster::block_on(async {
        if one_writer && let Some(only) = writers.pop() {
            return only.await;
        }
        let mut running: FuturesUnordered<_> = writers.into_iter().collect();
        while let Some(done) = running.next().await {
            done?;
        }
        Ok(())
    })?;
    Ok(latency.into_inner())
}

async fn write(
    store: &Engine,
    appends: Vec<Append>,
    mut after: Option<Position>,
    latency: &RefCell<Latency>,
) -> Result<()> {
    for mut append in appends {
        for condition in &mut append.conditions {
            if let AppendCondition::NoneMatch { after: bound, .. } = condition {
                *bound = after;
            }
        }
        let watch = Stopwatch::start();
        let appended = store.append(append).await.map_err(|error| anyhow!("an append failed: {error}"))?;
        latency.borrow_mut().record(watch.elapsed());
        after = Some(appended.last);
    }
    Ok(())
}
