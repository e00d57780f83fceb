//! From what workers told to the history that the checkers judge: one history over all lives of a store.
//!
//! A moment is the number of a line. What was asked and never answered, since the worker was killed, stays without an
//! end: an append of that kind may be in the log or not.

use std::collections::HashMap;

use factlog_check::history::{History, Operation, Outcome, What};
use factlog_core::{
    Appended, Conflict, ErrorKind, EventId, ExpectedRevision, FailedCondition, Position, Query,
    RecordedEvent, Revision, StartFrom, StreamId, StreamRevision, Timestamp, Tracking,
};

use crate::asking::{Knowledge, World};
use crate::told::{Answer, Expected, Failed, Found, Line, Question, Refusal, fingerprint};

/// Clients of one life at most.
const CLIENTS: u32 = 1 << 8;

/// Listens to the lives of one store.
#[derive(Debug)]
pub(crate) struct Recorder {
    world: World,
    pub(crate) history: History,
    now: u64,
    life: u32,
    /// What each client of this life is waiting for: its place in the history.
    waiting: HashMap<u32, usize>,
    /// What each subscription of this life asked for.
    subscriptions: HashMap<u64, (Query, StartFrom)>,
    /// Appends of this life and earlier ones, to be repeated in later ones.
    pub(crate) appends: Vec<Question>,
    pub(crate) counts: Counts,
    /// Errors that were told.
    pub(crate) refusals: Vec<Refusal>,
    /// The highest position that was acknowledged.
    pub(crate) acknowledged_head: u64,
}

/// What there was, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) lines: u64,
    pub(crate) acknowledged: u64,
    pub(crate) repeats: u64,
    pub(crate) unknown: u64,
    pub(crate) conflicts: u64,
    pub(crate) refused: u64,
    pub(crate) reads: u64,
    pub(crate) deliveries: u64,
}

impl Recorder {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            history: History::default(),
            now: 0,
            life: 0,
            waiting: HashMap::new(),
            subscriptions: HashMap::new(),
            appends: Vec::new(),
            counts: Counts::default(),
            refusals: Vec::new(),
            acknowledged_head: 0,
        }
    }

    /// The worker is gone; another one may follow.
    pub(crate) fn end_of_life(&mut self) {
        for (_, at) in self.waiting.drain() {
            let is_append = matches!(self.history.operations[at].what, What::Append { .. });
            self.counts.unknown += u64::from(is_append);
        }
        self.subscriptions.clear();
        self.life += 1;
    }

    /// Takes in one line.
    pub(crate) fn hear(&mut self, line: &Line) {
        self.counts.lines += 1;
        match line {
            Line::World { .. } | Line::Life(_) | Line::Opened(_) | Line::Closed => {}
            Line::Failed(refusal) => self.refusals.push(refusal.clone()),
            Line::Asked(client, question) => self.asked(*client, question),
            Line::Answered(client, answer) => self.answered(*client, answer),
        }
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn asked(&mut self, client: u32, question: &Question) {
        let what = self.what(question);
        if let Question::Append { .. } = question {
            self.appends.push(question.clone());
        }
        let begun = self.tick();
        let number = self.life * CLIENTS + client;
        self.waiting.insert(client, self.history.operations.len());
        self.history.operations.push(Operation { client: number, begun, ended: None, what });
    }

    /// The question, with no answer yet.
    fn what(&mut self, question: &Question) -> What {
        let world = self.world;
        match *question {
            Question::Append { number, head, revision } => {
                let append = world.append(number, Knowledge { head, revision });
                What::Append { append, outcome: Outcome::Unknown }
            }
            Question::Read { number, head } => {
                let (query, options) = world.read(number, head);
                What::Read { query, options, head: None, found: Vec::new() }
            }
            Question::Follow { number, head } => {
                let (query, from) = world.follow(number, head);
                self.subscriptions.insert(number, (query.clone(), from));
                What::Deliveries { subscription: number, query, from, found: Vec::new() }
            }
            Question::Next { number } => {
                let begun = self.subscriptions.get(&number).cloned();
                let (query, from) = begun.expect("a subscription is begun before it goes on");
                What::Deliveries { subscription: number, query, from, found: Vec::new() }
            }
            Question::Tracking { number } => What::Tracking { source: world.source(number), found: None },
            Question::Head => What::Head { found: None },
        }
    }

    fn answered(&mut self, client: u32, answer: &Answer) {
        let at = self.waiting.remove(&client).expect("a question is told before its answer");
        let mut ended = Some(self.tick());
        let mut caught_up_with = None;
        let world = self.world;
        let events = |found: &[Found]| found.iter().map(|found| recorded(world, found)).collect::<Vec<_>>();
        let operation = &mut self.history.operations[at];
        match (&mut operation.what, answer) {
            (What::Append { outcome, .. }, Answer::Refused(refusal)) => {
                self.refusals.push(refusal.clone());
                self.counts.refused += 1;
                if refusal.is(ErrorKind::Indeterminate) {
                    ended = None;
                } else {
                    *outcome = Outcome::Refused;
                }
            }
            // Nothing was learned, so nothing was asked that counts.
            (_, Answer::Refused(refusal)) => {
                self.refusals.push(refusal.clone());
                ended = None;
            }
            (What::Append { outcome, .. }, answer) => {
                *outcome = outcome_of(answer).expect("the answer of an append");
                match outcome {
                    Outcome::Appended(appended) => {
                        self.counts.acknowledged += 1;
                        self.counts.repeats += u64::from(appended.deduplicated);
                        self.acknowledged_head = self.acknowledged_head.max(appended.last.get());
                    }
                    Outcome::Conflict(_) => self.counts.conflicts += 1,
                    Outcome::Refused | Outcome::Unknown => {}
                }
            }
            (What::Read { head, found, .. }, Answer::Read { head: told, found: read }) => {
                (*head, *found) = (Position::new(*told), events(read));
                self.counts.reads += 1;
            }
            (
                What::Deliveries { subscription, found, .. },
                Answer::Delivered { found: came, caught_up: upto },
            ) => {
                *found = events(came);
                self.counts.deliveries += came.len() as u64;
                caught_up_with = upto.map(|upto| (*subscription, Position::new(upto)));
            }
            (What::Tracking { found, .. } | What::Head { found }, Answer::Position(position)) => {
                *found = Position::new(*position);
            }
            (asked, answer) => unreachable!("{asked:?} was answered {answer:?}"),
        }
        operation.ended = ended;
        if let Some((subscription, found)) = caught_up_with {
            self.caught_up(at, subscription, found);
        }
    }

    /// What a subscription said when it had delivered, as the operation that follows its deliveries.
    fn caught_up(&mut self, at: usize, subscription: u64, found: Option<Position>) {
        let (client, begun, ended) = (self.history.operations[at].client, self.now, Some(self.tick()));
        let what = What::CaughtUp { subscription, found };
        self.history.operations.push(Operation { client, begun, ended, what });
    }
}

