//! A store in a temporary directory, and the processes that come and go there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail, ensure};
use factlog_core::RecordedEvent;
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use crate::asking::World;
use crate::check::judged;
use crate::life::{self, Life};
use crate::look::{self, look};
use crate::record::Recorder;
use crate::setting::StoreArguments;
use crate::told::Line;
use crate::worker::WorkerArguments;

/// Everything about one store.
pub(super) struct Scene {
    dir: TempDir,
    pub(super) recorder: Recorder,
    event_bytes: usize,
    lives: u32,
}

impl Scene {
    pub(super) fn new() -> Result<Self> {
        Self::with_events_of(300)
    }

    /// With so many bytes in an event at most.
    pub(super) fn with_events_of(event_bytes: usize) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("factlog-misuse-").tempdir()?;
        let recorder = Recorder::new(World::new(0, event_bytes));
        Ok(Self { dir, recorder, event_bytes, lives: 0 })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The next process of this store, before it is started.
    pub(super) fn worker(&mut self) -> WorkerArguments {
        let mut worker = WorkerArguments::usual(&self.store(), StoreArguments::tiny());
        self.lives += 1;
        (worker.life, worker.event_bytes) = (self.lives, self.event_bytes);
        worker
    }

    /// Listens until so many answers have come.
    pub(super) fn hear(&mut self, life: &mut Life, answers: u64) -> Result<()> {
        let mut left = answers;
        while 0 < left {
            let line = life.next_line()?.context("it ended too early")?;
            left -= u64::from(matches!(line, Line::Answered(..)));
            self.recorder.hear(&line);
        }
        Ok(())
    }

    /// Hears out a process that ends or was ended; says how, and whether it closed the store.
    pub(super) fn end(&mut self, mut life: Life) -> Result<(ExitStatus, bool)> {
        let mut is_closed = false;
        while let Some(line) = life.next_line()? {
            is_closed |= line == Line::Closed;
            self.recorder.hear(&line);
        }
        self.recorder.end_of_life();
        Ok((life.wait()?, is_closed))
    }

    /// Ends a process politely, which must work out.
    pub(super) fn close(&mut self, mut life: Life) -> Result<()> {
        life.end_input();
        let (status, is_closed) = self.end(life)?;
        ensure!(status.success() && is_closed, "it was to close the store and ended with {status}");
        Ok(())
    }

    pub(super) fn kill(&mut self, mut life: Life) -> Result<()> {
        life.kill()?;
        self.end(life)?;
        Ok(())
    }

    /// Makes a store, lets clients at it until so many answers have come, and closes it.
    pub(super) fn filled(answers: u64) -> Result<Self> {
        let mut scene = Self::new()?;
        let worker = scene.worker();
        let mut life = start(&worker)?;
        scene.hear(&mut life, answers)?;
        scene.close(life)?;
        Ok(scene)
    }

    /// Errors that were told, but for the ends of subscriptions.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &str> {
        let failed = self.recorder.refusals.iter().filter(|refusal| refusal.kind != "Closed");
        failed.map(|refusal| refusal.message.as_str())
    }

    /// Verifies the store, reads it, and holds the history of all its lives against it. Nobody may have been refused.
    pub(super) fn judge(&mut self) -> Result<Vec<RecordedEvent>> {
        if let Some(message) = self.refusals().next() {
            bail!("an error without a fault: {message}");
        }
        self.judge_with_refusals()
    }

    /// The same where there was reason to refuse.
    pub(super) fn judge_with_refusals(&mut self) -> Result<Vec<RecordedEvent>> {
        let seen = look(&self.store(), &self.path("looked-at"))?;
        look::is_sound(&seen.log, &[])?;
        self.recorder.history.log = seen.log.clone();
        judged(&self.recorder.history)?;
        Ok(seen.log)
    }
}

/// Starts a process, which must open the store.
pub(super) fn start(worker: &WorkerArguments) -> Result<Life> {
    start_as(life::command(worker)?)
}

pub(super) fn start_as(command: Command) -> Result<Life> {
    let mut life = Life::start(command, &[])?;
    life.until_open()?;
    Ok(life)
}

/// What stands in every file below a directory, by its path there.
pub(super) fn contents(dir: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let mut found = BTreeMap::new();
    for path in paths(dir)? {
        let whole = dir.join(&path);
        let hash = if whole.is_dir() { 0 } else { xxh3_64(&fs::read(&whole)?) };
        found.insert(path, hash);
    }
    Ok(found)
}

/// Every file and folder below a directory, by its path there, in order.
pub(super) fn paths(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = PathBuf::from(entry?.file_name());
        if dir.join(&name).is_dir() {
            found.extend(paths(&dir.join(&name))?.iter().map(|path| name.join(path)));
        }
        found.push(name);
    }
    found.sort();
    Ok(found)
}

/// `cp -r`, as an operator would do it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let done = Command::new("cp").arg("-r").arg(from).arg(to).output().context("there is no cp")?;
    // A file that goes while it is copied is cp's to complain of.
    ensure!(to.is_dir(), "cp failed: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
