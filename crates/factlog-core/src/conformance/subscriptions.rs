//! Promise 7: a subscription delivers each matching event once, in order, without a gap between what was
//! recorded and what comes live.
//!
//! How subscriptions end is in `closing`. That a delivery never goes back is checked by `Follower`, always.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::Subject;
use super::drive::{block_on, join, race};
use super::harness::{
    Follower, around_a_restart, assert_kind, event, events, everything, head, in_stream, position, positions,
    read, record, restarted, tag_query, tagged, type_query,
};
use crate::{
    Delivery, ErrorKind, EventStore, Position, Query, QueryItem, ReadOptions, RecordedEvent, StartFrom,
};

/// What is recorded, then `CaughtUp` with the head, then what commits, then `CaughtUp` again; on an empty store
/// `CaughtUp(None)` first of all.
///
/// Without it a projection could not tell "up to date" from "stuck", or would never hear of new events.
pub async fn a_subscription_catches_up_says_so_and_goes_on(subject: &dyn Subject) {
    let store = subject.store();
    let mut early = Follower::new(&*store, Query::All, StartFrom::Beginning);
    assert_eq!(early.next().await, Delivery::CaughtUp(None), "an empty store is caught up with at once");
    let given = [event("a"), in_stream("b", "s-1"), tagged("c", &["x"])];
    record(&*store, given.clone()).await;
    let live = early.up_to(3).await;
    assert_eq!(live.iter().map(|live| live.event.clone()).collect::<Vec<_>>(), given);
    assert_eq!(live, everything(&*store).await, "a subscription delivers what a read does");

    let store = restarted(subject).await;
    let mut late = Follower::new(&*store, Query::All, StartFrom::Beginning);
    for expected in &live {
        assert_eq!(late.event().await, *expected);
    }
    assert_eq!(late.next().await, Delivery::CaughtUp(Some(position(3))));
    let waiting = thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(late.event()));
        block_on(record(&*store, [event("d")]));
        join(waiting)
    });
    assert_eq!(waiting.position, position(4));
    assert_eq!(late.next().await, Delivery::CaughtUp(Some(position(4))));
}

/// `Beginning`, `After` and `End` start where they say; `End` means the head at the time of the call, not of the
/// first poll; a checkpoint above the head is `Invalid`, and so is an empty query.
///
/// Without it a subscriber would skip events between its call and its first poll, or wait for ever on a
/// checkpoint that belongs to another store.
pub async fn a_subscription_starts_where_it_is_told(subject: &dyn Subject) {
    let store = subject.store();
    record(&*store, events("a", 5)).await;
    let store = restarted(subject).await;
    let starts = [
        (StartFrom::Beginning, 1),
        (StartFrom::After(position(2)), 3),
        (StartFrom::After(position(5)), 6),
        (StartFrom::End, 6),
    ];
    let mut followers = starts.map(|(from, first)| (Follower::new(&*store, Query::All, from), first));
    record(&*store, events("a", 2)).await;
    for (follower, first) in &mut followers {
        let delivered = follower.up_to(7).await;
        assert_eq!(positions(&delivered), (*first..=7).collect::<Vec<_>>());
    }
    let beyond = store.subscribe(Query::All, StartFrom::After(position(8)));
    refuses("a checkpoint above the head", beyond).await;
    refuses("an empty query", store.subscribe(Query::AnyOf(vec![]), StartFrom::End)).await;
}

async fn refuses(what: &str, mut subscription: crate::Subscription) {
    match subscription.next().await {
        Some(Err(error)) => assert_kind(what, &error, ErrorKind::Invalid),
        other => panic!("{what} must be Invalid, not {other:?}"),
    }
    assert!(subscription.next().await.is_none(), "{what}: it ends after its error");
}

/// While writers race, subscribers that stay and subscribers that come back with their checkpoint again and again
/// see exactly what a read sees afterwards: no gap and no repeat where the recorded passes into the live.
///
/// Without it a projection would be wrong by one event, once in a while, and nobody would know.
pub async fn nothing_is_lost_or_repeated_at_the_hand_over(subject: &dyn Subject) {
    around_a_restart(subject, |store| {
        let start = Position::new(block_on(head(store)));
        let patience = [usize::MAX, 1, 4, 11];
        let queries = [tag_query(&["wanted"]), Query::All];
        let followers = queries.iter().flat_map(|query| patience.map(|patience| (query, patience)));
        let done = AtomicUsize::new(0);
        let seen: Vec<_> = thread::scope(|scope| {
            let follow = |(query, patience): (&Query, usize)| {
                let (query, done) = (query.clone(), &done);
                scope.spawn(move || {
                    let _done = CountOnDrop(done);
                    let seen = block_on(follow_to_the_end(store, query.clone(), start, patience));
                    (query, seen)
                })
            };
            let followers: Vec<_> = followers.map(follow).collect();
            race(3, |writer| block_on(write(store, writer)));
            // Again and again, so that an event lost is a difference below and not a subscriber that waits for it.
            while done.load(Ordering::SeqCst) < followers.len() {
                block_on(record(store, [tagged("end", &["wanted"])]));
                thread::park_timeout(Duration::from_millis(1));
            }
            followers.into_iter().map(join).collect()
        });
        for (query, seen) in seen {
            let last = seen.last().map(|event| event.position);
            let options = ReadOptions::default().after(start).until(last);
            let expected = block_on(read(store, query.clone(), options)).events;
            assert_eq!(positions(&seen), positions(&expected), "{query:?}: each once, in order");
            assert_eq!(seen, expected, "what a subscription delivers is what is recorded");
        }
    })
    .await;
}

