//! A worker: one thread that follows the log for one generation and the partitions it holds.
//!
//! * One commit is documents, checkpoint, parked keys and owed side effects, under the lease's epoch. Whatever is
//!   refused or fails is thrown away and read again from the committed checkpoint.
//! * The checkpoint also passes events that do not concern the worker (trap 13), in memory at once and in the sink
//!   with the next commit or when enough have passed. It comes only from what the store delivered (trap 31).
//! * It waits without timers of a runtime, so it works on whatever runtime the caller has, and on none.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{ErrorKind, EventStore, Position, Result, Timestamp};

use super::ahead::{Ahead, Far};
use super::batch::{Batch, Batches};
use super::lease::{self, Held, Terms};
use super::route::Amends;
use super::rows::{self, GenerationRow, ParkedRow};
use super::shared::{Condition, Shared};
use super::sink::{Committed, SERVING};
use super::target::{Control, Outcome, Target};
use super::waits::{Halt, Waited};
use super::{ProjectionError, commits};

/// The first and the longest pause while the store or the sink is unavailable.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How long it waits for events before it looks after leases and parked keys.
const TICK: Duration = Duration::from_millis(250);
/// How long it waits before it looks for partitions to hold, if it holds none.
const RETRY: Duration = Duration::from_millis(50);
/// How long it stands still before it looks whether it may go on.
const STILL: Duration = Duration::from_millis(10);

pub(super) struct Worker<T: Target> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) generation: u64,
    /// What it would like to hold, best first.
    slots: Vec<Range<u16>>,
    pub(super) terms: Terms,
    pub(super) halt: Arc<Halt>,
    pub(super) held: Vec<Held>,
    pub(super) row: GenerationRow,
    pub(super) serving: Option<String>,
    pub(super) parked: BTreeMap<T::Key, ParkedRow>,
    pub(super) amends: Amends,
    pub(super) folded: T::Folded,
    pub(super) outcome: Outcome<T::Key>,
    pub(super) waiting: Vec<(T::Key, Position)>,
    /// Events folded and not committed.
    pub(super) events: u64,
}

/// Why a worker does not go on for now.
pub(super) enum Ended {
    /// It was told to.
    Halted,
    /// What it knows of the sink is old.
    Reload,
    /// A commit was refused.
    Refused,
    Failed(ProjectionError),
}

