//! Histories that are right by construction: clients whose steps are interleaved, over the reference store.
//!
//! A question is asked in one step, answered by the store in a later one and heard in a third, so that all that
//! overlaps in a history was decided at one instant within. Some answers are lost, with or without effect, and some
//! lost appends take effect long after everybody stopped waiting for them.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use factlog_core::{
    Append, AppendError, Clock, Delivery, ErrorKind, EventStore, MemoryStore, Position, Query, ReadOptions,
    StartFrom, Subscription, Timestamp,
};
use fastrand::Rng;
use parking_lot::Mutex;
use pollster::block_on;

use super::append_of;
use super::questions::{self, Asker};
use crate::history::{History, Operation, Outcome, What};

pub(super) const CLIENTS: usize = 4;

/// A step: which client, and what it draws from.
pub(super) type Step = (u8, u64);

/// What a run asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mix {
    Everything,
    /// What the search for an order knows.
    WithoutSubscriptions,
}

/// The history of these steps, with at most `most` operations.
pub(super) fn history(steps: &[Step], mix: Mix, most: usize) -> History {
    let mut world = World::new(mix);
    for &(client, draw) in steps {
        world.moment += 1;
        world.step(client as usize % CLIENTS, &mut Rng::with_seed(draw), most);
    }
    world.end()
}

/// A history from one seed.
pub(super) fn seeded(seed: u64, mix: Mix, steps: usize, most: usize) -> History {
    let mut rng = Rng::with_seed(seed);
    let steps: Vec<Step> = (0..steps).map(|_| (rng.u8(..), rng.u64(..))).collect();
    history(&steps, mix, most)
}

#[derive(Debug)]
struct Ticking(Mutex<i64>);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        let mut now = self.0.lock();
        *now += 1;
        Timestamp::from_micros(*now)
    }
}

/// What a client waits for.
#[derive(Clone, Copy, Debug)]
enum Waits {
    Nothing,
    ForStore(usize, Fate),
    ForAnswer(usize),
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Heard,
    Lost,
    LostWithoutEffect,
    Late,
}

struct Followed {
    query: Query,
    from: StartFrom,
    deliveries: Option<Subscription>,
}

struct World {
    store: MemoryStore,
    mix: Mix,
    moment: u64,
    clients: [Waits; CLIENTS],
    late: Vec<usize>,
    asker: Asker,
    /// One for each client.
    subscriptions: [Option<Followed>; CLIENTS],
    history: History,
    /// What the last read said: what conditions are about.
    head: Option<Position>,
}

impl World {
    fn new(mix: Mix) -> Self {
        Self {
            store: MemoryStore::with_clock(Arc::new(Ticking(Mutex::new(0)))),
            mix,
            moment: 0,
            clients: [Waits::Nothing; CLIENTS],
            late: Vec::new(),
            asker: Asker::default(),
            subscriptions: [const { None }; CLIENTS],
            history: History::default(),
            head: None,
        }
    }

    fn step(&mut self, client: usize, rng: &mut Rng, most: usize) {
        if !self.late.is_empty() && rng.u8(..4) == 0 {
            let at = self.late.swap_remove(rng.usize(..self.late.len()));
            self.perform(at, rng);
            self.set_outcome(at, Outcome::Unknown);
            return;
        }
        self.clients[client] = match self.clients[client] {
            Waits::Nothing if self.history.operations.len() < most => {
                let what = self.question(client, rng);
                let is_append = matches!(what, What::Append { .. });
                let fate = match rng.u8(..12) {
                    0 if is_append => Fate::Lost,
                    1 if is_append => Fate::LostWithoutEffect,
                    2 if is_append => Fate::Late,
                    _ => Fate::Heard,
                };
                let client = client as u32;
                self.history.operations.push(Operation { client, begun: self.moment, ended: None, what });
                Waits::ForStore(self.history.operations.len() - 1, fate)
            }
            Waits::Nothing => Waits::Nothing,
            Waits::ForStore(at, fate) => {
                match fate {
                    Fate::Heard | Fate::Lost => self.perform(at, rng),
                    Fate::LostWithoutEffect => {}
                    Fate::Late => self.late.push(at),
                }
                if fate != Fate::Heard {
                    self.set_outcome(at, Outcome::Unknown);
                }
                Waits::ForAnswer(at)
            }
            Waits::ForAnswer(at) => {
                let operation = &mut self.history.operations[at];
                let is_unknown = append_of(operation).is_some_and(|(_, it)| matches!(it, Outcome::Unknown));
                // Of a lost answer it may never be known that it is lost.
                operation.ended = (!is_unknown || rng.bool()).then_some(self.moment);
                Waits::Nothing
            }
        };
    }

