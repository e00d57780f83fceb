//! What clients do: writers append, readers look around, followers follow.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use factlog_core::{
    Delivery, Error, ErrorKind, EventStore, Position, Query, ReadOptions, RecordedEvent, Subscription,
};
use fastrand::Rng;

use super::{Shared, WorkerArguments};
use crate::asking::{Knowledge, number};
use crate::told::{Answer, Found, Line, Question, Refusal};

/// Appends that are kept to be repeated.
const REPEATS_MAX: usize = 1_000;
/// Readers take breaths: they are quicker than writers, and everything they find is told.
const BREATH: Duration = Duration::from_millis(2);
const STACK_BYTES: usize = 512 << 10;
/// After a refusal.
const PAUSE: Duration = Duration::from_millis(20);

/// The threads of all clients.
pub(super) struct Clients {
    /// Those that end when they are told to stop.
    pub(super) askers: Vec<JoinHandle<()>>,
    /// Those that end with the store.
    pub(super) followers: Vec<JoinHandle<()>>,
}

impl Clients {
    pub(super) fn start(shared: &Arc<Shared>, arguments: &WorkerArguments) -> Self {
        let WorkerArguments { writers, readers, followers, .. } = *arguments;
        let start = |number: u32, live: fn(Client)| {
            let shared = shared.clone();
            spawn(move || live(Client::new(shared, number)))
        };
        let writing = (0..writers).map(|client| start(client, Client::write));
        let reading = (0..readers).map(|client| start(writers + client, Client::look));
        let askers = writing.chain(reading).collect();
        let follow = |follower: u32| {
            let shared = shared.clone();
            let number = writers + readers + follower;
            spawn(move || Client::new(shared, number).follow(follower as usize))
        };
        Self { askers, followers: (0..followers).map(follow).collect() }
    }
}

/// A thread with a small stack, since memory may be short.
fn spawn(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work);
    thread.expect("a process that may have a store may have clients")
}

struct Client {
    shared: Arc<Shared>,
    number: u32,
    rng: Rng,
    asked: u32,
    /// The highest head that it was told.
    head: u64,
    /// The last revision that it was told of each stream.
    revisions: HashMap<String, u64>,
}

impl Client {
    fn new(shared: Arc<Shared>, client: u32) -> Self {
        let rng = Rng::with_seed(number(shared.life, client, 0));
        Self { shared, number: client, rng, asked: 0, head: 0, revisions: HashMap::new() }
    }

    fn next_number(&mut self) -> u64 {
        self.asked += 1;
        number(self.shared.life, self.number, self.asked)
    }

