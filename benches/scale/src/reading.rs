//! Reading everything back, and comparing it with what must be there, event by event.

use anyhow::{Context, Result, anyhow, ensure};
use bench_common::clock::{Stopwatch, per_second};
use bench_common::footprint::Memory;
use bench_common::memory::Sampler;
use factlog_core::{Append, EventStore, Position, Query, ReadOptions};
use factlog_engine::{Engine, Settings};
use serde::{Deserialize, Serialize};

use crate::devices::{self, Maker};
use crate::lookups;
use crate::task::{self, BATCH, LANES, PROBES, Task};

/// What reading everything back found.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ReadBack {
    pub(crate) lanes: [u64; LANES],
    pub(crate) rate: f64,
    /// Bytes of content and id of all events.
    pub(crate) raw_bytes: u64,
    /// The highest private memory, sampled; and the highest resident memory, by the kernel.
    pub(crate) private: u64,
    pub(crate) resident: u64,
}

/// The stage, in its own process, which may be held to a limit: look-ups, large appends, then a read of everything.
pub(crate) fn read_back(mut task: Task) -> Result<ReadBack> {
    task.hold_to_limit()?;
    let sampler = Sampler::start();
    let maker = Maker::new(task.shape)?;
    let store = task.open(Settings::default())?;
    lookups::of_devices(&store, &task)?;
    for _ in 0..task.scaled(20_000) / BATCH {
        let events = task.next(&maker, PROBES, BATCH)?;
        task::append(&store, Append::new(events))?;
    }
    let watch = Stopwatch::start();
    let (found, raw_bytes) = scan(&store, &task)?;
    let rate = per_second(task.events(), watch.elapsed());
    pollster::block_on(store.close())?;
    drop(store);
    let (private, resident) = (sampler.peak()?, Memory::of_this_process()?.peak);
    ensure!(found == expected(&maker, &task)?, "what was read differs from what was written");
    Ok(ReadBack { lanes: task.lanes, rate, raw_bytes, private, resident })
}

/// How many events the store has, whatever it should have.
pub(crate) fn head(task: &Task) -> Result<u64> {
    let store = Engine::open(&task.dir, Settings::default())?;
    let head = Position::number(pollster::block_on(store.head())?.position);
    pollster::block_on(store.close())?;
    Ok(head)
}

/// The checksum of each lane as it is in the log, and the bytes of all events. Every lane is complete and in order.
fn scan(store: &Engine, task: &Task) -> Result<([u64; LANES], u64)> {
    let mut events = store.read(Query::All, ReadOptions::default());
    let (mut sums, mut next, mut bytes, mut position) = ([0; LANES], [0; LANES], 0, 0);
    pollster::block_on(async {
        while let Some(event) = events.next().await {
            let event = event?;
            position += 1;
            ensure!(event.position.get() == position, "position {} follows {position}", event.position);
            let (lane, number) = devices::place(&event);
            let expected = next.get_mut(lane as usize).context("an event of a lane that nobody wrote")?;
            ensure!(*expected == number, "event {number} of lane {lane} comes after {expected} others");
            *expected += 1;
            let sum = &mut sums[lane as usize];
            *sum = devices::fold(*sum, &event.event);
            bytes += event.event.size() as u64 + 16;
        }
        Ok(())
    })?;
    ensure!(
        next == task.lanes,
        "the log has {next:?} events in its lanes; {:?} were acknowledged",
        task.lanes
    );
    Ok((sums, bytes))
}

/// The checksum of each lane as it must be, from the generator alone.
fn expected(maker: &Maker, task: &Task) -> Result<[u64; LANES]> {
    let sum = |lane: usize| {
        (0..task.lanes[lane]).try_fold(0, |sum, number| {
            Ok::<_, anyhow::Error>(devices::fold(sum, &maker.event(lane as u8, number)?))
        })
    };
    let sums: Vec<Result<u64>> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..LANES).map(|lane| scope.spawn(move || sum(lane))).collect();
        let joined = running.into_iter().map(|thread| thread.join());
        joined.map(|sum| sum.unwrap_or_else(|_| Err(anyhow!("making events panicked")))).collect()
    });
    let mut all = [0; LANES];
    for (place, sum) in all.iter_mut().zip(sums) {
        *place = sum?;
    }
    Ok(all)
}
