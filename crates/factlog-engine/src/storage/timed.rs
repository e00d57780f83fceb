//! Durable writes with a look at the clock at both ends: what a disk takes for them, in plain counters.
//!
//! * It changes nothing about a write. Nothing decides on what is measured.
//! * One write costs two looks at the clock and three atomic additions, of one thread.
//! * A write is over when its owner hears of it, which may be a moment after the disk has it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::pipeline::{Bell, Done, Pipeline};

const BOUNDS: usize = 16;

/// Durable writes of the log since the store was opened, each of which makes a whole group of appends durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurableWrites {
    /// How long all of them took together.
    pub took: Duration,
    /// How many took at most as long as each of [`DurableWrites::BOUNDS`]; the last one counts those that took longer.
    pub counts: [u64; BOUNDS + 1],
    /// How many of them failed.
    pub failed: u64,
}

impl DurableWrites {
    /// Upper bounds of the counts.
    pub const BOUNDS: [Duration; BOUNDS] = [
        Duration::from_micros(25),
        Duration::from_micros(50),
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_secs(5),
    ];
}

/// The counters behind [`DurableWrites`].
#[derive(Debug, Default)]
pub(crate) struct WriteCounters {
    nanos: AtomicU64,
    counts: [AtomicU64; BOUNDS + 1],
    failed: AtomicU64,
}

impl WriteCounters {
    fn add(&self, took: Duration, failed: bool) {
        let bucket = DurableWrites::BOUNDS.partition_point(|bound| *bound < took);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    pub(crate) fn so_far(&self) -> DurableWrites {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = std::array::from_fn(|bucket| load(&self.counts[bucket]));
        DurableWrites { took: Duration::from_nanos(load(&self.nanos)), counts, failed: load(&self.failed) }
    }
}

/// A pipeline whose writes are timed.
#[derive(Debug)]
pub(crate) struct Timed {
    pipeline: Box<dyn Pipeline>,
    counters: Arc<WriteCounters>,
    /// Of each write under way its number, when it began, and how long it took if that is known already.
    begun: Vec<(u64, Instant, Option<Duration>)>,
}

impl Timed {
    pub(crate) fn new(pipeline: Box<dyn Pipeline>, counters: Arc<WriteCounters>) -> Self {
        Self { pipeline, counters, begun: Vec::new() }
    }
}

#[expect(clippy::disallowed_methods, reason = "measuring is what it is for; nothing decides on it")]
fn now() -> Instant {
    Instant::now()
}

impl Pipeline for Timed {
    fn turn_to(&mut self, path: &Path) -> io::Result<u64> {
        self.pipeline.turn_to(path)
    }

    fn submit(&mut self, number: u64, bytes: Bytes, offset: u64) {
        self.begun.push((number, now(), None));
        self.pipeline.submit(number, bytes, offset);
    }

    fn write(&mut self, number: u64, bytes: Bytes, offset: u64) {
        let began = now();
        self.pipeline.write(number, bytes, offset);
        self.begun.push((number, began, Some(now() - began)));
    }

    fn finished(&mut self, wait: bool) -> Vec<Done> {
        let done = self.pipeline.finished(wait);
        for Done { number, result } in &done {
            let at = self.begun.iter().position(|(begun, ..)| begun == number);
            let Some((_, began, took)) = at.map(|at| self.begun.swap_remove(at)) else { continue };
            self.counters.add(took.unwrap_or_else(|| now() - began), result.is_err());
        }
        done
    }

    fn bell(&self) -> Arc<dyn Bell> {
        self.pipeline.bell()
    }

    fn depth_max(&self) -> usize {
        self.pipeline.depth_max()
    }
}
