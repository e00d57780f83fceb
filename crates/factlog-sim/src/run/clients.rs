//! What clients do: they ask, wait, read and follow, and what they were told is written down.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Delivery, ErrorKind, EventStore, Position, Query, StartFrom,
    Subscription, Timestamp,
};

use super::asking::Asking;
use super::truth::read_some;
use super::world::World;
use factlog_check::history::{Operation, Outcome, What};

pub(super) type Answer = BoxFuture<'static, Result<Appended, AppendError>>;

/// Somebody who asks one thing after the other.
#[derive(Default)]
pub(super) struct Client {
    /// The append that is waited for: its place in the history.
    pub(super) waiting: Option<(usize, Answer)>,
    pub(super) subscription: Option<Following>,
    head: Option<Position>,
    /// Appends to repeat.
    made: Vec<Append>,
}

pub(super) struct Following {
    number: u64,
    query: Query,
    from: StartFrom,
    stream: Subscription,
    begun: u64,
    /// Whether its first deliveries are written down.
    told: bool,
}

impl World {
    pub(super) fn client(&mut self) -> Result<(), String> {
        let who = self.rng.usize(..self.clients.len());
        if self.clients[who].waiting.is_some() {
            return self.look(who);
        }
        match self.rng.u32(..20) {
            0..12 => self.append(who),
            12..15 => self.read(who),
            15..17 => self.follow(who),
            17 => self.tracking(who),
            18 => self.head(who),
            _ => self.position_at(who),
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
    pub(super) fn look(&mut self, who: usize) -> Result<(), String> {
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
            Err(AppendError::Failed(error)) => {
                self.refused("an append", &error)?;
                self.summary.refused += 1;
                match error.kind() {
                    ErrorKind::Indeterminate => return Ok(()),
                    _ => Outcome::Refused,
                }
            }
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

    /// A head without the positions behind the log that a damaged store takes for lost: nobody was shown them.
    fn shown(&self, head: Option<Position>) -> Option<Position> {
        if self.is_damaged() { head.min(Position::new(self.truth.end())) } else { head }
    }

    fn read(&mut self, who: usize) -> Result<(), String> {
        let mut asking = self.asking(who);
        let (query, options) = (asking.query(), asking.options());
        let begun = self.tick();
        let (head, found, failed) = read_some(&self.engine(), &query, options);
        let head = self.shown(head);
        match failed {
            None => {
                self.clients[who].head = self.clients[who].head.max(head);
                self.told(who, begun, What::Read { query, options, head, found });
                Ok(())
            }
            Some(error) => {
                if !found.is_empty() {
                    // What came before the error must be right all the same.
                    let options = options.limit(found.len() as u64);
                    self.told(who, begun, What::Read { query, options, head, found });
                }
                self.refused("a read", &error)
            }
        }
    }

    fn head(&mut self, who: usize) -> Result<(), String> {
        let begun = self.tick();
        match pollster::block_on(self.engine().head()) {
            Ok(head) => {
                let found = self.shown(head.position);
                self.clients[who].head = self.clients[who].head.max(found);
                self.told(who, begun, What::Head { found });
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

    /// Asks about a time that the clock has shown, or one right before or after.
    fn position_at(&mut self, who: usize) -> Result<(), String> {
        let shown = self.times[self.rng.usize(..self.times.len())];
        let time = Timestamp::from_micros(shown + self.rng.i64(-1..=1));
        let begun = self.tick();
        match pollster::block_on(self.engine().position_at(time)) {
            Ok(found) => {
                let found = self.shown(found);
                self.told(who, begun, What::PositionAt { time, found });
                Ok(())
            }
            Err(error) => self.refused("a time", &error),
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
        let Following { number: subscription, ref query, from, .. } = following;
        if !found.is_empty() || !following.told {
            let begun = if following.told { begun } else { following.begun };
            self.told(who, begun, What::Deliveries { subscription, query: query.clone(), from, found });
            following.told = true;
        }
        if let Some(found) = caught_up {
            let begun = self.now;
            let found = self.shown(found);
            self.told(who, begun, What::CaughtUp { subscription, found });
        }
        if let Some(error) = failed {
            return self.refused("a subscription", &error);
        }
        self.clients[who].subscription = Some(following);
        Ok(())
    }
}

fn poll(stream: &mut Subscription) -> Poll<Option<factlog_core::Result<Delivery>>> {
    let next = std::pin::pin!(stream.next());
    let next: Pin<&mut dyn Future<Output = _>> = next;
    next.poll(&mut Context::from_waker(Waker::noop()))
}
