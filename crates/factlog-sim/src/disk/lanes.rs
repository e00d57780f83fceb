//! Durable writes under way, which end in any order the seed likes.
//!
//! * A write is nowhere until it ends.
//! * Nothing ever blocks. Who waits gets an end, or at once nothing if none is under way or the bell rang.

use std::io;

use bytes::Bytes;
use factlog_engine::simulation::Done;

use super::errno;
use super::faults::Call;
use super::judge::{Failure, How, Verdict};
use super::machine::{Machine, Subject};
use super::trace::digest;
use super::tree::Id;

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
    pub(super) lane: Option<u64>,
    number: u64,
    pub(super) id: Id,
    pub(super) bytes: Bytes,
    pub(super) offset: u64,
    /// So many looks later it may end.
    pub(super) steps: u32,
    pub(super) direct: bool,
    verdict: Verdict,
}

impl Machine {
    /// A new pipeline; its number is never given again.
    pub(super) fn open_lane(&mut self, life: u64, depth: usize, direct: bool) -> u64 {
        self.lanes_made += 1;
        if self.is_alive(life) {
            let (file, done, rung) = (None, Vec::new(), false);
            self.lanes.insert(self.lanes_made, Lane { file, done, rung, depth, direct });
        }
        self.lanes_made
    }

    pub(super) fn close_lane(&mut self, lane: u64) {
        self.turn_away(lane);
        self.lanes.remove(&lane);
    }

    /// Gives a lane its file.
    pub(super) fn turn_lane(&mut self, lane: u64, id: Id, subject: Subject) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.file = Some((id, subject));
            self.tree.opened(id);
        }
    }

    pub(super) fn ring(&mut self, lane: u64) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.rung = true;
        }
    }

    /// Closes the file of a lane.
    pub(super) fn turn_away(&mut self, lane: u64) {
        if let Some((id, _)) = self.lanes.get_mut(&lane).and_then(|lane| lane.file.take()) {
            self.tree.closed(id);
        }
    }

    /// What a write would go into, if it is one that the system takes at all.
    fn target(&self, lane: u64, bytes: &Bytes, offset: u64) -> io::Result<(Id, Subject)> {
        let lane = self.lanes.get(&lane).ok_or_else(errno::gone)?;
        let target = lane.file.clone().ok_or_else(|| errno::error(errno::NOT_FOUND))?;
        let aligned = offset.is_multiple_of(ALIGNMENT) && (bytes.len() as u64).is_multiple_of(ALIGNMENT);
        if lane.direct && !aligned {
            return Err(errno::error(errno::INVALID));
        }
        Ok(target)
    }

    pub(super) fn write_at_once(&mut self, life: u64, lane: u64, number: u64, bytes: &Bytes, offset: u64) {
        let result = self.target(lane, bytes, offset).and_then(|(id, subject)| {
            let numbers = [offset, digest(bytes)];
            self.run(life, Call::WriteDurably, &subject, numbers, |machine, how| {
                machine.write_durably(id, bytes, offset, how)
            })
        });
        self.end(lane, number, result);
    }

    pub(super) fn submit(&mut self, lane: u64, number: u64, bytes: Bytes, offset: u64) {
        self.land_some();
        let under_way = self.under_way.iter().filter(|write| write.lane == Some(lane)).count();
        let (depth, direct) = self.lanes.get(&lane).map_or((0, false), |lane| (lane.depth, lane.direct));
        let (id, subject) = match self.target(lane, &bytes, offset) {
            Ok(target) if under_way < depth => target,
            Ok(_) => return self.end(lane, number, Err(errno::error(errno::BUSY))),
            Err(cause) => return self.end(lane, number, Err(cause)),
        };
        let verdict = self.judge_write(&subject);
        self.trace.note("submit", &subject.path, [offset, digest(&bytes)], Ok(number));
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

    fn end(&mut self, lane: u64, number: u64, result: io::Result<()>) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.done.push(Done { number, result });
        }
    }

    pub(super) fn finished(&mut self, lane: u64, wait: bool) -> Vec<Done> {
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
    pub(super) fn end_one(&mut self, lane: u64, now: bool) -> bool {
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
}

impl UnderWay {
    /// Whether it is a write that changes the place it was meant for.
    pub(super) fn happens(&self) -> bool {
        matches!(self.verdict.how, Some(How::Well | How::Failing(_)))
    }

    /// Nobody's from now on.
    pub(super) fn orphaned(self) -> Self {
        Self { lane: None, ..self }
    }
}
