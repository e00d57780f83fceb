//! Conditional appends of one event each, in turns with unconditional ones: a slow minute weighs on all of them.
//!
//! * *near the head*: nothing of a device since the head that was just read, as a decision on one device is made.
//! * *unique*: no event in the whole log has a serial number, as the first registration is made. It succeeds.
//! * *taken*: the same with a serial number that one old event has. It must be a conflict, and nothing is written.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bench_common::clock::Stopwatch;
use bench_common::latency::Latency;
use factlog_core::{Append, AppendCondition, AppendError, EventStore, Query, QueryItem, Tag, Tags};
use factlog_engine::{Engine, Settings};
use serde::{Deserialize, Serialize};

use crate::devices::{self, Maker, SERIAL_EVERY};
use crate::fill::three;
use crate::task::{BATCHED, LANES, PROBES, Task};

/// A lane that nobody writes: its serial numbers are in no event.
const NOBODY: u8 = u8::MAX;
/// Appends of each kind.
const APPENDS: u64 = 500;

/// What an append demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    Nothing,
    NearHead,
    Unique,
    Taken,
}

impl Demand {
    const ALL: [Self; 4] = [Self::Nothing, Self::NearHead, Self::Unique, Self::Taken];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "append of one event",
            Self::NearHead => "append of one event if its device did nothing since the head",
            Self::Unique => "append of one event if its serial number is in no event of the log",
            Self::Taken => "conflict of an append with an old event of its serial number",
        }
    }
}

/// How long each kind of append took.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Conditions {
    pub(crate) lanes: [u64; LANES],
    pub(crate) kinds: Vec<Kind>,
}

/// One kind.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Kind {
    pub(crate) name: String,
    pub(crate) appends: u64,
    /// Microseconds: p50, p99 and the longest.
    pub(crate) micros: [f64; 3],
}

/// The stage, in its own process.
pub(crate) fn conditions(mut task: Task) -> Result<Conditions> {
    task.hold_to_limit()?;
    let maker = Maker::new(task.shape)?;
    let store = task.open(Settings::default())?;
    let appends = task.scaled(APPENDS);
    let mut latencies = Demand::ALL.map(|demand| (demand, Latency::default()));
    for turn in 0..appends {
        for (demand, latency) in &mut latencies {
            latency.record(one(&store, &maker, &task, *demand, turn)?);
            task.lanes[PROBES as usize] += u64::from(*demand != Demand::Taken);
        }
    }
    task.check_head(&store)?;
    pollster::block_on(store.close())?;
    let kinds = latencies.map(|(demand, latency)| {
        let name = demand.name().to_owned();
        Kind { name, appends, micros: three(&latency) }
    });
    Ok(Conditions { lanes: task.lanes, kinds: kinds.into() })
}

/// One append, and how long it took; it ends as it must.
fn one(store: &Engine, maker: &Maker, task: &Task, demand: Demand, turn: u64) -> Result<Duration> {
    let number = task.lanes[PROBES as usize];
    let event = maker.event(PROBES, number)?;
    let head = pollster::block_on(store.head())?.position;
    let condition = match demand {
        Demand::Nothing => None,
        Demand::NearHead => {
            let stream = event.stream.clone().context("each event has a stream")?;
            Some(AppendCondition::none_match(Query::stream(stream), head))
        }
        Demand::Unique => Some(nowhere(devices::serial(NOBODY, number)?)?),
        Demand::Taken => {
            // Those of all times: the first turns take the oldest.
            let lane = (turn % u64::from(BATCHED)) as u8;
            let taken = turn * SERIAL_EVERY % task.lanes[lane as usize] / SERIAL_EVERY * SERIAL_EVERY;
            Some(nowhere(devices::serial(lane, taken)?)?)
        }
    };
    let mut append = Append::new([event]);
    append.conditions.extend(condition);
    let watch = Stopwatch::start();
    let outcome = pollster::block_on(store.append(append));
    let time = watch.elapsed();
    match outcome {
        Ok(_) => ensure!(demand != Demand::Taken, "an append succeeded although its serial number is taken"),
        Err(AppendError::Conflict(conflict)) => ensure!(demand == Demand::Taken, "{conflict:?}"),
        Err(AppendError::Failed(error)) => bail!("an append failed: {error}"),
    }
    Ok(time)
}

/// No event of the whole log has this tag.
fn nowhere(tag: Tag) -> Result<AppendCondition> {
    let query = Query::any_of([QueryItem::tagged(Tags::new([tag])?)])?;
    Ok(AppendCondition::none_match(query, None))
}
