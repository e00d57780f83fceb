//! Look-ups of few events among all: the last events of a device, a job by its stream, the one event with a serial number.
//!
//! A device reports all the time: its last events are near the head, however large the log. A job and a serial number
//! lie anywhere. *Warm* is the same 40 keys again and again; *every one another* is a key that this process has not
//! looked up before; *cold* is the same with nothing in the page cache and no blocks cached by the engine.

use anyhow::{Context, Result, ensure};
use bench_common::clock::Stopwatch;
use bench_common::facts::mix;
use bench_common::footprint;
use bench_common::latency::Latency;
use factlog_core::{EventStore, Query, QueryItem, ReadOptions, Tags};
use factlog_engine::{Engine, Settings};
use serde::{Deserialize, Serialize};

use crate::devices::{self, JOB_EVENTS, SERIAL_EVERY};
use crate::fill::three;
use crate::task::{BATCHED, Task};

/// Events of a device that are asked for.
const LAST: u64 = 10;
/// Keys that are looked up again and again.
const FEW: u64 = 40;
/// Look-ups of one kind.
const WARM: u64 = 2_000;
/// Of a cold disk.
const COLD: u64 = 100;
/// Look-ups after which the memory of an opened store is looked at.
const AFTER_OPENING: u64 = 1_000;
/// A prime: multiples of it run through all keys, in an order that no cache likes.
const STRIDE: u64 = 7_919;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Kind {
    Device,
    Job,
    Serial,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Device, Self::Job, Self::Serial];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Device => "last 10 events of a device",
            Self::Job => "job of 10 events by its stream",
            Self::Serial => "one event by its serial number (tag)",
        }
    }

    /// Different keys of this kind.
    fn keys(self, task: &Task) -> u64 {
        match self {
            Self::Device => task.shape.devices,
            Self::Job | Self::Serial => {
                (0..BATCHED).map(|lane| self.keys_of(task, lane)).min().unwrap_or_default()
                    * u64::from(BATCHED)
            }
        }
    }

    fn keys_of(self, task: &Task, lane: u8) -> u64 {
        let events = task.lanes[lane as usize];
        match self {
            Self::Device => task.shape.devices,
            Self::Job => task.shape.jobs_done(events),
            Self::Serial => events.div_ceil(SERIAL_EVERY),
        }
    }

    /// The query for the key with this number, and how many events it finds.
    fn query(self, task: &Task, key: u64) -> Result<(Query, ReadOptions, u64)> {
        let lane = (key % u64::from(BATCHED)) as u8;
        let of_lane = key / u64::from(BATCHED) * STRIDE;
        Ok(match self {
            Self::Device => {
                let stream = devices::device_stream(key * STRIDE % task.shape.devices)?;
                (Query::stream(stream), ReadOptions::default().backwards().limit(LAST), LAST)
            }
            Self::Job => {
                let stream = devices::job_stream(lane, of_lane % self.keys_of(task, lane))?;
                (Query::stream(stream), ReadOptions::default(), JOB_EVENTS)
            }
            Self::Serial => {
                let number = of_lane % self.keys_of(task, lane) * SERIAL_EVERY;
                let tags = Tags::new([devices::serial(lane, number)?])?;
                (Query::any_of([QueryItem::tagged(tags)])?, ReadOptions::default(), 1)
            }
        })
    }
}

/// How long look-ups of one kind took.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Warm {
    pub(crate) kind: Kind,
    /// Different keys; each was looked up once if there were as many look-ups.
    pub(crate) another: bool,
    pub(crate) lookups: u64,
    /// Microseconds: p50, p99 and the longest.
    pub(crate) micros: [f64; 3],
}

/// What look-ups of one kind took from a cold disk, each.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Cold {
    pub(crate) kind: Kind,
    pub(crate) micros: [f64; 3],
    pub(crate) read_calls: f64,
    pub(crate) disk_bytes: f64,
}

/// The stage that finds what has been found before, in its own process.
pub(crate) fn warm(task: Task) -> Result<Vec<Warm>> {
    task.hold_to_limit()?;
    let store = task.open(Settings::default())?;
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let keys = kind.keys(&task);
        ensure!(0 < keys, "no {} can be looked up yet: the log is too small", kind.name());
        // First those that have not been looked up, the few among them last.
        let different = keys.min(WARM);
        let mut latency = Latency::default();
        for key in (0..different).rev() {
            latency.record(lookup(&store, &task, kind, key)?);
        }
        all.push(Warm { kind, another: true, lookups: different, micros: three(&latency) });
        let mut latency = Latency::default();
        for turn in 0..WARM {
            latency.record(lookup(&store, &task, kind, mix(turn) % FEW.min(keys))?);
        }
        all.push(Warm { kind, another: false, lookups: WARM, micros: three(&latency) });
    }
    pollster::block_on(store.close())?;
    Ok(all)
}

/// The stage that finds from the disk, in its own process.
///
/// Read calls are those that the kernel counts for the process; what goes through an io_uring is not among them.
pub(crate) fn cold(task: Task) -> Result<Vec<Cold>> {
    task.hold_to_limit()?;
    let store = task.open(Settings { cache_bytes: 0, ..Settings::default() })?;
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let (mut latency, mut calls, mut bytes) = (Latency::default(), 0, 0);
        let different = kind.keys(&task).min(COLD);
        ensure!(0 < different, "no {} can be looked up yet: the log is too small", kind.name());
        for key in 0..different {
            footprint::forget_cached(&task.dir)?;
            let idle = footprint::reads()?;
            let before = footprint::reads()?;
            latency.record(lookup(&store, &task, kind, key)?);
            let after = footprint::reads()?;
            // Asking for the counters takes read calls too: as many as between the first two.
            calls += (after.0 - before.0).saturating_sub(before.0 - idle.0);
            bytes += after.1 - before.1;
        }
        let each = |sum: u64| sum as f64 / different as f64;
        all.push(Cold { kind, micros: three(&latency), read_calls: each(calls), disk_bytes: each(bytes) });
    }
    pollster::block_on(store.close())?;
    Ok(all)
}

/// Look-ups as a service does after its start.
pub(crate) fn of_devices(store: &Engine, task: &Task) -> Result<()> {
    for key in 0..AFTER_OPENING {
        lookup(store, task, Kind::Device, key)?;
    }
    Ok(())
}

/// Looks up one key, checks what was found, and says how long it took.
fn lookup(store: &Engine, task: &Task, kind: Kind, key: u64) -> Result<std::time::Duration> {
    let (query, options, expected) = kind.query(task, key)?;
    let asked = query.clone();
    let watch = Stopwatch::start();
    let found = pollster::block_on(store.read(query, options).collect())?.events;
    let time = watch.elapsed();
    let count = found.len() as u64;
    ensure!(count == expected, "{count} events instead of {expected}: {} number {key}", kind.name());
    let wrong = found.iter().find(|event| !asked.matches(&event.event));
    wrong
        .map_or(Ok(time), |event| Err(anyhow::anyhow!("the event at {} does not match", event.position)))
        .with_context(|| format!("{} number {key}", kind.name()))
}
