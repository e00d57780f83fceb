//! A run as it goes: who does the next step, what crashes, and what is written down of it.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Delivery, ErrorKind, EventStore, Position, Query, ReadOptions,
    StartFrom, Subscription,
};
use factlog_engine::simulation::{self, Stepped, Worker};
use factlog_engine::{Engine, Extent};
use fastrand::Rng;
use uuid::Uuid;

use super::asking::Asking;
use super::clock::SimClock;
use super::swarm::Swarm;
use super::{Kind, Plan, Summary};
use crate::disk::{Call, Cause, Fault, Names, Profile, SimDisk};
use crate::history::{History, Operation, Outcome, What};

const DIR: &str = "/store";
/// Openings that may be interrupted one after the other.
const OPENINGS: u32 = 5;

type Answer = BoxFuture<'static, Result<Appended, AppendError>>;

/// Somebody who asks one thing after the other.
#[derive(Default)]
struct Client {
    /// The append that is waited for: its place in the history.
    waiting: Option<(usize, Answer)>,
    subscription: Option<Following>,
    head: Option<Position>,
    /// Appends to repeat.
    made: Vec<Append>,
}

struct Following {
    number: u64,
    query: Query,
    from: StartFrom,
    stream: Subscription,
    begun: u64,
    /// Whether its first deliveries are written down.
    told: bool,
}

pub(super) struct World {
    plan: Plan,
    swarm: Swarm,
    rng: Rng,
    disk: SimDisk,
    clock: Arc<SimClock>,
    store: Option<Stepped>,
    clients: Vec<Client>,
    history: History,
    now: u64,
    subscriptions: u64,
    summary: Summary,
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
                return Err("the writer gave up though the disk was well".to_owned());
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn engine(&self) -> Engine {
        self.store.as_ref().expect("it is open between steps").engine().clone()
    }

    /// What a client was told that it should not have been, while the disk is well.
    fn refused(&self, what: &str, error: &dyn std::fmt::Display) -> Result<(), String> {
        if self.disk.is_dead() { Ok(()) } else { Err(format!("{what} failed without a fault: {error}")) }
    }

    fn client(&mut self) -> Result<(), String> {
        let who = self.rng.usize(..self.clients.len());
        if self.clients[who].waiting.is_some() {
            return self.look(who);
        }
        match self.rng.u32(..20) {
            0..12 => self.append(who),
            12..15 => self.read(who),
            15..17 => self.follow(who),
            17 => self.tracking(who),
            _ => self.head(who),
        }
    }

