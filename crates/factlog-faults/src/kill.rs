//! `kill -9` at any moment, again and again, on one store, and one history over all its lives.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use factlog_check::history::{Outcome, What};
use factlog_core::RecordedEvent;
use fastrand::Rng;

use crate::asking::World;
use crate::check::{judged, say};
use crate::life::{self, Life, News};
use crate::look::{self, look};
use crate::record::{Counts, Recorder};
use crate::setting::StoreArguments;
use crate::told::{Line, Question};
use crate::worker::WorkerArguments;

/// Appends of earlier lives that each life is given to repeat.
const REPEATS: usize = 200;
const EVENT_BYTES: usize = 300;

/// Kill a real process with writers, readers and subscribers, again and again, and hold all it told against its store
///
/// After each cycle the store is verified in full and read whole; after every few cycles, and at the end, everything
/// that all processes were told is held against the contract as one history. Exit code 1 if a promise was broken.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct KillArguments {
    /// How many processes are killed
    #[arg(long, default_value_t = 50)]
    cycles: u32,
    /// Another seed, other events, settings and moments
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Check the history after so many cycles
    #[arg(long, default_value_t = 25)]
    check_every: u32,
    /// Where the store and the history go; a directory that is not there yet. Without it a temporary one
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Keep the history there, as lines of JSON
    #[arg(long)]
    record: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  factlog-faults kill --cycles 500
  factlog-faults kill --cycles 50 --seed 7 --record history.jsonl
  factlog-faults check --history history.jsonl --store /tmp/there/store";

/// Everything that was asked and told of one store, and where it is.
struct Trial {
    dir: PathBuf,
    seed: u32,
    rng: Rng,
    recorder: Recorder,
    history: BufWriter<File>,
    log: Vec<RecordedEvent>,
    segments: u64,
    closed: u32,
    opening: u32,
    mended: usize,
    /// Cycles that left runs of the index which were merged from others.
    merged: u32,
    checked: usize,
}

/// Kills as many processes as it is told to.
pub(crate) fn run(arguments: &KillArguments) -> Result<()> {
    let dir = match &arguments.dir {
        Some(dir) => dir.clone(),
        None => tempfile::Builder::new().prefix("factlog-kill-").tempdir()?.keep(),
    };
    let mut trial = Trial::begin(dir.clone(), arguments.seed)?;
    let result = trial.all(arguments);
    trial.history.flush().context("the history cannot be written")?;
    let history = dir.join("history.jsonl");
    if let Some(record) = &arguments.record {
        fs::copy(&history, record).with_context(|| format!("{} cannot be written", record.display()))?;
    }
    match result {
        Ok(()) if arguments.dir.is_none() => fs::remove_dir_all(&dir).context("the store cannot be removed"),
        Ok(()) => Ok(()),
        Err(error) => {
            let (store, history) = (dir.join("store"), history.display());
            let store = store.display();
            Err(error.context(format!(
                "a promise was broken; see what is left with\n  factlog verify --data {store}\n  factlog-faults check \
                 --history {history} --store {store}"
            )))
        }
    }
}

impl Trial {
    fn begin(dir: PathBuf, seed: u32) -> Result<Self> {
        fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        let history = dir.join("history.jsonl");
        let history =
            File::create_new(&history).with_context(|| format!("{} is in the way", history.display()))?;
        let mut trial = Self {
            dir,
            seed,
            rng: Rng::with_seed(u64::from(seed)),
            recorder: Recorder::new(World::new(seed, EVENT_BYTES)),
            history: BufWriter::new(history),
            log: Vec::new(),
            segments: 0,
            closed: 0,
            opening: 0,
            mended: 0,
            merged: 0,
            checked: 0,
        };
        trial.write(&serde_json::to_string(&Line::World { seed, event_bytes: EVENT_BYTES })?)?;
        Ok(trial)
    }

    fn write(&mut self, line: &str) -> Result<()> {
        writeln!(self.history, "{}", line.trim_end()).context("the history cannot be written")
    }

    fn all(&mut self, arguments: &KillArguments) -> Result<()> {
        for cycle in 1..=arguments.cycles {
            self.cycle(cycle).with_context(|| format!("cycle {cycle} of {}", arguments.cycles))?;
            if cycle == arguments.cycles || cycle.is_multiple_of(arguments.check_every.max(1)) {
                self.check()?;
                say(&format!("{cycle} of {} cycles: {}", arguments.cycles, self.summary()));
            }
        }
        let is_long = 50 <= arguments.cycles;
        ensure!(
            !is_long || (0 < self.segments && 0 < self.merged),
            "nothing was sealed and merged meanwhile"
        );
        say(&format!(
            "kill: {} cycles ({} ended politely, {} before the store was open), {}, 0 violations",
            arguments.cycles,
            self.closed,
            self.opening,
            self.summary()
        ));
        Ok(())
    }

