//! Pipelines: durable writes under way, which end in any order the seed likes.
//!
//! * A write is nowhere until it ends; when its process is killed before, it happened wholly, in part or not at all.
//! * Writes that go to the kernel directly outlive their process: they may happen in the next life, until
//!   [`Machine::settle`] waits for those of a file. Threads and plain writes end with their process.
//! * Nothing ever blocks. Who waits gets an end, or at once nothing if none is under way or the bell rang.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use factlog_engine::JournalMode;
use factlog_engine::simulation::{Bell, Done, Pipeline};

use super::faults::{Call, Effect, Failure, How};
use super::machine::{Machine, Shared, Subject};
use super::survival::torn;
use super::tree::Id;
use super::{errno, faults};

/// What direct writes want offsets and lengths to be multiples of.
const ALIGNMENT: u64 = 4096;

/// What the machine knows of a pipeline.
#[derive(Debug)]
pub(super) struct Lane {
    file: Option<(Id, Subject)>,
    done: Vec<Done>,
    rung: bool,
    depth: usize,
    /// Whether its writes are the kernel's, which wants them aligned and ends them without the process.
    direct: bool,
}

/// A durable write under way.
#[derive(Clone, Debug)]
pub(super) struct UnderWay {
    /// Nobody's when it has outlived its process.
    lane: Option<u64>,
    number: u64,
    pub(super) id: Id,
    bytes: Bytes,
    offset: u64,
    /// So many looks later it may end.
    steps: u32,
    direct: bool,
    verdict: faults::Verdict,
}

/// A pipeline of a simulated disk.
#[derive(Debug)]
pub(super) struct SimPipeline {
    shared: Shared,
    life: u64,
    lane: u64,
    depth: usize,
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
        let mut machine = shared.machine();
        machine.lanes_made += 1;
        let lane = machine.lanes_made;
        if machine.is_alive(life) {
            let (file, done, rung) = (None, Vec::new(), false);
            machine.lanes.insert(lane, Lane { file, done, rung, depth, direct });
        }
        drop(machine);
        Self { shared, life, lane, depth, begun: BTreeSet::new() }
    }
}

impl Pipeline for SimPipeline {
    fn turn_to(&mut self, path: &Path) -> std::io::Result<u64> {
        let mut machine = self.shared.machine();
        let subject = Subject::new(path);
        if machine.is_alive(self.life) {
            machine.turn_away(self.lane);
        }
        let id = machine.run(self.life, Call::Open, &subject, [1, 0], |machine, _| {
            let id = machine.tree.find_file(path)?;
            machine.settle(id);
            Ok(id)
        })?;
        let length = machine.tree.file(id)?.length();
        machine.tree.opened(id);
        if let Some(lane) = machine.lanes.get_mut(&self.lane) {
            lane.file = Some((id, subject));
        }
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
            machine.turn_away(self.lane);
            machine.lanes.remove(&self.lane);
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
        if let Some(lane) = self.shared.machine().lanes.get_mut(&self.lane) {
            lane.rung = true;
        }
    }
}

impl Machine {
    /// Closes the file of a lane.
    fn turn_away(&mut self, lane: u64) {
        if let Some((id, _)) = self.lanes.get_mut(&lane).and_then(|lane| lane.file.take()) {
            self.tree.closed(id);
        }
    }

    /// What a write would go into, if it is one that the system takes at all.
    fn target(&self, lane: u64, bytes: &Bytes, offset: u64) -> std::io::Result<(Id, Subject)> {
        let lane = self.lanes.get(&lane).ok_or_else(errno::gone)?;
        let target = lane.file.clone().ok_or_else(|| errno::error(errno::NOT_FOUND))?;
        let aligned = offset.is_multiple_of(ALIGNMENT) && (bytes.len() as u64).is_multiple_of(ALIGNMENT);
        if lane.direct && !aligned {
            return Err(errno::error(errno::INVALID));
        }
        Ok(target)
    }

    fn write_at_once(&mut self, life: u64, lane: u64, number: u64, bytes: &Bytes, offset: u64) {
        let result = self.target(lane, bytes, offset).and_then(|(id, subject)| {
            let numbers = [offset, super::trace::digest(bytes)];
            self.run(life, Call::WriteDurably, &subject, numbers, |machine, how| {
                machine.write_durably(id, bytes, offset, how)
            })
        });
        self.end(lane, number, result);
    }

    fn submit(&mut self, lane: u64, number: u64, bytes: Bytes, offset: u64) {
        self.land_some();
        let under_way = self.under_way.iter().filter(|write| write.lane == Some(lane)).count();
        let (depth, direct) = self.lanes.get(&lane).map_or((0, false), |lane| (lane.depth, lane.direct));
        let (id, subject) = match self.target(lane, &bytes, offset) {
            Ok(target) if under_way < depth => target,
            Ok(_) => return self.end(lane, number, Err(errno::error(errno::BUSY))),
            Err(cause) => return self.end(lane, number, Err(cause)),
        };
        let verdict = self.judge_write(&subject);
        self.trace.note("submit", &subject.path, [offset, super::trace::digest(&bytes)], Ok(number));
        let dies = verdict.failure == Some(Failure::Death);
        if !dies || verdict.how.is_some() {
            let steps = if self.latency == 0 { 0 } else { self.rng.u32(..=self.latency) };
            self.tree.opened(id);
            let lane = Some(lane);
            self.under_way.push(UnderWay { lane, number, id, bytes, offset, steps, direct, verdict });
        }
        if dies {
            self.die();
        }
    }

