//! A run as it goes: who does the next step, what crashes, and what is written down of it.

use std::path::Path;
use std::sync::Arc;

use factlog_core::{EventStore, Position, Query, ReadOptions};
use factlog_engine::simulation::{self, Stepped, Worker};
use factlog_engine::{Engine, Extent};
use fastrand::Rng;
use uuid::Uuid;

use super::clients::Client;
use super::clock::SimClock;
use super::swarm::Swarm;
use super::{Kind, Plan, Summary};
use crate::disk::{Call, Cause, Fault, Names, Profile, SimDisk};
use factlog_check::history::History;

const DIR: &str = "/store";
/// Openings that may be interrupted one after the other.
const OPENINGS: u32 = 5;

pub(super) struct World {
    plan: Plan,
    pub(super) swarm: Swarm,
    pub(super) rng: Rng,
    pub(super) disk: SimDisk,
    clock: Arc<SimClock>,
    store: Option<Stepped>,
    pub(super) clients: Vec<Client>,
    pub(super) history: History,
    pub(super) now: u64,
    pub(super) subscriptions: u64,
    /// Failed calls when the store was opened.
    failures: u64,
    /// Whether the disk's capacity is limited, and whether it was since the store was opened.
    capped: bool,
    was_capped: bool,
    pub(super) summary: Summary,
}

impl World {
    pub(super) fn new(plan: Plan, swarm: Swarm) -> Self {
        let disk = SimDisk::new(plan.seed);
        disk.set_latency(swarm.latency);
        Self {
            plan,
            rng: Rng::with_seed(plan.seed),
            disk,
            clock: Arc::new(SimClock::new()),
            store: None,
            clients: (0..swarm.clients).map(|_| Client::default()).collect(),
            history: History::default(),
            now: 0,
            subscriptions: 0,
            failures: 0,
            capped: false,
            was_capped: false,
            summary: Summary::default(),
            swarm,
        }
    }

    /// The disk, to look at its trace.
    pub(super) fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Takes all steps.
    pub(super) fn live(&mut self) -> Result<(), String> {
        self.open()?;
        let steps = self.plan.steps.unwrap_or(self.swarm.steps);
        for _ in 0..steps {
            self.summary.steps += 1;
            self.step()?;
            if self.disk.is_dead() {
                self.crash()?;
            } else if self.plan.kind == Kind::Errors && self.rng.u32(..12) == 0 {
                self.fault();
            } else if self.rng.u32(..self.swarm.crash_in) == 0 {
                if self.rng.bool() {
                    self.crash()?;
                } else {
                    // In the middle of a call, soon.
                    let nth = self.rng.u64(1..40);
                    self.disk.add_fault(Fault::once(Call::CHANGING, nth).with(Cause::Death));
                }
            }
        }
        Ok(())
    }

    /// Something is going to fail, once or for a while.
    fn fault(&mut self) {
        let nth = self.rng.u64(1..20);
        match self.rng.u32(..6) {
            0 => self.disk.add_fault(Fault::from_then_on(Call::CHANGING, nth)),
            1 => self.disk.add_fault(Fault::once(Call::CHANGING, nth).with(Cause::Full)),
            2 => {
                let room = self.rng.u64(..100_000);
                self.disk.set_capacity(Some(self.disk.used() + room));
                (self.capped, self.was_capped) = (true, true);
            }
            3 => self.disk.clear_faults(),
            4 => self.space(),
            _ => self.disk.add_fault(Fault::once(Call::CHANGING, nth)),
        }
    }

    /// There is as much room as anybody likes.
    fn space(&mut self) {
        self.disk.set_capacity(None);
        self.capped = false;
    }

    /// Whether the disk failed since the store was opened, so that the store may refuse.
    fn has_failed(&self) -> bool {
        self.failures < self.disk.fired() || self.was_capped
    }