    fn asking(&mut self, who: usize) -> Asking<'_> {
        Asking { rng: &mut self.rng, swarm: &self.swarm, head: self.clients[who].head }
    }

    fn append(&mut self, who: usize) -> Result<(), String> {
        let made = self.clients[who].made.len();
        let append = if made != 0 && self.rng.u32(..8) == 0 {
            let at = self.rng.usize(..made);
            self.clients[who].made[at].clone()
        } else {
            self.asking(who).append()
        };
        self.clients[who].made.push(append.clone());
        let (engine, asked) = (self.engine(), append.clone());
        let answer: Answer = Box::pin(async move { engine.append(asked).await });
        let begun = self.tick();
        let what = What::Append { append, outcome: Outcome::Unknown };
        self.history.operations.push(Operation { client: who as u32, begun, ended: None, what });
        self.clients[who].waiting = Some((self.history.operations.len() - 1, answer));
        self.look(who)
    }

    /// Asks for the answer of an append.
    fn look(&mut self, who: usize) -> Result<(), String> {
        let Some((at, answer)) = &mut self.clients[who].waiting else { return Ok(()) };
        let at = *at;
        let Poll::Ready(result) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            return Ok(());
        };
        self.clients[who].waiting = None;
        if self.disk.is_dead() {
            // The answer never left the process.
            return Ok(());
        }
        let outcome = match result {
            Ok(appended) => {
                self.clients[who].head = self.clients[who].head.max(Some(appended.last));
                self.summary.acknowledged += 1;
                Outcome::Appended(appended)
            }
            Err(AppendError::Conflict(conflict)) => {
                self.summary.conflicts += 1;
                Outcome::Conflict(conflict)
            }
            Err(AppendError::Failed(error)) if error.kind() == ErrorKind::Invalid => Outcome::Refused,
            Err(AppendError::Failed(error)) => return self.refused("an append", &error),
        };
        let ended = self.tick();
        let operation = &mut self.history.operations[at];
        operation.ended = Some(ended);
        if let What::Append { outcome: known, .. } = &mut operation.what {
            *known = outcome;
        }
        Ok(())
    }

    /// Writes down what was answered at once, unless the process did not live to tell.
    fn told(&mut self, who: usize, begun: u64, what: What) {
        if !self.disk.is_dead() {
            let ended = Some(self.tick());
            self.history.operations.push(Operation { client: who as u32, begun, ended, what });
        }
    }

    fn read(&mut self, who: usize) -> Result<(), String> {
        let mut asking = self.asking(who);
        let (query, options) = (asking.query(), asking.options());
        let begun = self.tick();
        let read = read(&self.engine(), &query, options);
        match read {
            Ok((head, found)) => {
                self.clients[who].head = self.clients[who].head.max(head);
                self.told(who, begun, What::Read { query, options, head, found });
                Ok(())
            }
            Err(error) => self.refused("a read", &error),
        }
    }

    fn head(&mut self, who: usize) -> Result<(), String> {
        let begun = self.tick();
        match pollster::block_on(self.engine().head()) {
            Ok(head) => {
                self.clients[who].head = self.clients[who].head.max(head.position);
                self.told(who, begun, What::Head { found: head.position });
                Ok(())
            }
            Err(error) => self.refused("the head", &error),
        }
    }

    fn tracking(&mut self, who: usize) -> Result<(), String> {
        let source = self.asking(who).source();
        let begun = self.tick();
        match pollster::block_on(self.engine().tracking(source.as_str())) {
            Ok(found) => {
                self.told(who, begun, What::Tracking { source, found });
                Ok(())
            }
            Err(error) => self.refused("tracking", &error),
        }
    }

    /// Takes what a subscription has to deliver, or begins one.
    fn follow(&mut self, who: usize) -> Result<(), String> {
        let begun = self.tick();
        let mut following = match self.clients[who].subscription.take() {
            Some(following) => following,
            None => {
                let mut asking = self.asking(who);
                let (query, from) = (asking.query(), asking.start());
                self.subscriptions += 1;
                let stream = self.engine().subscribe(query.clone(), from);
                Following { number: self.subscriptions, query, from, stream, begun, told: false }
            }
        };
        let (mut found, mut caught_up, mut failed) = (Vec::new(), None, None);
        for _ in 0..self.rng.u32(1..30) {
            match poll(&mut following.stream) {
                Poll::Ready(Some(Ok(Delivery::Event(event)))) => found.push(event),
                Poll::Ready(Some(Ok(Delivery::CaughtUp(head)))) => {
                    caught_up = Some(head);
                    break;
                }
                Poll::Ready(Some(Err(error))) => {
                    failed = Some(error);
                    break;
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if let Some(error) = failed {
            return self.refused("a subscription", &error);
        }
        let Following { number: subscription, ref query, from, .. } = following;
        if !found.is_empty() || !following.told {
            let begun = if following.told { begun } else { following.begun };
            self.told(who, begun, What::Deliveries { subscription, query: query.clone(), from, found });
            following.told = true;
        }
        if let Some(found) = caught_up {
            let begun = self.now;
            self.told(who, begun, What::CaughtUp { subscription, found });
        }
        self.clients[who].subscription = Some(following);
        Ok(())
    }

    /// The process ends; what was not answered never is.
    fn crash(&mut self) -> Result<(), String> {
        self.summary.crashes += 1;
        self.end_process();
        self.open()
    }

    fn end_process(&mut self) {
        self.disk.clear_faults();
        match self.plan.kind {
            Kind::Kill => self.disk.kill(),
            Kind::PowerLoss => {
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
        closed.map_err(|error| format!("closing failed without a fault: {error}"))
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
            let opened = Stepped::open(self.disk.mount(), Path::new(DIR), settings, self.clock.clone(), id);
            if self.disk.is_dead() {
                drop(opened);
                self.summary.crashes += 1;
                self.end_process();
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
        self.summary.trace = self.disk.trace_hash();
        Ok((self.history, self.summary))
    }
}

type Found = (Option<Position>, Vec<factlog_core::RecordedEvent>);

fn read(engine: &Engine, query: &Query, options: ReadOptions) -> factlog_core::Result<Found> {
    let read = pollster::block_on(engine.read(query.clone(), options).collect())?;
    Ok((read.head, read.events))
}

fn poll(stream: &mut Subscription) -> Poll<Option<factlog_core::Result<Delivery>>> {
    let next = std::pin::pin!(stream.next());
    let next: Pin<&mut dyn Future<Output = _>> = next;
    next.poll(&mut Context::from_waker(Waker::noop()))
}
