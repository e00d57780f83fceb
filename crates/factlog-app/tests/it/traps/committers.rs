//! Test (b), traps 1 to 4: a slow committer, fast ones, and a subscriber that begins again every few events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use factlog::{EventId, EventStore, MemoryStore, Position, Result, Timestamp};
use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Delivery, Event, EventStream, Head, Query, ReadOptions,
    ReadStep, RecordedEvent, StartFrom, Subscription,
};
use factlog_engine::{Engine, Settings};
use futures_util::stream;
use parking_lot::Mutex;
use pollster::block_on;

use super::caught;

const SLOW_COMMITTERS: u64 = 2;
const SLOW_COMMITS: u64 = 5;
/// Events in one commit of a slow committer.
const SLOW_EVENTS: u64 = 300;
const FAST_COMMITTERS: u64 = 3;
const FAST_COMMITS: u64 = 100;
/// Every so many events the subscriber is gone and another goes on from its checkpoint.
const RESTART_EVERY: [usize; 3] = [1, 7, 400];

fn batch(events: u64) -> Append {
    let kind = if events == 1 { "fast.committed" } else { "slow.committed" };
    let event = || Event::new(kind.parse().unwrap(), vec![b'1'; 100]);
    Append::new((0..events).map(|_| event()))
}

/// Commits so often, and says what was acknowledged.
fn commit(store: &dyn EventStore, commits: u64, events: u64, acknowledged: &Mutex<BTreeSet<(u64, EventId)>>) {
    for _ in 0..commits {
        let append = batch(events);
        let ids: Vec<EventId> = append.events.iter().map(|event| event.id).collect();
        let appended = block_on(store.append(append)).unwrap();
        acknowledged.lock().extend((appended.first.get()..).zip(ids));
    }
}

/// What subscribers get who each take so many events and then are gone, until the log ends and nobody commits.
fn delivered(store: &dyn EventStore, every: usize, done: &AtomicBool) -> Vec<(u64, EventId)> {
    let mut delivered: Vec<(u64, EventId)> = Vec::new();
    loop {
        let all_committed = done.load(Ordering::SeqCst);
        let checkpoint = delivered.last().and_then(|(position, _)| Position::new(*position));
        let mut subscription = store.subscribe(Query::All, checkpoint.into());
        for taken in 0.. {
            if taken == every {
                break;
            }
            match block_on(subscription.next()).unwrap().unwrap() {
                Delivery::Event(event) => delivered.push((event.position.get(), event.event.id)),
                Delivery::CaughtUp(_) if all_committed => return delivered,
                Delivery::CaughtUp(_) => {
                    thread::yield_now();
                    break;
                }
            }
        }
    }
}

/// Every acknowledged event is delivered exactly once, in order, without a gap.
fn each_event_is_delivered_once_in_order(store: &dyn EventStore) {
    let acknowledged = Mutex::new(BTreeSet::new());
    let done = AtomicBool::new(false);
    let sequences: Vec<_> = thread::scope(|scope| {
        let done = &done;
        let subscribers = RESTART_EVERY.map(|every| scope.spawn(move || delivered(store, every, done)));
        let committers = (0..SLOW_COMMITTERS + FAST_COMMITTERS).map(|committer| {
            let acknowledged = &acknowledged;
            scope.spawn(move || match committer < SLOW_COMMITTERS {
                true => commit(store, SLOW_COMMITS, SLOW_EVENTS, acknowledged),
                false => commit(store, FAST_COMMITS, 1, acknowledged),
            })
        });
        committers.collect::<Vec<_>>().into_iter().for_each(|committer| committer.join().unwrap());
        done.store(true, Ordering::SeqCst);
        subscribers.into_iter().map(|subscriber| subscriber.join().unwrap()).collect()
    });
    let acknowledged: Vec<_> = acknowledged.into_inner().into_iter().collect();
    let count = SLOW_COMMITTERS * SLOW_COMMITS * SLOW_EVENTS + FAST_COMMITTERS * FAST_COMMITS;
    assert!(acknowledged.iter().map(|(position, _)| *position).eq(1..=count), "positions are dense");
    for (every, sequence) in RESTART_EVERY.iter().zip(sequences) {
        assert!(
            sequence == acknowledged,
            "restarted every {every} events, {} of {count} were delivered",
            sequence.len()
        );
    }
}

#[test]
fn subscribers_that_begin_again_get_each_event_once_beside_slow_and_fast_committers() {
    each_event_is_delivered_once_in_order(&MemoryStore::new());
}

#[test]
fn subscribers_of_the_durable_log_get_each_event_once_beside_slow_and_fast_committers() {
    let directory = tempfile::tempdir().unwrap();
    each_event_is_delivered_once_in_order(&Engine::open(directory.path(), Settings::default()).unwrap());
}

/// A store as a table with a sequence: a position is taken when an append begins and seen when it commits.
#[derive(Debug, Default)]
struct Sequence {
    taken: AtomicU64,
    visible: Mutex<BTreeMap<u64, RecordedEvent>>,
}

impl Sequence {
    fn record(&self, append: Append, first: u64) -> Appended {
        let count = append.events.len() as u64;
        let recorded = (first..).map(|number| Position::new(number).unwrap()).zip(append.events);
        let mut visible = self.visible.lock();
        visible.extend(recorded.map(|(position, event)| {
            let recorded_at = Timestamp::default();
            (position.get(), RecordedEvent { position, recorded_at, revision: None, event })
        }));
        let [first, last] = [first, first + count - 1].map(|number| Position::new(number).unwrap());
        Appended { first, last, revisions: Vec::new(), deduplicated: false }
    }

    fn above(&self, position: Option<Position>) -> (Vec<RecordedEvent>, Option<Position>) {
        let visible = self.visible.lock();
        let from = Position::number(position) + 1;
        let head = visible.keys().next_back().and_then(|number| Position::new(*number));
        (visible.range(from..).map(|(_, event)| event.clone()).collect(), head)
    }
}

impl EventStore for Sequence {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            let count = append.events.len() as u64;
            let first = self.taken.fetch_add(count, Ordering::SeqCst) + 1;
            if 1 < count {
                thread::sleep(Duration::from_millis(20));
            }
            Ok(self.record(append, first))
        })
    }

    fn read(&self, _: Query, options: ReadOptions) -> EventStream {
        let (events, head) = self.above(options.after);
        let events = events.into_iter().map(ReadStep::Event);
        EventStream::new(stream::iter([ReadStep::Head(head)].into_iter().chain(events).map(Ok)))
    }

    fn subscribe(&self, _: Query, from: StartFrom) -> Subscription {
        let after = match from {
            StartFrom::After(position) => Some(position),
            StartFrom::Beginning | StartFrom::End => None,
        };
        let (events, head) = self.above(after);
        let events = events.into_iter().map(Delivery::Event);
        Subscription::new(stream::iter(events.chain([Delivery::CaughtUp(head)]).map(Ok)))
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        let (_, position) = self.above(None);
        Box::pin(async move { Ok(Head { position, recorded_at: position.map(|_| Timestamp::default()) }) })
    }

    fn tracking(&self, _: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        Box::pin(async { Ok(None) })
    }

    fn position_at(&self, _: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        Box::pin(async { Ok(None) })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// A sequence that wrong stores pass shows nothing.
#[test]
fn a_store_that_takes_positions_before_it_commits_is_caught_by_the_same_subscribers() {
    caught("a position before the commit", "restarted every", || {
        each_event_is_delivered_once_in_order(&Sequence::default());
    });
}
