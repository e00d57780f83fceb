//! Promises 10 and 11: the store says when it learned a fact, never going back, and can be asked by that time.
//!
//! When a fact was true is in its data; the store does not look.

use super::Subject;
use super::drive::{block_on, race};
use super::harness::Follower;
use super::harness::{
    around_a_restart, event, events, everything, in_stream, position, positions, read, record, restarted,
    type_query,
};
use crate::{EventStore, Position, Query, ReadOptions, StartFrom, Timestamp};

/// 2026-01-01T00:00:00Z plus so many microseconds.
fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + micros)
}

async fn times(store: &dyn EventStore) -> Vec<Timestamp> {
    everything(store).await.into_iter().map(|event| event.recorded_at).collect()
}

/// `recorded_at` is the clock's time, and stands still while the clock is behind what was recorded last: after a
/// jump back, after a restart with an earlier clock, and under racing writers.
///
/// Without it "the last position at or before t" would have no answer, and an audit would show effects before
/// their causes.
pub async fn recorded_at_never_decreases(subject: &dyn Subject) {
    let store = subject.store();
    for (clock, _) in [(0, 0), (50, 50), (10, 50), (-999_999_999, 50), (50, 50), (51, 51)] {
        subject.set_time(at(clock));
        record(&*store, [event("a")]).await;
    }
    assert_eq!(times(&*store).await, [0, 50, 50, 50, 50, 51].map(at));
    subject.set_time(at(7));
    let store = restarted(subject).await;
    record(&*store, [event("b")]).await;
    subject.set_time(at(60));
    record(&*store, [event("c")]).await;
    assert_eq!(
        times(&*store).await,
        [0, 50, 50, 50, 50, 51, 51, 60].map(at),
        "after a restart with an earlier clock"
    );

    race(4, |racer| {
        for n in 0..20 {
            subject.set_time(at(100 + (racer as i64 * 31 + n * 17) % 40));
            block_on(record(&*store, [event("d")]));
        }
    });
    let times = times(&*store).await;
    assert!(times.is_sorted(), "racing writers: {times:?}");
    assert_eq!(store.head().await.expect("a head").recorded_at, times.last().copied());
}

/// The events of one append share one time, a read and a subscription tell the same, and the head tells it too.
///
/// Without it "as known at" would cut an append in two.
pub async fn an_append_has_one_time_and_the_head_tells_it(subject: &dyn Subject) {
    let mut side = 0;
    around_a_restart(subject, |store| {
        side += 1;
        subject.set_time(at(side * 10));
        let appended = block_on(record(store, [event("a"), in_stream("b", "s-1"), event("c")]));
        let head = block_on(store.head()).expect("a head");
        assert_eq!((head.position, head.recorded_at), (Some(appended.last), Some(at(side * 10))));
        let expected: Vec<_> = (1..=side).flat_map(|side| [at(side * 10); 3]).collect();
        assert_eq!(block_on(times(store)), expected);
        let mut follower = Follower::new(store, Query::All, StartFrom::Beginning);
        let delivered = block_on(follower.up_to(appended.last.get()));
        assert_eq!(delivered, block_on(everything(store)), "a subscription tells the same time");
    })
    .await;
}

/// `position_at` is the last position recorded at or before a time: none before the first, the last of several at
/// the same time, the head from then on.
///
/// Without it "what did we know on that day" would be answered a few events too early or too late.
pub async fn positions_are_found_by_time(subject: &dyn Subject) {
    let store = subject.store();
    assert_eq!(store.position_at(at(0)).await.expect("position_at"), None, "an empty store");
    for (time, count) in [(10, 1), (20, 3), (20, 2), (40, 1)] {
        subject.set_time(at(time));
        record(&*store, events("a", count)).await;
    }
    let found = |store: &dyn EventStore, time| {
        Position::number(block_on(store.position_at(time)).expect("position_at can be asked"))
    };
    around_a_restart(subject, |store| {
        let cases = [(9, 0), (10, 1), (11, 1), (19, 1), (20, 6), (21, 6), (39, 6), (40, 7), (41, 7)];
        for (time, expected) in cases {
            assert_eq!(found(store, at(time)), expected, "at {time}");
        }
        assert_eq!(found(store, Timestamp::from_micros(i64::MIN)), 0);
        assert_eq!(found(store, Timestamp::from_micros(i64::MAX)), 7);
    })
    .await;
    let store = subject.store();
    subject.set_time(at(5));
    record(&*store, [event("late")]).await;
    assert_eq!(found(&*store, at(40)), 8, "time stood still at 40, so it was recorded then");
    subject.set_time(at(50));
    for n in 0..100 {
        subject.set_time(at(50 + n / 3));
        record(&*store, [event("dense")]).await;
    }
    for n in 0..33 {
        assert_eq!(found(&*store, at(50 + n)), 8 + (n as u64 + 1) * 3, "at {}", 50 + n);
    }
}

/// What a reader knew at a time can be read again at any later time: reading until `position_at` answers the same
/// for ever, whatever was recorded since.
///
/// Without it nobody could show on what a past decision was based.
pub async fn what_was_known_then_stays_known(subject: &dyn Subject) {
    let store = subject.store();
    let as_known_at = async |store: &dyn EventStore, time| {
        let until = store.position_at(time).await.expect("position_at").unwrap_or(position(1));
        read(store, type_query("rate"), ReadOptions::default().until(until)).await.events
    };
    let mut then = Vec::new();
    for day in 1..=5 {
        subject.set_time(at(day * 100));
        record(&*store, [event("rate"), event("noise")]).await;
        then.push((day, as_known_at(&*store, at(day * 100 + 50)).await));
    }
    subject.set_time(at(0));
    let store = restarted(subject).await;
    record(&*store, [event("rate")]).await;
    subject.set_time(at(900));
    record(&*store, [event("rate")]).await;
    for (day, known) in then.iter().filter(|(day, _)| *day < 5) {
        let again = as_known_at(&*store, at(day * 100 + 50)).await;
        assert_eq!(positions(&again), positions(known), "as known at {day}");
        assert_eq!(again, *known);
    }
    let (_, last) = &then[4];
    let again = as_known_at(&*store, at(550)).await;
    assert_eq!(again[..5], last[..], "what stood still in time joins the last instant");
    assert_eq!(again.len(), 6);
}
