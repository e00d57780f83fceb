//! A worker: one thread that follows the log for one generation and the partitions it holds.
//!
//! * One commit is documents, checkpoint, parked keys and owed side effects, under the lease's epoch. Whatever is
//!   refused or fails is thrown away and read again from the committed checkpoint.
//! * The checkpoint also passes events that do not concern the worker (trap 13), in memory at once and in the sink
//!   with the next commit or when enough have passed. It comes only from what the store delivered (trap 31).
//! * It waits without timers of a runtime, so it works on whatever runtime the caller has, and on none.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{ErrorKind, EventStore, Position, Result, Timestamp};

use super::ProjectionError;
use super::ahead::{self, Ahead, Far};
use super::batch::Batches;
use super::board::Condition;
use super::commits::ParkedKeys;
use super::lease::{Held, Terms};
use super::route::{Amends, PieceOf};
use super::rows::GenerationRow;
use super::shared::Shared;
use super::target::{Outcome, Target};
use super::waits::{Halt, Waited};

/// The first and the longest pause while the store or the sink is unavailable.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How often it looks after leases and parked keys, whether there are events or not.
pub(super) const TICK: Duration = Duration::from_millis(250);
/// How long it waits before it looks for partitions to hold, if it holds none.
const RETRY: Duration = Duration::from_millis(50);

pub(super) struct Worker<T: Target> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) generation: u64,
    /// Its number among the workers of the generation in this program.
    pub(super) index: u16,
    /// What it would like to hold, best first.
    pub(super) slots: Vec<Range<u16>>,
    pub(super) terms: Terms,
    pub(super) halt: Arc<Halt>,
    pub(super) held: Vec<Held>,
    pub(super) row: GenerationRow,
    pub(super) serving: Option<String>,
    /// Those of the partitions it holds.
    pub(super) parked: ParkedKeys<T::Key>,
    pub(super) amends: Arc<Amends>,
    pub(super) folded: T::Folded,
    pub(super) outcome: Outcome<T::Key>,
    pub(super) waiting: Vec<(T::Key, Position)>,
    /// Events folded and not committed, whether they are to be, and when the last of them was recorded.
    pub(super) events: u64,
    pub(super) due: bool,
    /// Whether the last of them ends an append, as far as can be told.
    pub(super) whole: bool,
    pub(super) time: Option<Timestamp>,
    pub(super) committed_at: Timestamp,
    pub(super) looked_at: Timestamp,
}

/// Why a worker does not go on for now.
pub(super) enum Ended {
    /// It was told to.
    Halted,
    /// What it knows of the sink is old.
    Reload,
    /// A commit was refused.
    Refused,
    /// Another program runs the read model now.
    TakenOver,
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
        (generation, index): (u64, u16),
        slots: Vec<Range<u16>>,
        terms: Terms,
        halt: Arc<Halt>,
        row: GenerationRow,
    ) -> Self {
        let committed_at = shared.clock.now();
        Self {
            shared,
            generation,
            index,
            slots,
            terms,
            halt,
            held: Vec::new(),
            row,
            serving: None,
            parked: ParkedKeys::new(),
            amends: Arc::default(),
            folded: T::Folded::default(),
            outcome: Outcome::default(),
            waiting: Vec::new(),
            events: 0,
            due: false,
            whole: true,
            time: None,
            committed_at,
            looked_at: committed_at,
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
                    Ok(true) => {}
                    Ok(false) => return self.end(Condition::TakenOver),
                    Err(error) => return self.end(Condition::Failed(error)),
                },
                Ended::TakenOver => return self.end(Condition::TakenOver),
                Ended::Failed(ProjectionError::Store(error)) if error.kind() == ErrorKind::Unavailable => {
                    pause = if before == self.least() { pause } else { PAUSES.0 };
                    self.shared.condition(self.generation, self.index, Condition::Waiting(error));
                    if matches!(self.halt.pause(pause), Waited::Halted) {
                        return self.leave();
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
                Ended::Failed(error) => {
                    return self.end(Condition::Failed(error));
                }
            }
        }
    }

    fn end(&self, condition: Condition) {
        self.shared.condition(self.generation, self.index, condition);
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
        self.shared.begin(self.generation, self.index, !self.held.is_empty());
        while let Some(mut ahead) = self.ahead()? {
            let mut ended = false;
            while !ended {
                let waited = self.halt.wait(ahead.next(), Some(TICK));
                self.step(waited, |worker, (lane, piece): (usize, PieceOf<T>)| {
                    ended = ahead.head <= piece.head;
                    ahead.give_back(lane, worker.fold(piece)?);
                    Ok(())
                })?;
            }
        }
        let deliveries = self.shared.store.subscribe(self.shared.query.clone(), self.least().into());
        let mut batches = Batches::new(deliveries);
        loop {
            let waited = match self.held.is_empty() {
                true => self.halt.pause(RETRY).nothing(),
                false => self.halt.wait(batches.next(T::NAME), Some(TICK)),
            };
            self.step(waited, Self::apply)?;
        }
    }

    /// Threads that read, where it is far behind.
    fn ahead(&self) -> Result<Option<Ahead<T>>, Ended> {
        let shared = &self.shared;
        let (after, head) = (self.least(), self.ready(shared.store.head())??.position);
        if self.held.is_empty() || !ahead::is_far(after, head) {
            return Ok(None);
        }
        let far = Far {
            target: shared.target.clone(),
            store: shared.store.clone(),
            query: shared.query.clone(),
            types: shared.types.clone(),
            route: self.route(),
            after,
            head,
            threads: shared.settings.threads(),
            dense: self.ready(ahead::dense(&*shared.store, &shared.types, after))??,
        };
        Ok(Some(Ahead::start(far)?))
    }

    /// Does what there is to do after a wait.
    fn step<A, E: Into<ProjectionError>>(
        &mut self,
        waited: Waited<Result<A, E>>,
        work: impl FnOnce(&mut Self, A) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        match waited {
            Waited::Halted => {
                self.flush_whole()?;
                return Err(Ended::Halted);
            }
            Waited::Tick => self.upkeep(true)?,
            Waited::Ready(found) => {
                work(self, found?)?;
                self.upkeep(false)?;
            }
        }
        if self.halt.take_reload() {
            self.flush_whole()?;
            return Err(Ended::Reload);
        }
        Ok(())
    }

    /// Waits for the store's answer; a worker that is told to halt waits no longer.
    pub(super) fn ready<A>(&self, answer: impl Future<Output = A>) -> Result<A, Ended> {
        match self.halt.wait(answer, None) {
            Waited::Ready(answer) => Ok(answer),
            Waited::Halted | Waited::Tick => Err(Ended::Halted),
        }
    }

    /// What was folded and not committed is read again.
    fn forget(&mut self) {
        self.shared.leave(self.generation, &self.held);
        self.folded = T::Folded::default();
        self.outcome = Outcome::default();
        self.waiting.clear();
        self.events = 0;
        self.due = false;
        for held in &mut self.held {
            held.reached = held.row.checkpoint().expect("it was written by this worker");
        }
    }
}