    /// One process from its start to its end, and what it left.
    fn cycle(&mut self, cycle: u32) -> Result<()> {
        self.write(&serde_json::to_string(&Line::Life(cycle))?)?;
        let store = StoreArguments::draw(&mut self.rng);
        let mut worker = WorkerArguments::usual(&self.dir.join("store"), store);
        (worker.seed, worker.life, worker.event_bytes) = (self.seed, cycle, EVENT_BYTES);
        let mut life = Life::start(life::command(&worker)?, &self.repeats())?;
        let before = self.recorder.refusals.len();
        let (is_open, is_closed) = self.listen(&mut life)?;
        life.wait()?;
        self.recorder.end_of_life();
        self.closed += u32::from(is_closed);
        self.opening += u32::from(!is_open);
        // A polite end is told to the subscriptions, which is no failure.
        let failed = self.recorder.refusals[before..].iter().find(|refusal| refusal.kind != "Closed");
        if let Some(refusal) = failed {
            bail!("an error without a fault: {}: {}", refusal.kind, refusal.message);
        }
        self.look()
    }

    /// Listens to a process until its end, which is brought about at some moment.
    fn listen(&mut self, life: &mut Life) -> Result<(bool, bool)> {
        let mut answers_left = u64::MAX;
        let is_polite = self.rng.u32(..12) == 0;
        match self.rng.u32(..8) {
            // Mostly while it is opening.
            0 => life.remind_after(Duration::from_micros(self.rng.u64(..40_000))),
            1 | 2 => life.remind_after(Duration::from_micros(self.rng.u64(..800_000))),
            _ => answers_left = self.rng.u64(1..1_500),
        }
        let (mut is_open, mut is_closed, mut is_told) = (false, false, false);
        loop {
            let is_due = match life.next()? {
                News::Ended => {
                    ensure!(
                        !is_polite || is_closed || !is_told,
                        "it was told to stop and did not close the store"
                    );
                    ensure!(is_told, "it ended by itself");
                    return Ok((is_open, is_closed));
                }
                News::Due => true,
                News::Told(text, line) => {
                    self.write(&text)?;
                    self.recorder.hear(&line);
                    is_open |= matches!(line, Line::Opened(_));
                    is_closed |= matches!(line, Line::Closed);
                    answers_left -= u64::from(matches!(line, Line::Answered(..)) && answers_left != u64::MAX);
                    answers_left == 0
                }
            };
            if is_due && !is_told {
                is_told = true;
                answers_left = u64::MAX;
                if is_polite { life.end_input() } else { life.kill()? }
            }
        }
    }

    /// Appends that were asked for before: mostly the last ones, whose fate may be unknown.
    fn repeats(&mut self) -> Vec<Question> {
        let appends = &self.recorder.appends;
        let newest = appends.iter().rev().take(REPEATS / 2).cloned();
        let mut repeats: Vec<_> = newest.collect();
        if !appends.is_empty() {
            let any = (0..REPEATS / 2).map(|_| appends[self.rng.usize(..appends.len())].clone());
            repeats.extend(any);
        }
        repeats
    }

    /// What must hold of the store whatever was asked of it, and that what was acknowledged is there.
    fn look(&mut self) -> Result<()> {
        let store = self.dir.join("store");
        if !store.join("STORE").exists() {
            ensure!(self.log.is_empty(), "the store is gone");
            ensure!(self.recorder.acknowledged_head == 0, "the store was never made, but it acknowledged");
            return Ok(());
        }
        let seen = look(&store, &self.dir.join("copy"))?;
        look::is_sound(&seen.log, &self.log)?;
        self.segments = seen.report.segments;
        self.mended += seen.report.mendable.len();
        let mut runs = fs::read_dir(store.join("index")).context("the index cannot be listed")?.flatten();
        self.merged += u32::from(runs.any(|run| !run.file_name().to_string_lossy().starts_with('0')));
        self.log = seen.log;
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

    /// Holds the whole history against the contract.
    fn check(&mut self) -> Result<()> {
        let history = &mut self.recorder.history;
        history.log = std::mem::take(&mut self.log);
        let verdict = judged(history);
        self.log = std::mem::take(&mut history.log);
        self.checked = history.operations.len();
        verdict
    }

    fn summary(&self) -> String {
        let Counts { acknowledged, repeats, unknown, conflicts, reads, deliveries, .. } =
            self.recorder.counts;
        format!(
            "{acknowledged} appends acknowledged ({repeats} of them repeats), {unknown} never answered, {conflicts} conflicts, \
             {reads} reads, {deliveries} events delivered, {} operations checked; {} events, {} segments, {} mendable",
            self.checked,
            self.log.len(),
            self.segments,
            self.mended
        )
    }
}