    /// Whoever still waits will never know.
    fn end(mut self) -> History {
        for waits in self.clients {
            if let Waits::ForStore(at, _) | Waits::ForAnswer(at) = waits {
                self.set_outcome(at, Outcome::Unknown);
            }
        }
        let read = block_on(self.store.read(Query::All, ReadOptions::default()).collect());
        self.history.log = read.expect("the store is open").events;
        self.history
    }

    fn question(&mut self, client: usize, rng: &mut Rng) -> What {
        let about = match self.mix {
            Mix::Everything => 12,
            Mix::WithoutSubscriptions => 9,
        };
        match rng.u8(..about) {
            0..5 => {
                let append = self.asker.append(&self.history, self.head, rng);
                What::Append { append, outcome: Outcome::Unknown }
            }
            5..7 => {
                let (query, options) = questions::read(rng);
                What::Read { query, options, head: None, found: Vec::new() }
            }
            7 => What::Head { found: None },
            8 => What::Tracking { source: questions::source(rng), found: None },
            9 => What::PositionAt { time: Timestamp::from_micros(rng.i64(0..40)), found: None },
            10.. => {
                let its = self.subscriptions[client].get_or_insert_with(|| Followed {
                    query: questions::query(rng),
                    from: questions::start(self.head, rng),
                    deliveries: None,
                });
                let (subscription, query, from) = (client as u64, its.query.clone(), its.from);
                What::Deliveries { subscription, query, from, found: Vec::new() }
            }
        }
    }

    fn set_outcome(&mut self, at: usize, to: Outcome) {
        if let What::Append { outcome, .. } = &mut self.history.operations[at].what {
            *outcome = to;
        }
    }

    /// The store answers.
    fn perform(&mut self, at: usize, rng: &mut Rng) {
        let (store, known) = (&self.store, &mut self.head);
        match &mut self.history.operations[at].what {
            What::Append { append, outcome } => *outcome = outcome_of(store, append.clone()),
            What::Read { query, options, head, found } => {
                let read = block_on(store.read(query.clone(), *options).collect()).expect("a sound read");
                (*head, *found) = (read.head, read.events);
                *known = read.head;
            }
            What::Head { found } => *found = block_on(store.head()).expect("the store is open").position,
            What::Tracking { source, found } => {
                *found = block_on(store.tracking(source.as_str())).expect("the store is open");
            }
            What::PositionAt { time, found } => {
                *found = block_on(store.position_at(*time)).expect("the store is open");
            }
            What::Deliveries { .. } => self.deliver(at, rng.u8(1..4)),
            What::CaughtUp { .. } => {}
        }
    }

    /// So many events, or fewer if it catches up before, which is an operation of its own.
    fn deliver(&mut self, at: usize, most: u8) {
        let Operation { client, what, .. } = &mut self.history.operations[at];
        let What::Deliveries { subscription, found, .. } = what else { return };
        let (client, subscription) = (*client, *subscription);
        let Some(followed) = &mut self.subscriptions[client as usize] else { return };
        let deliveries = followed
            .deliveries
            .get_or_insert_with(|| self.store.subscribe(followed.query.clone(), followed.from));
        let mut caught_up = None;
        for _ in 0..most {
            match next(deliveries) {
                Some(Delivery::Event(event)) => found.push(event),
                Some(Delivery::CaughtUp(head)) => {
                    caught_up = Some(What::CaughtUp { subscription, found: head });
                    break;
                }
                None => break,
            }
        }
        if let Some(what) = caught_up {
            let (begun, ended) = (self.moment, Some(self.moment));
            self.history.operations.push(Operation { client, begun, ended, what });
        }
    }
}

fn outcome_of(store: &MemoryStore, append: Append) -> Outcome {
    match block_on(store.append(append)) {
        Ok(appended) => Outcome::Appended(appended),
        Err(AppendError::Conflict(conflict)) => Outcome::Conflict(conflict),
        Err(AppendError::Failed(error)) => {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            Outcome::Refused
        }
    }
}

fn next(subscription: &mut Subscription) -> Option<Delivery> {
    let next = pin!(subscription.next());
    match next.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(delivery) => Some(delivery.expect("it never ends").expect("the store is open")),
        Poll::Pending => None,
    }
}