    fn is_told_to_stop(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn ask(&self, question: &Question) {
        self.shared.teller.tell(&Line::Asked(self.number, question.clone()));
    }

    fn answer(&self, answer: Answer) {
        let refused = matches!(answer, Answer::Refused(_));
        self.shared.teller.tell(&Line::Answered(self.number, answer));
        if refused {
            std::thread::sleep(PAUSE);
        }
    }

    fn write(mut self) {
        self.ask_for_the_head();
        while !self.is_told_to_stop() {
            self.append();
        }
    }

    fn append(&mut self) {
        let question = self.draw();
        let Question::Append { number, head, revision } = question else { return };
        let append = self.shared.world.append(number, Knowledge { head, revision });
        self.ask(&question);
        let result = pollster::block_on(self.shared.engine.append(append));
        if let Ok(appended) = &result {
            self.head = self.head.max(appended.last.get());
            for at in &appended.revisions {
                self.revisions.insert(at.stream.as_str().to_owned(), at.revision.get());
            }
        }
        self.answer(Answer::of_append(result));
    }

    /// A new append, or one that somebody asked for already, perhaps in another life.
    fn draw(&mut self) -> Question {
        let mut repeats = self.shared.repeats.lock();
        if !repeats.is_empty() && self.rng.u32(..8) == 0 {
            return repeats[self.rng.usize(..repeats.len())].clone();
        }
        drop(repeats);
        let number = self.next_number();
        let subject = self.shared.world.subject(number);
        let revision = self.revisions.get(subject.as_str()).copied();
        let question = Question::Append { number, head: self.head, revision };
        repeats = self.shared.repeats.lock();
        if repeats.len() < REPEATS_MAX {
            repeats.push(question.clone());
        } else {
            let at = self.rng.usize(..REPEATS_MAX);
            repeats[at] = question.clone();
        }
        question
    }

    fn look(mut self) {
        while !self.is_told_to_stop() {
            match self.rng.u32(..5) {
                0 => self.ask_for_the_head(),
                1 => self.ask_for_tracking(),
                _ => self.read(),
            }
            std::thread::sleep(BREATH);
        }
    }

    fn ask_for_the_head(&mut self) {
        self.ask(&Question::Head);
        let head = pollster::block_on(self.shared.engine.head());
        if let Ok(head) = &head {
            self.head = self.head.max(Position::number(head.position));
        }
        self.answer(Answer::of_position(head.map(|head| head.position)));
    }

    fn ask_for_tracking(&mut self) {
        let number = self.next_number();
        let source = self.shared.world.source(number);
        self.ask(&Question::Tracking { number });
        let found = pollster::block_on(self.shared.engine.tracking(source.as_str()));
        self.answer(Answer::of_position(found));
    }

    fn read(&mut self) {
        let (number, head) = (self.next_number(), self.head);
        let (query, options) = self.shared.world.read(number, head);
        self.ask(&Question::Read { number, head });
        let answer = match self.collect(query, options) {
            Ok((head, found)) => {
                self.head = self.head.max(head);
                Answer::Read { head, found: found.iter().map(Found::of).collect() }
            }
            Err(error) => Answer::Refused(Refusal::of(&error)),
        };
        self.answer(answer);
    }

    fn collect(&self, query: Query, options: ReadOptions) -> factlog_core::Result<(u64, Vec<RecordedEvent>)> {
        let read = pollster::block_on(self.shared.engine.read(query, options).collect())?;
        Ok((Position::number(read.head), read.events))
    }

    /// Follows one subscription after the other, until the store is closed.
    fn follow(mut self, follower: usize) {
        loop {
            self.shared.arrived[follower].store(0, Ordering::Release);
            let (number, head) = (self.next_number(), self.head);
            let (query, from) = self.shared.world.follow(number, head);
            self.ask(&Question::Follow { number, head });
            let subscription = self.shared.engine.subscribe(query, from);
            let mut following = Following { subscription, failed: None };
            let mut left = self.rng.u32(20..200);
            loop {
                match following.deliveries(self.rng.usize(1..40)) {
                    Ok((found, caught_up)) => {
                        let found = found.iter().map(Found::of).collect();
                        self.answer(Answer::Delivered { found, caught_up });
                        if let Some(upto) = caught_up {
                            self.head = self.head.max(upto);
                            self.shared.arrived[follower].store(upto, Ordering::Release);
                        }
                    }
                    Err(error) => {
                        let is_over = error.kind() == ErrorKind::Closed;
                        self.answer(Answer::Refused(Refusal::of(&error)));
                        if is_over {
                            return self.shared.arrived[follower].store(u64::MAX, Ordering::Release);
                        }
                        break;
                    }
                }
                left = left.saturating_sub(1);
                // At the end all subscriptions must arrive: none is left any more.
                if left == 0 && !self.is_told_to_stop() {
                    break;
                }
                self.ask(&Question::Next { number });
            }
        }
    }
}

struct Following {
    subscription: Subscription,
    /// What ended it, to be told when the deliveries before it have been.
    failed: Option<Error>,
}

impl Following {
    /// Waits for the next delivery and takes what else is there, until the subscription has caught up.
    fn deliveries(&mut self, most: usize) -> Result<(Vec<RecordedEvent>, Option<u64>), Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut found = Vec::new();
        let mut next = pollster::block_on(self.subscription.next());
        loop {
            match next {
                Some(Ok(Delivery::Event(event))) => found.push(event),
                Some(Ok(Delivery::CaughtUp(head))) => return Ok((found, Some(Position::number(head)))),
                Some(Err(error)) if found.is_empty() => return Err(error),
                Some(Err(error)) => {
                    self.failed = Some(error);
                    return Ok((found, None));
                }
                None => return Err(Error::closed("the subscription ended without a reason")),
            }
            if most <= found.len() {
                return Ok((found, None));
            }
            let mut more = pin!(self.subscription.next());
            match more.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(ready) => next = ready,
                Poll::Pending => return Ok((found, None)),
            }
        }
    }
}