    fn step(&mut self) -> Result<(), String> {
        let weights = self.swarm.weights;
        let shares =
            [weights.client, weights.writer, weights.sealer, weights.indexer, weights.clock, weights.close];
        let mut at = self.rng.u32(..shares.iter().sum::<u32>());
        let which = shares.iter().position(|&share| {
            let here = at < share;
            at = at.saturating_sub(share);
            here
        });
        match which {
            Some(0) => self.client(),
            Some(1) => self.work(Worker::Writer),
            Some(2) => self.work(Worker::Sealer),
            Some(3) => self.work(Worker::Indexer),
            Some(4) => {
                let most = if self.rng.u32(..8) == 0 { 1 << 50 } else { 5_000_000 };
                self.clock.jump(self.rng.i64(-most..most));
                Ok(())
            }
            _ => self.close().and_then(|()| self.open()),
        }
    }

    fn work(&mut self, worker: Worker) -> Result<(), String> {
        let company = self.rng.u32(..4) < self.swarm.company;
        if let Some(store) = &mut self.store {
            store.expect_company(company);
            store.step(worker);
            if !store.is_writable() && !self.disk.is_dead() {
                if !self.has_failed() {
                    return Err("the writer gave up though the disk was well".to_owned());
                }
                self.close()?;
                return self.open();
            }
        }
        Ok(())
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    pub(super) fn engine(&self) -> Engine {
        self.store.as_ref().expect("it is open between steps").engine().clone()
    }

    /// What a client was told that it should not have been, while the disk is well.
    pub(super) fn refused(&self, what: &str, error: &dyn std::fmt::Display) -> Result<(), String> {
        if self.disk.is_dead() || self.has_failed() {
            Ok(())
        } else {
            Err(format!("{what} failed without a fault: {error}"))
        }
    }

    /// The process ends; what was not answered never is.
    fn crash(&mut self) -> Result<(), String> {
        self.summary.crashes += 1;
        self.end_process();
        self.open()
    }

    fn end_process(&mut self) {
        self.disk.clear_faults();
        self.space();
        let kind = match self.plan.kind {
            Kind::Errors if self.rng.bool() => Kind::Kill,
            Kind::Errors => Kind::PowerLoss,
            kind => kind,
        };
        match kind {
            Kind::Kill => self.disk.kill(),
            Kind::PowerLoss | Kind::Errors => {
                let names = if self.rng.bool() { Names::Any } else { Names::Ordered };
                let garbage = self.rng.bool();
                self.disk.power_loss(Profile { names, garbage });
            }
        }
        for client in &mut self.clients {
            client.subscription = None;
            self.summary.unknown += u64::from(client.waiting.take().is_some());
        }
        self.store = None;
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(store) = self.store.take() else { return Ok(()) };
        let closed = store.close();
        // Every append has its answer now.
        for who in 0..self.clients.len() {
            self.look(who)?;
            if self.clients[who].waiting.take().is_some() && !self.disk.is_dead() {
                return Err("closing left an append without an answer".to_owned());
            }
            self.clients[who].subscription = None;
        }
        if self.disk.is_dead() {
            self.summary.crashes += 1;
            self.end_process();
            return Ok(());
        }
        closed.or_else(|error| self.refused("closing", &error))
    }

    /// Opens the store; that may be interrupted too.
    fn open(&mut self) -> Result<(), String> {
        for opening in 0..=OPENINGS {
            if opening < OPENINGS && self.rng.u32(..4) == 0 {
                let nth = self.rng.u64(1..30);
                self.disk.add_fault(Fault::once(Call::CHANGING, nth).with(Cause::Death));
            }
            let id = Uuid::from_u128(u128::from(self.plan.seed) << 64 | 7);
            let settings = self.swarm.settings.clone();
            self.failures = self.disk.fired();
            self.was_capped = self.capped;
            let opened = Stepped::open(self.disk.mount(), Path::new(DIR), settings, self.clock.clone(), id);
            if self.disk.is_dead() {
                drop(opened);
                self.summary.crashes += 1;
                self.end_process();
                continue;
            }
            if let (Err(_), true) = (&opened, self.has_failed()) {
                // Somebody mends the disk, and tries again.
                self.disk.clear_faults();
                self.space();
                continue;
            }
            let store = opened.map_err(|error| format!("opening failed without a fault: {error}"))?;
            let damage = store.engine().damage();
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
        self.close()?;
        self.disk.clear_faults();
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