impl<E: Into<ProjectionError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl<T: Target> Worker<T> {
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        generation: u64,
        slots: Vec<Range<u16>>,
        terms: Terms,
        halt: Arc<Halt>,
        row: GenerationRow,
    ) -> Self {
        Self {
            shared,
            generation,
            slots,
            terms,
            halt,
            held: Vec::new(),
            row,
            serving: None,
            parked: BTreeMap::new(),
            amends: Amends::default(),
            folded: T::Folded::default(),
            outcome: Outcome::default(),
            waiting: Vec::new(),
            events: 0,
        }
    }

    pub(super) fn run(mut self) {
        let mut pause = PAUSES.0;
        loop {
            let before = self.least();
            let ended = self.follow();
            self.forget();
            match ended {
                Ended::Halted => return self.leave(),
                Ended::Reload => {}
                Ended::Refused => match self.after_refusal() {
                    Ok(()) => {}
                    Err(error) => return self.shared.condition(self.generation, Condition::Failed(error)),
                },
                Ended::Failed(ProjectionError::Store(error)) if error.kind() == ErrorKind::Unavailable => {
                    pause = if before == self.least() { pause } else { PAUSES.0 };
                    self.shared.condition(self.generation, Condition::Waiting(error));
                    if matches!(self.halt.pause(pause), Waited::Halted) {
                        return self.leave();
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
                Ended::Failed(error) => {
                    return self.shared.condition(self.generation, Condition::Failed(error));
                }
            }
        }
    }

    pub(super) fn least(&self) -> Option<Position> {
        self.held.iter().map(|held| held.reached.position).min().flatten()
    }

    /// Follows the log until something else is to be done.
    fn follow(&mut self) -> Ended {
        match self.try_follow() {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    fn try_follow(&mut self) -> Result<std::convert::Infallible, Ended> {
        self.load()?;
        self.prove()?;
        if !self.held.is_empty() {
            self.shared.begin(self.generation);
        }
        let store = self.shared.store.clone();
        while !self.held.is_empty() {
            let far = Far {
                name: T::NAME,
                query: self.shared.query.clone(),
                types: self.shared.types.clone(),
                after: self.least(),
                head: self.ready(store.head())??.position,
            };
            if !far.is_far() {
                break;
            }
            let mut ahead = Ahead::start(store.clone(), far)?;
            while !self.step(|worker| worker.halt.wait(ahead.next(T::NAME), Some(TICK)))? {}
        }
        let deliveries = store.subscribe(self.shared.query.clone(), self.least().into());
        let mut batches = Batches::behind(deliveries);
        loop {
            self.step(|worker| match worker.held.is_empty() {
                true => worker.halt.pause(RETRY).nothing(),
                false => worker.halt.wait(batches.next(T::NAME), Some(TICK)),
            })?;
        }
    }

    /// Waits once, and does what there is to do; answers whether it has caught up with what it waits for.
    fn step(&mut self, wait: impl FnOnce(&Self) -> Waited<Result<Batch>>) -> Result<bool, Ended> {
        let mut caught_up = false;
        match wait(self) {
            Waited::Halted => {
                self.flush()?;
                return Err(Ended::Halted);
            }
            Waited::Tick => self.look_after()?,
            Waited::Ready(batch) => {
                let batch = batch?;
                caught_up = batch.caught_up;
                self.apply(&batch)?;
            }
        }
        if self.halt.take_reload() {
            self.flush()?;
            return Err(Ended::Reload);
        }
        Ok(caught_up)
    }

    /// Learns what the sink holds, and takes the partitions that can be had.
    fn load(&mut self) -> Result<(), Ended> {
        let target = &*self.shared.target;
        let now = self.shared.clock.now();
        self.stand_still(now)?;
        if self.terms.lease.is_none() && !lease::intact(target, self.generation, &self.held)? {
            return Err(lease::taken_over(T::NAME).into());
        }
        for slot in &self.slots {
            self.held = lease::acquire(target, self.generation, slot, &self.terms, &self.held, now)?;
            if !self.held.is_empty() {
                break;
            }
        }
        self.serving = target.rows(SERVING, 1)?.remove(SERVING);
        let name = rows::generation(self.generation);
        let Some(text) = target.rows(&name, 1)?.remove(&name) else {
            return Err(lease::taken_over(T::NAME).into());
        };
        self.row = rows::read(&name, &text)?;
        self.amends = commits::amends(target)?;
        self.parked = commits::parked(target, self.generation)?;
        self.shared.refresh(self.generation)?;
        self.shared.parked(self.generation, self.parked.len());
        Ok(())
    }

    /// Waits while another generation catches up with this one to be switched to.
    fn stand_still(&self, now: Timestamp) -> Result<(), Ended> {
        let name = rows::hold(self.generation);
        let Some(text) = self.shared.target.rows(&name, 1)?.remove(&name) else { return Ok(()) };
        let until: i64 = rows::read(&name, &text)?;
        if until < now.as_micros() {
            let mut control = Control::default();
            control.change(name, Some(text), None);
            // Whoever else removed it did the same.
            let (Committed::Written | Committed::Refused) = self.shared.target.write(control)?;
            return Ok(());
        }
        match self.halt.pause(STILL) {
            Waited::Halted => Err(Ended::Halted),
            Waited::Tick | Waited::Ready(()) => Err(Ended::Reload),
        }
    }

    /// Waits for the store's answer; a worker that is told to halt waits no longer.
    pub(super) fn ready<A>(&self, answer: impl Future<Output = A>) -> Result<A, Ended> {
        match self.halt.wait(answer, None) {
            Waited::Ready(answer) => Ok(answer),
            Waited::Halted | Waited::Tick => Err(Ended::Halted),
        }
    }

    /// Renews leases, takes over what nobody holds any more, and tries parked keys again.
    fn look_after(&mut self) -> Result<(), Ended> {
        let now = self.shared.clock.now();
        let covered: usize = self.held.iter().map(|held| usize::from(held.row.to - held.from)).sum();
        // Several who cut the same range at once are in each other's way once.
        if covered == 0 || (self.terms.lease.is_none() && covered < self.slots[0].len()) {
            return Err(Ended::Reload);
        }
        // Whoever was taken over from says so, also where nothing happens any more.
        if !lease::intact(&*self.shared.target, self.generation, &self.held)? {
            return Err(Ended::Refused);
        }
        if self.terms.lease.is_some() {
            let third = i64::try_from(self.terms.length().as_micros() / 3).unwrap_or(i64::MAX);
            if self.held.iter().any(|held| held.row.until - now.as_micros() < 2 * third) {
                self.flush()?;
                let target = &*self.shared.target;
                let nothing = 0..0;
                let found = lease::acquire(target, self.generation, &nothing, &self.terms, &self.held, now)?;
                if found.len() != self.held.len() {
                    self.held = found;
                    return Err(Ended::Reload);
                }
            }
        }
        self.retry_due()
    }

    /// Whether a refused commit means that this worker has lost what it held.
    fn after_refusal(&mut self) -> Result<(), ProjectionError> {
        let intact = match lease::intact(&*self.shared.target, self.generation, &self.held) {
            Ok(intact) => intact,
            Err(error) if error.kind() == ErrorKind::Unavailable => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.held.clear();
        if !intact && self.terms.lease.is_none() {
            return Err(lease::taken_over(T::NAME).into());
        }
        Ok(())
    }

    /// What was folded and not committed is read again.
    fn forget(&mut self) {
        self.folded = T::Folded::default();
        self.outcome = Outcome::default();
        self.waiting.clear();
        self.events = 0;
        for held in &mut self.held {
            held.reached = held.row.checkpoint().expect("it was written by this worker");
        }
    }

    /// Gives back what it holds: another may take it at once.
    fn leave(&mut self) {
        let mut control = Control::default();
        for mut held in mem::take(&mut self.held) {
            held.row.owner = None;
            held.row.until = self.shared.clock.now().as_micros();
            let text = rows::write(&held.row);
            control.change(rows::range(self.generation, held.from), Some(held.text), Some(text));
        }
        // A lease that is not given back ends by itself.
        let _ = self.shared.target.write(control);
    }
}
