//! The load of a benchmark: writers that each wait for one append before they begin the next.
//!
//! Writers are futures, driven by as many threads as the machine has cores, at most one a writer. One
//! writer is one thread that waits: nothing is scheduled around it.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use factlog_core::{Append, AppendError, Event, EventStore, EventType, StreamId, Tags};
use futures_util::stream::{FuturesUnordered, StreamExt};
use hdrhistogram::Histogram;

use super::Load;
use crate::failure::{Failure, Kind, Outcome};
use crate::stopwatch::Stopwatch;

/// Different tags there are, so that each is found on many events.
const DIFFERENT_TAGS: u64 = 1_000;
/// Events of one stream, about.
const STREAM_EVENTS: u64 = 100;

/// What the writers measured.
pub(super) struct Measured {
    pub(super) events: u64,
    pub(super) time: Duration,
    pub(super) threads: u64,
    /// Each append's time, in microseconds.
    pub(super) latency: Histogram<u64>,
}

impl Default for Measured {
    fn default() -> Self {
        Self { events: 0, time: Duration::ZERO, threads: 0, latency: histogram() }
    }
}

impl Measured {
    /// This and then that.
    pub(super) fn add(&mut self, more: &Self) {
        self.events += more.events;
        self.time += more.time;
        self.threads = self.threads.max(more.threads);
        self.latency.add(&more.latency).expect("histograms of one shape can be added");
    }
}

/// Appends the whole load.
pub(super) fn run(store: &dyn EventStore, load: &Load) -> Outcome<Measured> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let appends = load.events.div_ceil(load.batch);
    let writers = load.writers.min(appends);
    let threads = cores.min(writers);
    let plan = Plan::new(load, writers)?;
    let watch = Stopwatch::start();
    let parts: Vec<Outcome<Histogram<u64>>> = std::thread::scope(|scope| {
        let run = |thread| {
            let plan = &plan;
            scope.spawn(move || drive(store, plan, (thread..writers).step_by(threads as usize)))
        };
        let handles: Vec<_> = (0..threads).map(run).collect();
        handles.into_iter().map(|handle| handle.join().unwrap_or_else(|_| Err(panicked()))).collect()
    });
    let time = watch.elapsed();
    let mut latency = histogram();
    for part in parts {
        latency.add(part?).expect("histograms of one shape can be added");
    }
    Ok(Measured { events: load.events, time, threads, latency })
}

/// A histogram of microseconds up to ten minutes, three digits exact.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(600_000_000, 3).expect("the bounds are in order")
}

/// A duration in whole microseconds, one at least, as the histogram takes it.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// One thread: its writers side by side until each has done its share.
fn drive(store: &dyn EventStore, plan: &Plan, writers: impl Iterator<Item = u64>) -> Outcome<Histogram<u64>> {
    let latency = RefCell::new(histogram());
    let done: Result<(), AppendError> = pollster::block_on(async {
        let mut writers = writers.peekable();
        let first = writers.next();
        if writers.peek().is_none() {
            return match first {
                Some(only) => write(store, plan, only, &latency).await,
                None => Ok(()),
            };
        }
        let all = first.into_iter().chain(writers);
        let mut running: FuturesUnordered<_> =
            all.map(|writer| write(store, plan, writer, &latency)).collect();
        while let Some(done) = running.next().await {
            done?;
        }
        Ok(())
    });
    done.map_err(|error| Failure::append(&error))?;
    Ok(latency.into_inner())
}

/// One writer: every `writers`-th append.
async fn write(
    store: &dyn EventStore,
    plan: &Plan,
    writer: u64,
    latency: &RefCell<Histogram<u64>>,
) -> Result<(), AppendError> {
    let mut first = writer * plan.batch;
    while first < plan.events {
        let last = plan.events.min(first + plan.batch);
        let append = Append::new((first..last).map(|number| plan.event(number)));
        let watch = Stopwatch::start();
        store.append(append).await?;
        latency.borrow_mut().saturating_record(micros(watch.elapsed()));
        first += plan.writers * plan.batch;
    }
    Ok(())
}

/// What every writer knows.
struct Plan {
    events: u64,
    writers: u64,
    batch: u64,
    tags: u64,
    streams: u64,
    event_type: EventType,
    data: Bytes,
}

impl Plan {
    fn new(load: &Load, writers: u64) -> Outcome<Self> {
        let event_type = EventType::new("bench.appended");
        Ok(Self {
            events: load.events,
            writers,
            batch: load.batch,
            tags: load.tags,
            streams: (load.events / STREAM_EVENTS).max(1),
            event_type: event_type.map_err(|error| Failure::store("name the events", &error))?,
            data: data(load.size),
        })
    }

    fn event(&self, number: u64) -> Event {
        let stream = StreamId::new(format!("bench-{}", number % self.streams)).expect("a short name");
        let tags = (0..self.tags).map(|tag| format!("bench{tag}:{}", (number * 31 + tag) % DIFFERENT_TAGS));
        Event::new(self.event_type.clone(), self.data.clone())
            .in_stream(stream)
            .tagged(Tags::new(tags).expect("short tags, at most 64"))
    }
}

/// A JSON string of exactly this many bytes, two at least.
fn data(size: u64) -> Bytes {
    let inside = usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(2);
    let letters = b"factlog ".iter().cycle().take(inside);
    let text: Vec<u8> =
        std::iter::once(&b'"').chain(letters).chain(std::iter::once(&b'"')).copied().collect();
    text.into()
}

fn panicked() -> Failure {
    Failure::new(Kind::Failure, "a writer of the benchmark panicked")
}

#[cfg(test)]
mod tests {
    use factlog_core::{Administration, MemoryStore};

    use super::*;

    /// Would fail if the last batch or a writer's share were lost or counted twice: rates would be wrong.
    #[test]
    fn exactly_the_events_asked_for_are_appended_however_they_are_shared_out() {
        for (events, writers, batch, appends) in
            [(1, 1, 1, 1), (10, 3, 4, 3), (100, 64, 1, 100), (7, 2, 10, 1)]
        {
            let store = MemoryStore::new();
            let load = Load { events, writers, batch, size: 20, tags: 2 };
            let measured = run(&store, &load).unwrap();
            let stats = pollster::block_on(store.stats()).unwrap();
            assert_eq!((stats.events, measured.latency.len()), (events, appends), "{load:?}");
        }
    }

    #[test]
    fn data_has_the_size_asked_for_and_is_json() {
        for size in [2, 3, 256] {
            let data = data(size);
            assert_eq!(data.len() as u64, size);
            assert!(serde_json::from_slice::<String>(&data).is_ok());
        }
    }
}
