//! Opening, after a clean close and after SIGKILL, each in a process of its own.

use anyhow::{Context, Result};
use bench_common::child;
use bench_common::clock::Stopwatch;
use bench_common::footprint::{self, Memory};
use bench_common::number::median;
use factlog_core::{Append, EventStore};
use factlog_engine::{Engine, Settings};
use serde::{Deserialize, Serialize};

use crate::devices::Maker;
use crate::lookups;
use crate::task::{self, BATCH, PROBES, Task};

/// Times each way of opening is measured.
const TIMES: usize = 3;
/// Single appends before a process is killed, after its large ones.
const SINGLE: u64 = 200;
/// Large appends before that.
const LARGE: u64 = 2;

/// What a process that opened the store tells.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Opened {
    pub(crate) seconds: f64,
    /// Memory when it was open, and after the look-ups of a service that has just started.
    pub(crate) open: Memory,
    pub(crate) used: Memory,
}

/// All ways of opening one log.
#[derive(Clone, Debug)]
pub(crate) struct Openings {
    /// Seconds: after a clean close and after SIGKILL, each with the page cache as it is and without.
    pub(crate) ways: Vec<(&'static str, f64)>,
    /// The highest of all openings.
    pub(crate) open: Memory,
    pub(crate) used: Memory,
}

/// Opens the log in all ways; what was appended before each kill is counted in the task.
pub(crate) fn measure(task: &mut Task) -> Result<Openings> {
    let mut all = Openings { ways: Vec::new(), open: Memory::default(), used: Memory::default() };
    for (name, killed, cached) in [
        ("opening after a clean close", false, true),
        ("opening after a clean close, nothing in the page cache", false, false),
        ("opening after SIGKILL", true, true),
        ("opening after SIGKILL, nothing in the page cache", true, false),
    ] {
        let mut seconds = Vec::new();
        for _ in 0..TIMES {
            if killed {
                kill(task)?;
            }
            if !cached {
                footprint::forget_cached(&task.dir)?;
            }
            let opened: Opened = task.ask("child-open").context(name)?;
            seconds.push(opened.seconds);
            all.open = highest(all.open, opened.open);
            all.used = highest(all.used, opened.used);
        }
        all.ways.push((name, median(&seconds)));
    }
    Ok(all)
}

fn highest(one: Memory, other: Memory) -> Memory {
    Memory {
        resident: one.resident.max(other.resident),
        peak: one.peak.max(other.peak),
        private: one.private.max(other.private),
    }
}

/// Lets a process append, kills it, and counts what it appended.
fn kill(task: &mut Task) -> Result<()> {
    child::kill_when_ready(&mut task.command("child-hold")?)?;
    task.lanes[PROBES as usize] += SINGLE + large(task) * BATCH;
    Ok(())
}

fn large(task: &Task) -> u64 {
    // A small log, for the trial of this program, is not to be mostly of these.
    if task.events() < 100_000 { 0 } else { LARGE }
}

/// The stage that opens, in its own process.
pub(crate) fn open(task: Task) -> Result<Opened> {
    task.hold_to_limit()?;
    let watch = Stopwatch::start();
    let store = Engine::open(&task.dir, Settings::default())?;
    let seconds = watch.elapsed().as_secs_f64();
    let open = Memory::of_this_process()?;
    task.check_head(&store)?;
    lookups::of_devices(&store, &task)?;
    let used = Memory::of_this_process()?;
    pollster::block_on(store.close())?;
    Ok(Opened { seconds, open, used })
}

/// The stage that is killed: it appends a little, so that there is something to recover, and waits.
pub(crate) fn hold(mut task: Task) -> Result<()> {
    task.hold_to_limit()?;
    let maker = Maker::new(task.shape)?;
    let store = task.open(Settings::default())?;
    for _ in 0..large(&task) {
        let events = task.next(&maker, PROBES, BATCH)?;
        task::append(&store, Append::new(events))?;
    }
    for _ in 0..SINGLE {
        let events = task.next(&maker, PROBES, 1)?;
        task::append(&store, Append::new(events))?;
    }
    child::wait_to_be_killed()
}