/// The event that was found, as its id says it is, or visibly not.
pub(crate) fn recorded(world: World, found: &Found) -> RecordedEvent {
    let mut event = world.event(EventId::from_bytes(found.id.to_be_bytes()));
    if fingerprint(&event) != found.fingerprint {
        event.data = format!("what was read has another fingerprint: {:016x}", found.fingerprint).into();
    }
    RecordedEvent {
        position: Position::new(found.position).expect("positions begin with 1"),
        recorded_at: Timestamp::from_micros(found.recorded_at),
        revision: found.revision.map(Revision::new),
        event,
    }
}

fn outcome_of(answer: &Answer) -> Option<Outcome> {
    match answer {
        Answer::Appended { first, last, revisions, deduplicated } => {
            let revision = |(stream, revision): &(String, u64)| {
                let stream = StreamId::new(stream.as_str()).ok()?;
                Some(StreamRevision { stream, revision: Revision::new(*revision) })
            };
            Some(Outcome::Appended(Appended {
                first: Position::new(*first)?,
                last: Position::new(*last)?,
                revisions: revisions.iter().map(revision).collect::<Option<_>>()?,
                deduplicated: *deduplicated,
            }))
        }
        Answer::Conflict(failed) => {
            let failed = failed.iter().map(condition).collect::<Option<_>>()?;
            Some(Outcome::Conflict(Conflict { failed }))
        }
        Answer::Refused(_) | Answer::Read { .. } | Answer::Delivered { .. } | Answer::Position(_) => None,
    }
}

fn condition(failed: &Failed) -> Option<FailedCondition> {
    Some(match failed {
        Failed::Revision { index, stream, expected, actual } => FailedCondition::Revision {
            index: *index,
            stream: stream.parse().ok()?,
            expected: match *expected {
                Expected::Any => ExpectedRevision::Any,
                Expected::NoStream => ExpectedRevision::NoStream,
                Expected::Exists => ExpectedRevision::Exists,
                Expected::At(revision) => ExpectedRevision::At(Revision::new(revision)),
            },
            actual: actual.map(Revision::new),
        },
        Failed::NoneMatch { index, position } => {
            FailedCondition::NoneMatch { index: *index, position: Position::new(*position)? }
        }
        Failed::Tracking { source, position, recorded } => {
            let stale = Tracking { source: source.parse().ok()?, position: Position::new(*position)? };
            FailedCondition::Tracking { stale, recorded: Position::new(*recorded)? }
        }
    })
}
