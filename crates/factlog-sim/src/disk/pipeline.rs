//! A pipeline as the engine has it, until its process is gone: then all it had begun ends with an error.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use factlog_engine::JournalMode;
use factlog_engine::simulation::{Bell, Done, Pipeline};

use super::errno;
use super::faults::Call;
use super::machine::{Shared, Subject};

/// A pipeline of a simulated disk.
#[derive(Debug)]
pub(super) struct SimPipeline {
    shared: Shared,
    life: u64,
    lane: u64,
    depth: usize,
    /// Whether its writes are the kernel's.
    direct: bool,
    /// The writes that were begun and not told, for when their process is gone.
    begun: BTreeSet<u64>,
}

impl SimPipeline {
    pub(super) fn new(shared: Shared, life: u64, mode: JournalMode) -> Self {
        let (depth, direct) = match mode {
            JournalMode::Auto | JournalMode::Uring => (8, true),
            JournalMode::Threads => (4, false),
            JournalMode::Plain => (1, false),
        };
        let lane = shared.machine().open_lane(life, depth, direct);
        Self { shared, life, lane, depth, direct, begun: BTreeSet::new() }
    }
}

impl Pipeline for SimPipeline {
    fn turn_to(&mut self, path: &Path) -> io::Result<u64> {
        let mut machine = self.shared.machine();
        let (subject, direct) = (Subject::new(path), self.direct);
        if machine.is_alive(self.life) {
            machine.turn_away(self.lane);
        }
        let id = machine.run(self.life, Call::Open, &subject, [1, 0], |machine, _| {
            let id = machine.tree.find_file(path)?;
            // Only a direct file is locked, for which its former writes must be over.
            if direct {
                machine.settle(id);
            }
            Ok(id)
        })?;
        let length = machine.tree.file(id)?.length();
        machine.turn_lane(self.lane, id, subject);
        Ok(length)
    }

    fn submit(&mut self, number: u64, bytes: Bytes, offset: u64) {
        self.begun.insert(number);
        let mut machine = self.shared.machine();
        if machine.is_alive(self.life) {
            if self.depth == 1 {
                machine.write_at_once(self.life, self.lane, number, &bytes, offset);
            } else {
                machine.submit(self.lane, number, bytes, offset);
            }
        }
    }

    fn write(&mut self, number: u64, bytes: Bytes, offset: u64) {
        self.begun.insert(number);
        let mut machine = self.shared.machine();
        if machine.is_alive(self.life) {
            machine.write_at_once(self.life, self.lane, number, &bytes, offset);
        }
    }

    fn finished(&mut self, wait: bool) -> Vec<Done> {
        let mut machine = self.shared.machine();
        if !machine.is_alive(self.life) {
            let begun = std::mem::take(&mut self.begun);
            return begun.into_iter().map(|number| Done { number, result: Err(errno::gone()) }).collect();
        }
        let done = machine.finished(self.lane, wait);
        for done in &done {
            self.begun.remove(&done.number);
        }
        done
    }

    fn bell(&self) -> Arc<dyn Bell> {
        Arc::new(SimBell { shared: self.shared.clone(), lane: self.lane })
    }

    fn depth_max(&self) -> usize {
        self.depth
    }
}

impl Drop for SimPipeline {
    /// What was begun is brought to its end, unless the process was killed.
    fn drop(&mut self) {
        let mut machine = self.shared.machine();
        if machine.is_alive(self.life) {
            while machine.end_one(self.lane, true) {}
            machine.close_lane(self.lane);
        }
    }
}

/// Ends a sleep that never is one.
#[derive(Debug)]
struct SimBell {
    shared: Shared,
    lane: u64,
}

impl Bell for SimBell {
    fn ring(&self) {
        // Numbers of lanes are never given twice, so that a bell of another life rings nowhere.
        self.shared.machine().ring(self.lane);
    }
}
