//! How a run's store is opened, closed for good, and read at the end.

use std::path::Path;

use factlog_core::{EventStore, Position, Query, ReadOptions};
use factlog_engine::simulation::{self, Stepped};
use factlog_engine::{Engine, Extent};
use uuid::Uuid;

use super::verdict::Verdict;
use super::world::{DIR, World};
use super::{Kind, Summary};
use crate::disk::{Call, Cause, Fault};
use factlog_check::history::History;

/// Openings that may be interrupted one after the other.
const OPENINGS: u32 = 5;

impl World {
    /// Opens the store; that may be interrupted too.
    pub(super) fn open(&mut self) -> Result<(), String> {
        for opening in 0..=OPENINGS {
            if opening < OPENINGS
                && !self.is_ending
                && self.plan.kind != Kind::Sites
                && self.rng.u32(..4) == 0
            {
                let nth = self.rng.u64(1..30);
                self.disk.add_fault(Fault::once(Call::CHANGING, nth).with(Cause::Death));
            }
            let id = Uuid::from_u128(u128::from(self.plan.seed) << 64 | 7);
            let settings = self.swarm.settings.clone();
            self.failures = self.disk.fired();
            self.was_capped = self.capped;
            let before = self.is_damaged().then(|| Verdict::of(&self.disk));
            let opened = Stepped::open(self.disk.mount(), Path::new(DIR), settings, self.clock.clone(), id);
            if self.disk.is_dead() {
                drop(opened);
                self.summary.crashes += 1;
                self.end_process()?;
                continue;
            }
            if let Some(before) = before {
                if self.opened(before, opened)? {
                    return Ok(());
                }
                continue;
            }
            if let (Err(_), true) = (&opened, self.has_failed()) {
                // Somebody mends the disk, and tries again.
                if self.plan.kind != Kind::Sites {
                    self.disk.clear_faults();
                }
                self.space();
                continue;
            }
            let store = opened.map_err(|error| format!("opening failed without a fault: {error}"))?;
            let damage = store.engine().damage();
            if self.plan.kind == Kind::Sites && self.has_failed() && !store.is_writable() {
                // What could not be read just now may be damaged for all the store knows; nothing is written.
                continue;
            }
            if let Some(damage) = damage.iter().find(|damage| damage.first.is_some() || !store.is_writable())
            {
                return Err(format!("opening found damage that was not done: {damage}"));
            }
            self.store = Some(store);
            return Ok(());
        }
        Err("the store was never open".to_owned())
    }

    /// Closes, verifies, opens once more and reads everything.
    pub(super) fn finish(mut self) -> Result<(History, Summary), String> {
        self.disk.clear_faults();
        self.space();
        self.rot(false);
        if !self.is_over {
            self.close()?;
        }
        self.disk.clear_faults();
        if self.is_damaged() && !self.is_over {
            self.heal()?;
        }
        if self.is_over {
            self.history.log = std::mem::take(&mut self.truth.log);
            self.summary.excused = 1;
            self.summary.events = self.history.log.len() as u64;
            self.summary.trace = self.disk.trace_hash();
            return Ok((self.history, self.summary));
        }
        let report = simulation::verify(&*self.disk.mount(), Path::new(DIR), Extent::Full)
            .map_err(|error| format!("the store cannot be verified: {error}"))?;
        if let Some(damage) = report.damage.first() {
            return Err(format!("verifying found damage that was not done: {damage}"));
        }
        let id = Uuid::nil();
        let settings = self.swarm.settings.clone();
        let store = Stepped::open(self.disk.mount(), Path::new(DIR), settings, self.clock.clone(), id);
        let store = store.map_err(|error| format!("the last opening failed: {error}"))?;
        let (_, log) = read(store.engine(), &Query::All, ReadOptions::default())
            .map_err(|error| format!("the log cannot be read: {error}"))?;
        self.summary.events = log.len() as u64;
        self.summary.segments = report.segments;
        self.history.log = log;
        store.close().map_err(|error| format!("the last closing failed: {error}"))?;
        self.summary.failures = self.disk.fired();
        self.summary.trace = self.disk.trace_hash();
        Ok((self.history, self.summary))
    }
}

pub(super) type Found = (Option<Position>, Vec<factlog_core::RecordedEvent>);

pub(super) fn read(engine: &Engine, query: &Query, options: ReadOptions) -> factlog_core::Result<Found> {
    let read = pollster::block_on(engine.read(query.clone(), options).collect())?;
    Ok((read.head, read.events))
}
