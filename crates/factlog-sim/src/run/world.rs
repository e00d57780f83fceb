//! A run as it goes: who does the next step, what crashes, and what is written down of it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use factlog_core::{Clock, EventStore};
use factlog_engine::Engine;
use factlog_engine::simulation::{Stepped, Worker};
use fastrand::Rng;

use super::asking::Asking;
use super::clients::Client;
use super::clock::SimClock;
use super::swarm::Swarm;
use super::truth::Truth;
use super::verdict::Verdict;
use super::{Kind, Plan, Summary};
use crate::disk::{Call, Cause, Fault, Names, Profile, SimDisk};
use factlog_check::history::History;

pub(super) const DIR: &str = "/store";

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) swarm: Swarm,
    pub(super) rng: Rng,
    pub(super) disk: SimDisk,
    pub(super) clock: Arc<SimClock>,
    /// Times that the clock has shown, in µs since 1970.
    pub(super) times: Vec<i64>,
    pub(super) store: Option<Stepped>,
    pub(super) clients: Vec<Client>,
    pub(super) history: History,
    pub(super) now: u64,
    pub(super) subscriptions: u64,
    /// Failed calls when the store was opened.
    pub(super) failures: u64,
    /// Whether the disk's capacity is limited, and whether it was since the store was opened.
    pub(super) capped: bool,
    pub(super) was_capped: bool,
    /// Whether the store was opened for reading only.
    pub(super) was_read_only: bool,
    pub(super) summary: Summary,
    /// What was shown so far; kept in runs with damage only.
    pub(super) truth: Truth,
    /// The harm when the store was opened.
    pub(super) verdict: Verdict,
    /// Steps until harm is mended.
    pub(super) mend_in: Option<u32>,
    /// Whether harm took what nobody could have missed, so that the run has ended.
    pub(super) is_over: bool,
    /// Whether nothing more is to be harmed.
    pub(super) is_ending: bool,
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
            times: vec![SimClock::new().now().as_micros()],
            store: None,
            clients: (0..swarm.clients).map(|_| Client::default()).collect(),
            history: History::default(),
            now: 0,
            subscriptions: 0,
            failures: 0,
            capped: false,
            was_capped: false,
            was_read_only: false,
            summary: Summary::default(),
            truth: Truth::default(),
            verdict: Verdict::default(),
            mend_in: None,
            is_over: false,
            is_ending: false,
            swarm,
        }
    }

    /// The disk, to look at its trace.
    pub(super) fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Takes all steps.
    pub(super) fn live(&mut self) -> Result<(), String> {
        self.rot(true);
        self.open()?;
        let steps = self.plan.steps.unwrap_or(self.swarm.steps);
        for _ in 0..steps {
            if self.is_over {
                return Ok(());
            }
            self.summary.steps += 1;
            self.step()?;
            if self.is_damaged() && !self.is_over {
                self.learn()?;
                self.age()?;
            }
            if self.is_over {
                // Nothing more can be asked.
            } else if self.disk.is_dead() {
                self.crash()?;
            } else if self.plan.kind == Kind::Errors && self.rng.u32(..12) == 0 {
                self.fault();
            } else if self.rng.u32(..self.swarm.crash_in) == 0 {
                if self.plan.kind == Kind::Sites || self.rng.bool() {
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
    pub(super) fn space(&mut self) {
        self.disk.set_capacity(None);
        self.capped = false;
    }

    /// Whether the disk failed since the store was opened, so that the store may refuse.
    pub(super) fn has_failed(&self) -> bool {
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
                self.times.push(self.clock.now().as_micros());
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
            if !store.is_writable() && !self.disk.is_dead() && !self.was_read_only {
                if !self.has_failed() {
                    return Err("the writer gave up though the disk was well".to_owned());
                }
                self.is_given_up()?;
                self.close()?;
                return self.open();
            }
        }
        Ok(())
    }

    /// A writer that has failed takes nothing any more, and says so at once.
    fn is_given_up(&mut self) -> Result<(), String> {
        let append = Asking { rng: &mut Rng::with_seed(self.now), swarm: &self.swarm, head: None }.append();
        let engine = self.engine();
        let mut asked = pin!(engine.append(append));
        match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(_)) => Ok(()),
            Poll::Ready(Ok(appended)) => Err(format!("a writer that had failed acknowledged {appended:?}")),
            Poll::Pending => Err("a writer that had failed lets an append wait".to_owned()),
        }
    }

    pub(super) fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    pub(super) fn engine(&self) -> Engine {
        self.store.as_ref().expect("it is open between steps").engine().clone()
    }

    /// What a client was told that it should not have been, while the disk is well.
    pub(super) fn refused(&self, what: &str, error: &factlog_core::Error) -> Result<(), String> {
        if self.disk.is_dead() || (self.has_failed() && !self.is_damaged()) {
            Ok(())
        } else if self.is_damaged() {
            if self.is_rotting() && error.to_string().contains("index") {
                // What was just built again has rotted at once.
                return Ok(());
            }
            let verdict = self.verdict.clone().since(&self.disk);
            verdict.excuses(error, true).map_err(|why| format!("{what}: {why}"))
        } else {
            Err(format!("{what} failed without a fault: {error}"))
        }
    }

    /// The process ends; what was not answered never is.
    fn crash(&mut self) -> Result<(), String> {
        self.summary.crashes += 1;
        self.end_process()?;
        self.open()
    }

    pub(super) fn end_process(&mut self) -> Result<(), String> {
        if self.is_damaged() {
            self.learn()?;
        }
        if self.plan.kind != Kind::Sites {
            self.disk.clear_faults();
        }
        self.space();
        let kind = match self.plan.kind {
            Kind::Damage if self.was_read_only => Kind::Kill,
            Kind::Errors | Kind::Damage | Kind::Sites if self.rng.bool() => Kind::Kill,
            Kind::Errors | Kind::Damage | Kind::Sites => Kind::PowerLoss,
            kind => kind,
        };
        match kind {
            Kind::Kill => self.disk.kill(),
            Kind::PowerLoss | Kind::Errors | Kind::Damage | Kind::Sites => {
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
        if self.is_damaged() { self.at_rest() } else { Ok(()) }
    }

    /// The writer does all it can, so that what it shows is known before the store is closed.
    fn settle(&mut self) -> Result<(), String> {
        let Some(store) = &mut self.store else { return Ok(()) };
        while !self.disk.is_dead() && store.step(Worker::Writer) {}
        self.learn()
    }

    pub(super) fn close(&mut self) -> Result<(), String> {
        if self.is_damaged() {
            self.settle()?;
        }
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
            return self.end_process();
        }
        if self.is_damaged() {
            closed.map_err(|error| format!("closing failed: {error}"))?;
            return self.at_rest();
        }
        closed.or_else(|error| self.refused("closing", &error))
    }
}
