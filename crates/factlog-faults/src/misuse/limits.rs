//! What the system does not let a process have: memory, open files, large files.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::scene::{Scene, start};
use crate::life::{self, Life};
use crate::setting::StoreArguments;
use crate::told::Line;
use crate::worker::{Limits, WorkerArguments};

/// Bytes of memory for a store with a log that is larger.
const MEMORY: u64 = 96 << 20;
/// Bytes that are too few.
const STARVING: u64 = 28 << 20;
const LARGE_EVENT: usize = 20_000;
/// What a worker may do under a limit before it is ended.
const ANSWERS: u64 = 400;

pub(super) fn memory() -> Result<String> {
    let mut scene = Scene::with_events_of(LARGE_EVENT)?;
    let store = StoreArguments {
        segment_bytes: 2 << 20,
        segment_events: 100_000,
        wal_file_bytes: 1 << 20,
        wal_bytes: 4 << 20,
        cache_bytes: 2 << 20,
        uncompressed: true,
        ..StoreArguments::tiny()
    };
    let mut worker = WorkerArguments { store: store.clone(), ..scene.worker() };
    let mut life = start(&worker)?;
    let bytes = |scene: &Scene| -> u64 {
        super::scene::paths(&scene.store()).into_iter().flatten().fold(0, |sum, path| {
            sum + std::fs::metadata(scene.store().join(path)).map_or(0, |file| file.len())
        })
    };
    while bytes(&scene) < MEMORY * 4 / 3 {
        scene.hear(&mut life, 200)?;
    }
    scene.close(life)?;
    worker = WorkerArguments { store: store.clone(), ..scene.worker() };
    worker.limits = Limits { limit_data: Some(MEMORY), ..Limits::default() };
    let mut life = start(&worker)?;
    scene.hear(&mut life, 3 * ANSWERS)?;
    scene.close(life)?;
    let log = scene.judge()?;
    worker = WorkerArguments { store, ..scene.worker() };
    let ended = starved(&mut scene, worker)?;
    scene.judge_with_refusals()?;
    let (data, size) = (MEMORY >> 20, bytes(&scene) >> 20);
    Ok(format!(
        "{data} MiB of memory, {size} MiB of files, {} events; with {} MiB the process ended: {ended}; nothing was lost",
        log.len(),
        STARVING >> 20
    ))
}

/// Runs a process that cannot have the memory it needs, and is ended for it. What it was told holds all the same.
fn starved(scene: &mut Scene, mut worker: WorkerArguments) -> Result<String> {
    worker.limits = Limits { limit_data: Some(STARVING), ..Limits::default() };
    let mut command = life::command(&worker)?;
    // That memory ran out is expected, and told by the status.
    command.env("RUST_BACKTRACE", "0").stderr(Stdio::null());
    let mut life = Life::start(command, &[])?;
    let mut left = 3 * ANSWERS;
    while let Some(line) = life.next_line()? {
        left = left.saturating_sub(u64::from(matches!(line, Line::Answered(..))));
        scene.recorder.hear(&line);
        if left == 0 {
            life.end_input();
        }
    }
    scene.recorder.end_of_life();
    Ok(life.wait()?.to_string())
}

/// What became of a worker under a limit.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    refused: u32,
    worked: u32,
}

impl Seen {
    /// Lets a worker work under a limit, if it can. It may refuse; it may not end by anything but its own decision.
    fn one(&mut self, scene: &mut Scene, worker: &WorkerArguments, command: Command) -> Result<()> {
        let mut life = Life::start(command, &[])?;
        let mut left = ANSWERS;
        let mut is_open = false;
        let mut refusals = 0;
        while let Some(line) = life.next_line()? {
            is_open |= matches!(line, Line::Opened(_));
            if let Line::Failed(refusal) = &line {
                refusals += 1;
                ensure!(!refusal.message.is_empty(), "it refuses without a word");
            }
            left -= u64::from(matches!(line, Line::Answered(..)) && 0 < left);
            scene.recorder.hear(&line);
            if left == 0 {
                life.end_input();
            }
        }
        scene.recorder.end_of_life();
        let status = life.wait()?;
        ensure!(status.signal().is_none(), "it was ended by {status} under {:?}", worker.limits);
        ensure!(is_open || refusals == 1, "it ended without a word under {:?}: {status}", worker.limits);
        if is_open {
            self.worked += 1;
        } else {
            self.refused += 1;
        }
        Ok(())
    }
}

pub(super) fn open_files() -> Result<String> {
    let mut scene = Scene::filled(1_000)?;
    let mut seen = Seen::default();
    for files in (4..20).chain([24, 32, 64]) {
        let mut worker = scene.worker();
        worker.limits = Limits { limit_files: Some(files), ..Limits::default() };
        let command = life::command(&worker)?;
        seen.one(&mut scene, &worker, command)?;
    }
    let told = are_about(&scene, "Too many open files")?;
    let log = scene.judge_with_refusals()?;
    let Seen { refused, worked } = seen;
    Ok(format!(
        "opening refused {refused} times, open {worked} times, {told} errors told, {} events",
        log.len()
    ))
}

pub(super) fn file_bytes() -> Result<String> {
    let mut scene = Scene::new()?;
    let mut seen = Seen::default();
    for kib in [1, 4, 48, 64, 100, 128, 256, 64, 100, 1, 4] {
        let mut worker = scene.worker();
        // Segments are larger than write-ahead files, so that either is what does not fit.
        worker.store = StoreArguments { segment_bytes: 128 << 10, segment_events: 2_000, ..worker.store };
        worker.store.uncompressed = true;
        worker.limits = Limits { limit_file_bytes: Some(kib << 10), ..Limits::default() };
        let plain = life::command(&worker)?;
        // Who does not ignore this signal is ended by it.
        let mut command = Command::new("env");
        command.arg("--ignore-signal=XFSZ").arg(plain.get_program()).args(plain.get_args());
        seen.one(&mut scene, &worker, command)?;
    }
    let worker = scene.worker();
    let mut life = start(&worker).context("without a limit")?;
    scene.hear(&mut life, ANSWERS)?;
    scene.close(life)?;
    let told = are_about(&scene, "File too large")?;
    let log = scene.judge_with_refusals()?;
    let Seen { refused, worked } = seen;
    Ok(format!(
        "opening refused {refused} times, open {worked} times, {told} errors told, {} events",
        log.len()
    ))
}

/// How many errors were told, all of which name this cause.
fn are_about(scene: &Scene, cause: &str) -> Result<usize> {
    let other = scene.refusals().find(|message| !message.contains(cause));
    ensure!(other.is_none(), "an error that does not name its cause: {other:?}");
    let count = scene.refusals().count();
    ensure!(0 < count, "nothing was refused, so nothing was tried");
    Ok(count)
}