struct CountOnDrop<'a>(&'a AtomicUsize);

impl Drop for CountOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn write(store: &dyn EventStore, writer: usize) {
    for n in 0..40 {
        let label = if (writer + n).is_multiple_of(3) { "other" } else { "wanted" };
        record(store, (0..=n % 3).map(|_| tagged("written", &[label]))).await;
    }
}

/// Follows to the event `end`, subscribing anew at its checkpoint after every `patience` deliveries.
async fn follow_to_the_end(
    store: &dyn EventStore,
    query: Query,
    mut checkpoint: Option<Position>,
    patience: usize,
) -> Vec<RecordedEvent> {
    let mut seen = Vec::new();
    loop {
        let mut follower = Follower::new(store, query.clone(), StartFrom::from(checkpoint));
        for _ in 0..patience {
            match follower.next().await {
                Delivery::Event(event) => {
                    checkpoint = Some(event.position);
                    seen.push(event);
                }
                Delivery::CaughtUp(head) => checkpoint = head,
            }
            if seen.last().is_some_and(|event| event.event.event_type.as_str() == "end") {
                return seen;
            }
        }
    }
}

/// A subscription that matches nothing of what commits says `CaughtUp` past it all the same.
///
/// Without it the checkpoint of a rare event's projection would stay far behind, and its restart would read
/// everything again.
pub async fn a_filtered_subscription_passes_what_does_not_match(subject: &dyn Subject) {
    around_a_restart(subject, |store| {
        let first = block_on(record(store, events("noise", 20))).last.get();
        let mut rare = Follower::new(store, type_query("rare"), StartFrom::Beginning);
        let earlier = block_on(rare.up_to(first));
        assert!(earlier.iter().all(|event| event.event.event_type.as_str() == "rare"));
        for n in 1..=5 {
            block_on(record(store, [event("noise")]));
            let passed = Delivery::CaughtUp(Some(position(first + n)));
            assert_eq!(block_on(rare.next()), passed, "the head, though nothing matched");
        }
        block_on(record(store, [event("noise"), event("rare"), event("noise")]));
        assert_eq!(block_on(rare.event()).position.get(), first + 7);
        assert_eq!(block_on(rare.next()), Delivery::CaughtUp(Some(position(first + 8))));
    })
    .await;
}

/// A subscriber that does not listen while thousands of events commit holds up no append, and finds every one of
/// them when it listens again, those that came live and those it has to read again from where they are kept.
///
/// Without it a projection on a busy day would silently lose what it was too slow for.
pub async fn a_slow_subscriber_loses_nothing(subject: &dyn Subject) {
    let store = subject.store();
    record(&*store, events("a", 10)).await;
    let store = restarted(subject).await;
    let mut never_listened = Follower::new(&*store, type_query("a"), StartFrom::Beginning);
    let mut stopped_early = Follower::new(&*store, type_query("a"), StartFrom::Beginning);
    for _ in 0..3 {
        stopped_early.event().await;
    }
    let mut stopped_live = Follower::new(&*store, type_query("a"), StartFrom::End);
    assert_eq!(stopped_live.next().await, Delivery::CaughtUp(Some(position(10))));
    for batch in 0..20 {
        let mut batch = events(if batch % 4 == 0 { "b" } else { "a" }, 100);
        batch.push(event("a"));
        record(&*store, batch).await;
    }
    let expected = read(&*store, type_query("a"), ReadOptions::default()).await.events;
    let last = head(&*store).await;
    assert_eq!(never_listened.up_to(last).await, expected);
    assert_eq!(stopped_early.up_to(last).await, expected[3..]);
    assert_eq!(stopped_live.up_to(last).await, expected[10..]);
}

/// From every position there is, a subscription goes on with exactly the matching events above it.
///
/// Without it a projection that restarts would repeat or skip its last event, depending on where it stopped.
pub async fn every_checkpoint_resumes_exactly(subject: &dyn Subject) {
    let store = subject.store();
    for n in 0..8 {
        let batch = ["a", "b", "c"].map(|text| in_stream(text, &format!("s-{}", n % 3)));
        record(&*store, batch).await;
    }
    let item = |event_type| QueryItem::of_types([super::harness::name(event_type)]);
    let queries = [Query::All, Query::AnyOf(vec![item("a"), item("c")]), type_query("unknown")];
    around_a_restart(subject, |store| {
        let all = block_on(everything(store));
        for checkpoint in 0..=24 {
            for query in &queries {
                let from = StartFrom::from(Position::new(checkpoint));
                let delivered = block_on(Follower::new(store, query.clone(), from).up_to(24));
                let wanted =
                    |event: &&RecordedEvent| checkpoint < event.position.get() && query.matches(&event.event);
                let expected: Vec<_> = all.iter().filter(wanted).cloned().collect();
                assert_eq!(delivered, expected, "after {checkpoint}: {query:?}");
            }
        }
    })
    .await;
}
