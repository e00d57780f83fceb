//! One store with a hundred million small events, measured when it has a hundredth, a tenth and all of them.
//!
//! Everything that has the store open is a process of its own, so that memory is that of one work and nothing is warm
//! that should not be. It uses the public API of the engine only, and knows nothing of tables and charts: it writes its
//! results as JSON for `cargo xtask bench scale`. Reading order: [`devices`], [`task`], [`fill`], the other stages,
//! [`report`], [`growth`].

mod board;
mod conditions;
mod devices;
mod fill;
mod growth;
mod lookups;
mod opening;
mod reading;
mod report;
mod task;

use anyhow::{Context, Result, bail};
use bench_common::arguments::Arguments;
use bench_common::number::shown;
use bench_common::results::Results;
use bench_common::{child, footprint, raw};

use crate::board::Board;
use crate::devices::Shape;
use crate::reading::ReadBack;
use crate::report::{MEMORY_MIB, MIB};
use crate::task::{BATCHED, LANES, PROBES, SINGLE, Task};

/// Fewer events than this in the largest log, and the smallest has no job that is done.
const FEWEST: u64 = 1_000_000;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [stage, task] if stage.starts_with("child-") => {
            let task = serde_json::from_str(task).context("the task of a child process is not readable")?;
            run_stage(stage, task)
        }
        _ => run(&Arguments::parse(words)?),
    }
}

/// The other side: what a child process does, by the name it was started with.
fn run_stage(stage: &str, task: Task) -> Result<()> {
    match stage {
        "child-head" => child::tell(&reading::head(&task)?),
        "child-fill" => child::tell(&fill::fill(task)?),
        "child-read" => child::tell(&reading::read_back(task)?),
        "child-open" => child::tell(&opening::open(task)?),
        "child-hold" => opening::hold(task),
        "child-warm" => child::tell(&lookups::warm(task)?),
        "child-cold" => child::tell(&lookups::cold(task)?),
        "child-conditions" => child::tell(&conditions::conditions(task)?),
        _ => bail!("there is no stage {stage}"),
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let events = arguments.events.unwrap_or(if arguments.quick { FEWEST } else { 100_000_000 });
    if events < FEWEST {
        bail!(
            "--events {events} is too few: the first of three sizes is a hundredth of it; give {FEWEST} or more"
        );
    }
    let sizes = [events / 100, events / 10, events];
    let dir = tempfile::Builder::new().prefix("factlog-bench-").tempdir_in(&arguments.dir);
    let dir = dir.with_context(|| format!("no directory can be made in {}", arguments.dir.display()))?;
    let limit = arguments.limit.map(|mebibytes| mebibytes << 20);
    let shape = Shape::of(sizes[0]);
    let path = dir.path().join("store");
    let mut task = Task { dir: path, shape, lanes: [0; LANES], target: 0, limit };
    let (mut results, mut board) = (Results::default(), Board::default());
    describe(arguments, shape, &mut results);
    for target in sizes {
        let rates = raw::sync_rates(dir.path(), std::time::Duration::from_millis(500))?;
        let name = format!("raw before {} events: 4 KiB over zeros, RWF_DSYNC", shown(target as f64));
        results.fact(&name, format!("{} a second", shown(rates.dsync)));
        task.target = target;
        size(&mut task, &mut board)?;
        // What is known is kept, should the next size fail.
        results.series = board.series();
        results.write(&arguments.out)?;
    }
    Ok(())
}

fn describe(arguments: &Arguments, shape: Shape, results: &mut Results) {
    results.fact(
        "an event",
        "16 to 60 bytes of JSON, 1 stream, 1 tag (one in 1,000 a second one of its own), a type",
    );
    results.fact(
        "streams",
        format!("{} devices; 10 events a job, one event in ten is of a job", shown(shape.devices as f64)),
    );
    results.fact(
        "writers",
        format!("{BATCHED} append 1,000 events at a time, {SINGLE} one; each waits for its append"),
    );
    results.fact("settings", "default; `cold` with `cache_bytes` 0");
    let limit = arguments.limit.map_or_else(
        || "none, but for the line that says so".to_owned(),
        |mebibytes| format!("{mebibytes} MiB (RLIMIT_DATA) in every process with the store open"),
    );
    results.fact("limit of private memory", limit);
}

/// Fills the store to its next size, and measures everything there.
fn size(task: &mut Task, board: &mut Board) -> Result<()> {
    let at = task.target;
    progress(at, "filling");
    let filled: fill::Filled = task.ask("child-fill")?;
    task.lanes = filled.lanes;
    board.filled(at, &filled);
    progress(at, "reading back");
    let (read, within) = read_within_limit(task)?;
    board.read_back(at, &read, within);
    board.places((at, task.events()), &read, &footprint::places(&task.dir)?);
    progress(at, "look-ups");
    board.warm(at, &task.ask::<Vec<_>>("child-warm")?);
    board.cold(at, &task.ask::<Vec<_>>("child-cold")?);
    progress(at, "conditions");
    let conditions: conditions::Conditions = task.ask("child-conditions")?;
    task.lanes = conditions.lanes;
    board.conditions(at, &conditions);
    progress(at, "opening");
    board.openings(at, &opening::measure(task)?);
    Ok(())
}

/// Reads back under the hard limit of the target or, if that is not enough for the engine, under the run's own.
fn read_within_limit(task: &mut Task) -> Result<(ReadBack, bool)> {
    let target = (MEMORY_MIB * MIB) as u64;
    let held = Task { limit: Some(task.limit.map_or(target, |limit| limit.min(target))), ..task.clone() };
    let (read, within): (ReadBack, bool) = match held.ask("child-read") {
        Ok(read) => (read, true),
        Err(error) => {
            eprintln!("bench scale: NOT WITHIN {MEMORY_MIB} MiB: {error:#}");
            // It may have appended to the lane of the probes before it died.
            let head: u64 = task.ask("child-head")?;
            task.lanes[PROBES as usize] += head - task.events();
            (task.ask("child-read")?, false)
        }
    };
    task.lanes = read.lanes;
    Ok((read, within))
}

fn progress(events: u64, what: &str) {
    eprintln!("bench scale: {} events: {what}", shown(events as f64));
}