    fn end(&mut self, lane: u64, number: u64, result: std::io::Result<()>) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.done.push(Done { number, result });
        }
    }

    fn finished(&mut self, lane: u64, wait: bool) -> Vec<Done> {
        self.land_some();
        let mut looks = 0;
        for write in self.under_way.iter_mut().filter(|write| write.lane == Some(lane)) {
            write.steps = write.steps.saturating_sub(1);
            looks += 1;
        }
        for _ in 0..looks {
            if self.rng.bool() {
                self.end_one(lane, false);
            }
        }
        let quiet = self.lanes.get(&lane).is_some_and(|lane| lane.done.is_empty() && !lane.rung);
        if wait && quiet {
            self.end_one(lane, true);
        }
        let Some(its) = self.lanes.get_mut(&lane) else { return Vec::new() };
        // Who waited has heard it, even if it rang before.
        its.rung &= !wait;
        let done = std::mem::take(&mut its.done);
        for Done { number, result } in &done {
            self.trace.note("finished", "", [lane, *number], result.as_ref().map(|()| 0));
        }
        done
    }

    /// Ends one write of a lane that has waited long enough; says whether there was one. With `now`, one of those
    /// that have to wait least.
    fn end_one(&mut self, lane: u64, now: bool) -> bool {
        let its = |write: &&UnderWay| write.lane == Some(lane);
        let least = self.under_way.iter().filter(its).map(|write| write.steps).min();
        let Some(least) = least.filter(|least| now || *least == 0) else { return false };
        let over = |(_, write): &(usize, &UnderWay)| write.lane == Some(lane) && write.steps == least;
        let over: Vec<_> = self.under_way.iter().enumerate().filter(over).map(|(index, _)| index).collect();
        let write = self.under_way.remove(over[self.rng.usize(..over.len())]);
        let mut result = match &write.verdict.how {
            Some(how) => self.write_durably(write.id, &write.bytes, write.offset, how),
            None => Ok(()),
        };
        if let Some(failure) = write.verdict.failure {
            result = Err(failure.error());
        }
        self.tree.closed(write.id);
        self.end(lane, write.number, result);
        true
    }

    /// Their process was killed: each write under way happened wholly, in part, not at all, or may still happen.
    pub(super) fn abandon(&mut self) {
        for mut write in std::mem::take(&mut self.under_way) {
            write.lane = None;
            if write.direct && self.rng.u8(..3) == 0 {
                self.under_way.push(write);
            } else {
                self.land(&write);
            }
        }
        self.lanes.clear();
    }

    /// The power failed: whatever was under way is as good as any unsynced write.
    pub(super) fn cut_off(&mut self) {
        for write in std::mem::take(&mut self.under_way) {
            if let (true, Ok(content)) = (write.happens(), self.tree.file_mut(write.id)) {
                content.write(write.bytes, write.offset);
            }
        }
        self.lanes.clear();
    }

    /// Now and then a write of a process that is gone happens.
    pub(super) fn land_some(&mut self) {
        let orphans = |write: &UnderWay| write.lane.is_none();
        if self.under_way.iter().any(orphans) && self.rng.u8(..4) == 0 {
            let index = self.under_way.iter().position(orphans).unwrap_or_default();
            let write = self.under_way.remove(index);
            self.land(&write);
        }
    }

    /// All writes into a file have happened that a process began which is gone.
    pub(super) fn settle(&mut self, id: Id) {
        let (settled, others) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition(|write: &UnderWay| write.lane.is_none() && write.id == id);
        self.under_way = others;
        let settled: Vec<UnderWay> = settled;
        for write in settled {
            self.land(&write);
        }
    }

    /// A write happens of which nobody hears: wholly, in part or not at all, and durable or not.
    fn land(&mut self, write: &UnderWay) {
        self.tree.closed(write.id);
        if !write.happens() {
            return;
        }
        let how = match self.rng.u8(..4) {
            0 => return,
            1 => How::Well,
            _ => How::Failing(Effect::Part),
        };
        let Ok(content) = self.tree.file_mut(write.id) else { return };
        match how {
            How::Well if self.rng.bool() => content.write_durably(&write.bytes, write.offset),
            How::Well => content.write(write.bytes.clone(), write.offset),
            _ => {
                for (at, piece) in torn(&write.bytes, write.offset, &mut self.rng) {
                    content.write(piece, at);
                }
            }
        }
    }
}

impl UnderWay {
    /// Whether it is a write that changes the place it was meant for.
    fn happens(&self) -> bool {
        matches!(self.verdict.how, Some(How::Well | How::Failing(_)))
    }

    /// Nobody's from now on.
    pub(super) fn orphaned(self) -> Self {
        Self { lane: None, ..self }
    }
}
