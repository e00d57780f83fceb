//! What a child process is given: the store, and what must be in it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use bench_common::child;
use bench_common::memory;
use factlog_core::{Append, Appended, Event, EventStore, Position};
use factlog_engine::{Engine, Settings};
use serde::{Deserialize, Serialize};

use crate::devices::{Maker, Shape};

/// Writers that append [`BATCH`] events at a time, each to its lane: those from 0.
pub(crate) const BATCHED: u8 = 4;
/// Writers that append one event at a time, each to its lane: those after the others.
pub(crate) const SINGLE: u8 = 16;
/// The lane of what is appended while something else is measured.
pub(crate) const PROBES: u8 = BATCHED + SINGLE;
/// All lanes.
pub(crate) const LANES: usize = PROBES as usize + 1;
/// Events of a large append.
pub(crate) const BATCH: u64 = 1_000;

/// A store, and what must be in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Task {
    pub(crate) dir: PathBuf,
    pub(crate) shape: Shape,
    /// Events of each lane.
    pub(crate) lanes: [u64; LANES],
    /// Events that a fill ends with.
    pub(crate) target: u64,
    /// Bytes of private memory the process may have.
    pub(crate) limit: Option<u64>,
}

impl Task {
    /// Events in the log.
    pub(crate) fn events(&self) -> u64 {
        self.lanes.iter().sum()
    }

    /// A number of something that shall be `most`, and less in a log that is small for the trial of this program.
    pub(crate) fn scaled(&self, most: u64) -> u64 {
        (self.events() / 100).clamp(1, most)
    }

    /// A process of its own for a stage; `stage` is one that `main` knows.
    pub(crate) fn command(&self, stage: &str) -> Result<Command> {
        child::again(&[stage, &serde_json::to_string(self)?])
    }

    /// Lets a process of its own do a stage, and takes its answer.
    pub(crate) fn ask<T: for<'de> Deserialize<'de>>(&self, stage: &str) -> Result<T> {
        child::answer(&mut self.command(stage)?).with_context(|| format!("at {} events", self.events()))
    }

    /// Holds this process to its limit.
    pub(crate) fn hold_to_limit(&self) -> Result<()> {
        self.limit.map_or(Ok(()), memory::limit)
    }

    /// Opens the store, which must have exactly the events it should have.
    pub(crate) fn open(&self, settings: Settings) -> Result<Engine> {
        let store = Engine::open(&self.dir, settings).context("the store could not be opened")?;
        self.check_head(&store)?;
        Ok(store)
    }

    pub(crate) fn check_head(&self, store: &Engine) -> Result<()> {
        let head = Position::number(pollster::block_on(store.head())?.position);
        ensure!(head == self.events(), "the store has {head} events; {} were acknowledged", self.events());
        Ok(())
    }

    /// The next events of a lane, which are then counted as appended.
    pub(crate) fn next(&mut self, maker: &Maker, lane: u8, count: u64) -> Result<Vec<Event>> {
        let first = self.lanes[lane as usize];
        self.lanes[lane as usize] += count;
        (first..first + count).map(|number| maker.event(lane, number)).collect()
    }
}

/// Appends, and waits until it is durable.
pub(crate) fn append(store: &Engine, append: Append) -> Result<Appended> {
    pollster::block_on(store.append(append)).map_err(|error| anyhow!("an append failed: {error}"))
}
