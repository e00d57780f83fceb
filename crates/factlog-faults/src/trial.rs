//! One store through many lives: everything that was asked and told of it, and what must hold after each.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use factlog_check::history::{Outcome, What};
use factlog_core::RecordedEvent;
use fastrand::Rng;
use tempfile::TempDir;

use crate::asking::World;
use crate::check::judged;
use crate::life::{self, Life};
use crate::look;
use crate::record::{Counts, Recorder};
use crate::setting::StoreArguments;
use crate::survey::{self, survey};
use crate::told::{Line, Question, Refusal};
use crate::worker::WorkerArguments;

/// Appends of earlier lives that each life is given to repeat.
const REPEATS: usize = 200;
const EVENT_BYTES: usize = 300;
const HISTORY: &str = "history.jsonl";

/// A store, and what is known of it.
#[derive(Debug)]
pub(crate) struct Trial {
    store: PathBuf,
    /// Where copies of it are looked at: not on the disk that is on trial.
    copies: TempDir,
    seed: u32,
    life: u32,
    pub(crate) recorder: Recorder,
    log: Vec<RecordedEvent>,
    /// Refusals of earlier lives.
    heard: usize,
    /// All that was told, in lines of JSON.
    history: BufWriter<File>,
}

/// What there was over one or more stores.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) counts: Counts,
    pub(crate) operations: usize,
    pub(crate) events: usize,
}

impl Trial {
    /// Of a store that is not there yet.
    pub(crate) fn begin(store: &Path, seed: u32) -> Result<Self> {
        let copies = tempfile::Builder::new().prefix("factlog-copies-").tempdir()?;
        let recorder = Recorder::new(World::new(seed, EVENT_BYTES));
        let (log, store) = (Vec::new(), store.to_path_buf());
        let history = BufWriter::new(File::create(copies.path().join(HISTORY))?);
        let mut trial = Self { store, copies, seed, life: 0, recorder, log, heard: 0, history };
        trial.write(&serde_json::to_string(&Line::World { seed, event_bytes: EVENT_BYTES })?)?;
        Ok(trial)
    }

    fn write(&mut self, line: &str) -> Result<()> {
        writeln!(self.history, "{}", line.trim_end()).context("the history cannot be written")
    }

    /// Takes in what a life told.
    pub(crate) fn hear(&mut self, text: &str, line: &Line) -> Result<()> {
        self.recorder.hear(line);
        self.write(text)
    }

    /// Copies what was told and what is there to where both can be looked at; says how.
    pub(crate) fn keep(&mut self) -> String {
        let to = std::env::temp_dir().join(format!("factlog-failed-{}", self.seed));
        let kept = self.history.flush().map_err(Into::into).and_then(|()| {
            fs::create_dir_all(&to)?;
            survey::copy(&self.store, &to)?;
            fs::copy(self.copies.path().join(HISTORY), to.join(HISTORY)).context("the history")
        });
        let to = to.display();
        match kept {
            Ok(_) => format!("factlog-faults check --history {to}/{HISTORY} --store {to}/store"),
            Err(error) => format!("nothing, since it could not be copied to {to}: {error:#}"),
        }
    }

    /// Starts the next life.
    pub(crate) fn start(&mut self, settings: StoreArguments, rng: &mut Rng) -> Result<Life> {
        self.life += 1;
        let mut worker = WorkerArguments::usual(&self.store, settings);
        (worker.seed, worker.life, worker.event_bytes) = (self.seed, self.life, EVENT_BYTES);
        self.heard = self.recorder.refusals.len();
        self.write(&serde_json::to_string(&Line::Life(self.life))?)?;
        Life::start(life::command(&worker)?, &self.repeats(rng))
    }

    /// Appends that were asked for before: mostly the last ones, whose fate may be unknown.
    fn repeats(&self, rng: &mut Rng) -> Vec<Question> {
        let appends = &self.recorder.appends;
        let newest = appends.iter().rev().take(REPEATS / 2).cloned();
        let mut repeats: Vec<_> = newest.collect();
        if !appends.is_empty() {
            repeats.extend((0..REPEATS / 2).map(|_| appends[rng.usize(..appends.len())].clone()));
        }
        repeats
    }

    /// What this life was refused so far.
    pub(crate) fn refusals(&self) -> &[Refusal] {
        &self.recorder.refusals[self.heard..]
    }

    /// What must hold of the store whatever was asked of it, and that what was acknowledged is there.
    pub(crate) fn look(&mut self) -> Result<()> {
        let Some(log) = survey(&self.store, &self.copies.path().join("copy"))? else {
            ensure!(self.log.is_empty(), "the store is gone");
            ensure!(self.recorder.acknowledged_head == 0, "the store was never made, but it acknowledged");
            return Ok(());
        };
        look::is_sound(&log, &self.log)?;
        self.log = log;
        for operation in &self.recorder.history.operations {
            if let What::Append { append, outcome: Outcome::Appended(appended) } = &operation.what {
                let first = usize::try_from(appended.first.get() - 1).expect("it is in memory");
                let there = self.log.get(first..first + append.events.len());
                let is_there = there.is_some_and(|there| {
                    there.iter().zip(&append.events).all(|(there, asked)| there.event.id == asked.id)
                });
                ensure!(
                    is_there,
                    "an append was acknowledged at {} to {} and is not there; the head is {}",
                    appended.first,
                    appended.last,
                    self.log.len()
                );
            }
        }
        Ok(())
    }

    /// Holds the whole history against the contract, and says how much that was.
    pub(crate) fn check(&mut self) -> Result<Sum> {
        let history = &mut self.recorder.history;
        history.log = std::mem::take(&mut self.log);
        let result = judged(history);
        self.log = std::mem::take(&mut history.log);
        result?;
        let operations = history.operations.len();
        Ok(Sum { counts: self.recorder.counts, operations, events: self.log.len() })
    }
}

impl Sum {
    pub(crate) fn add(&mut self, other: Self) {
        let (sum, counts) = (&mut self.counts, other.counts);
        sum.acknowledged += counts.acknowledged;
        sum.repeats += counts.repeats;
        sum.unknown += counts.unknown;
        sum.conflicts += counts.conflicts;
        sum.refused += counts.refused;
        sum.reads += counts.reads;
        sum.deliveries += counts.deliveries;
        self.operations += other.operations;
        self.events += other.events;
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { acknowledged, repeats, unknown, conflicts, refused, reads, deliveries, .. } =
            self.counts;
        write!(
            f,
            "{acknowledged} appends acknowledged ({repeats} of them repeats) and none lost, {unknown} never answered and \
             none half there, {refused} refused and none of them there, {conflicts} conflicts, {reads} reads, \
             {deliveries} events delivered; {} operations checked over {} events",
            self.operations, self.events
        )
    }
}
