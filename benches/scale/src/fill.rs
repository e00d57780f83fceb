//! Filling the log: few writers with large appends and more that append single events, until there are enough.
//!
//! Writers make their events while the clock runs, as an application does. What making them costs is measured too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, anyhow};
use bench_common::clock::{Stopwatch, per_second, process_cpu};
use bench_common::footprint::Memory;
use bench_common::latency::Latency;
use bench_common::memory::{self, Sampler, Settled};
use factlog_core::{Append, EventStore};
use factlog_engine::{Engine, Settings};
use serde::{Deserialize, Serialize};

use crate::devices::Maker;
use crate::task::{self, BATCH, BATCHED, LANES, PROBES, Task};

/// The longest that anybody waits for work in the background.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// What filling took.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Filled {
    pub(crate) lanes: [u64; LANES],
    /// Events that were added, and how many a second.
    pub(crate) added: u64,
    pub(crate) rate: f64,
    /// Of the last tenth of the log alone.
    pub(crate) last_rate: f64,
    /// Single appends among them, in the last tenth.
    pub(crate) last_singles: u64,
    /// Microseconds of large and of single appends in the last tenth: p50, p99 and the longest.
    pub(crate) large: [f64; 3],
    pub(crate) single: [f64; 3],
    /// Processor time an event, of the writers and of the engine together.
    pub(crate) cpu_micros: f64,
    /// Events a second that one thread makes without appending them.
    pub(crate) making: f64,
    /// The highest private memory, sampled; and the highest resident memory, by the kernel.
    pub(crate) private: u64,
    pub(crate) resident: u64,
    /// What the engine went on doing after the last append.
    pub(crate) settled: Settled,
    pub(crate) close_seconds: f64,
}

/// What one part of filling came to.
#[derive(Debug, Default)]
struct Part {
    events: u64,
    time: Duration,
    singles: u64,
    large: Latency,
    single: Latency,
}

/// The stage, in its own process.
pub(crate) fn fill(mut task: Task) -> Result<Filled> {
    task.hold_to_limit()?;
    let maker = Maker::new(task.shape)?;
    let making = making(&maker)?;
    let sampler = Sampler::start();
    let store = task.open(Settings::default())?;
    let cpu = process_cpu();
    let most = part(&store, &maker, &mut task, |target| target / 10 * 9)?;
    let last = part(&store, &maker, &mut task, |target| target)?;
    let (cpu, added) = (process_cpu() - cpu, most.events + last.events);
    task.check_head(&store)?;
    let settled = memory::settle(&task.dir, PATIENCE)?;
    let watch = Stopwatch::start();
    pollster::block_on(store.close())?;
    drop(store);
    let close_seconds = watch.elapsed().as_secs_f64();
    Ok(Filled {
        lanes: task.lanes,
        added,
        rate: per_second(added, most.time + last.time),
        last_rate: per_second(last.events, last.time),
        last_singles: last.singles,
        large: three(&last.large),
        single: three(&last.single),
        cpu_micros: cpu.as_secs_f64() * 1e6 / added.max(1) as f64,
        making,
        private: sampler.peak()?,
        resident: Memory::of_this_process()?.peak,
        settled,
        close_seconds,
    })
}

pub(crate) fn three(latency: &Latency) -> [f64; 3] {
    [0.5, 0.99, 1.0].map(|quantile| latency.micros(quantile))
}

/// How fast one thread makes events.
fn making(maker: &Maker) -> Result<f64> {
    const EVENTS: u64 = 100_000;
    let watch = Stopwatch::start();
    for number in 0..EVENTS {
        std::hint::black_box(maker.event(0, number)?);
    }
    Ok(per_second(EVENTS, watch.elapsed()))
}

/// Lets all writers append until the log has as many events as this part of its target.
fn part(store: &Engine, maker: &Maker, task: &mut Task, until: fn(u64) -> u64) -> Result<Part> {
    let wanted = until(task.target).saturating_sub(task.events());
    let left = AtomicU64::new(wanted);
    let watch = Stopwatch::start();
    let lanes = task.lanes;
    let parts: Vec<Result<(u64, Latency)>> = std::thread::scope(|scope| {
        let left = &left;
        let write = |lane: u8| {
            scope.spawn(move || {
                let batch = if lane < BATCHED { BATCH } else { 1 };
                write(store, maker, left, lane, (lanes[lane as usize], batch))
            })
        };
        let running: Vec<_> = (0..PROBES).map(write).collect();
        let joined = running.into_iter().map(|thread| thread.join());
        joined.map(|part| part.unwrap_or_else(|_| Err(anyhow!("a writer panicked")))).collect()
    });
    let mut sum = Part { events: wanted, time: watch.elapsed(), ..Part::default() };
    for (lane, part) in parts.into_iter().enumerate() {
        let (events, latency) = part?;
        task.lanes[lane] += events;
        if lane < BATCHED as usize {
            sum.large.add(&latency);
        } else {
            sum.singles += events;
            sum.single.add(&latency);
        }
    }
    Ok(sum)
}

/// One writer: takes its share of what is left until nothing is, and waits for each append.
fn write(
    store: &Engine,
    maker: &Maker,
    left: &AtomicU64,
    lane: u8,
    (first, batch): (u64, u64),
) -> Result<(u64, Latency)> {
    let (mut next, mut latency) = (first, Latency::default());
    loop {
        let share = |left: u64| (0 < left).then(|| left - left.min(batch));
        let Ok(before) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, share) else {
            return Ok((next - first, latency));
        };
        let end = next + before.min(batch);
        let events: Vec<_> = (next..end).map(|number| maker.event(lane, number)).collect::<Result<_>>()?;
        let watch = Stopwatch::start();
        task::append(store, Append::new(events))?;
        latency.record(watch.elapsed());
        next = end;
    }
}
