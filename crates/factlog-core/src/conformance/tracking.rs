//! Tracking (promises 1 and 4): how far a consumer has come is recorded with what came of it, and only grows.

use std::thread;

use super::Subject;
use super::drive::{block_on, race, race_watched, start};
use super::harness::{
    append, around_a_restart, assert_failed, conflict, event, expect_revision, head, in_stream, lost,
    of_type, position, restarted, tracking,
};
use crate::{Append, AppendError, Event, EventStore, ExpectedRevision, FailedCondition, Position};

/// A source nobody tracked is `None`; a greater position is recorded, gaps and all; an equal or lower one is a
/// conflict that names the recorded one; sources do not touch each other; a restart forgets nothing.
///
/// Without it a consumer that was taken over and comes back late would process everything a second time.
pub async fn tracking_grows_or_conflicts(subject: &dyn Subject) {
    let store = subject.store();
    let tracked = async |store: &dyn EventStore, source: &str| {
        Position::number(store.tracking(source).await.expect("tracking can be asked for"))
    };
    let step = |source: &str, at| Append::new([event("step")]).tracking(tracking(source, at));
    assert_eq!(tracked(&*store, "a").await, 0, "nobody tracked it");
    append(&*store, step("a", 5)).await;
    append(&*store, step("a", 6)).await;
    append(&*store, step("a", 1_000)).await;
    append(&*store, step("b", 1)).await;
    let store = restarted(subject).await;
    assert_eq!((tracked(&*store, "a").await, tracked(&*store, "b").await), (1_000, 1));
    for stale in [1, 999, 1_000] {
        let failed = FailedCondition::Tracking { stale: tracking("a", stale), recorded: position(1_000) };
        assert_eq!(conflict(&*store, step("a", stale)).await, [failed]);
    }
    assert_eq!(head(&*store).await, 4, "a stale step records no event");
    append(&*store, step("a", 1_001)).await;
    append(&*store, step("b", u64::MAX)).await;
    append(&*store, Append::new([event("untracked")])).await;
    assert_eq!((tracked(&*store, "a").await, tracked(&*store, "b").await), (1_001, u64::MAX));
}

/// Tracking is recorded with the events or not at all, and whoever sees one sees the other.
///
/// Without it a crash between the two would lose a step or do it twice.
pub async fn tracking_and_events_are_one_commit(subject: &dyn Subject) {
    let store = subject.store();
    let missing = || expect_revision("missing-1", ExpectedRevision::Exists);
    let tried = Append::new([event("step")]).tracking(tracking("refused", 1)).when(missing());
    conflict(&*store, tried).await;
    let mut done = 0;
    around_a_restart(subject, |store| {
        assert_eq!(block_on(store.tracking("refused")).expect("tracking"), None);
        let from = done;
        let work = |_: usize| {
            for n in from + 1..=from + 150 {
                block_on(append(store, Append::new([event("step")]).tracking(tracking("upstream", n))));
            }
        };
        race_watched(1, work, || {
            // At the moment it moves the two would be apart, if ever.
            let mut tracked = done;
            for _ in 0..1_000 {
                tracked = Position::number(block_on(store.tracking("upstream")).expect("tracking"));
                if done < tracked {
                    break;
                }
            }
            let steps = block_on(of_type(store, "step")).len() as u64;
            let later = Position::number(block_on(store.tracking("upstream")).expect("tracking"));
            assert!(tracked <= steps && steps <= later, "{steps} steps, tracked {tracked}, then {later}");
            done = later;
        });
        assert_eq!(done, from + 150, "the watcher saw the end");
    })
    .await;
}

/// Steps that are in flight together see each other's tracking, and not that of one that was refused.
///
/// Without it a group commit would record a step twice, or refuse a good one.
pub async fn tracking_counts_appends_in_flight(subject: &dyn Subject) {
    let mut last = 0;
    around_a_restart(subject, |store| {
        let step = |at| Append::new([event("step")]).tracking(tracking("upstream", last + at));
        let missing = expect_revision("missing-1", ExpectedRevision::Exists);
        let steps = [step(5), step(5), step(9).when(missing), step(4), step(6), step(6)];
        let started = steps.map(|step| start(store.append(step)));
        let answers = started.map(|step| block_on(step.finish()));
        let stale = |at, recorded| FailedCondition::Tracking {
            stale: tracking("upstream", last + at),
            recorded: position(last + recorded),
        };
        let [first, same, refused, lower, next, again] = answers;
        assert!(first.is_ok() && next.is_ok(), "{first:?} {next:?}");
        assert_failed(subject, same, &[stale(5, 5)]);
        assert!(matches!(lost(refused)[..], [FailedCondition::Revision { .. }]), "its tracking would grow");
        assert_failed(subject, lower, &[stale(4, 5)]);
        assert_failed(subject, again, &[stale(6, 6)]);
        last += 6;
        assert_eq!(block_on(store.tracking("upstream")).expect("tracking"), Position::new(last));
    })
    .await;
}

/// Consumers that race for the same upstream positions record the outcome of each exactly once, in order.
///
/// Without it two instances of one consumer would both act on the same upstream event.
pub async fn racing_consumers_process_each_position_once(subject: &dyn Subject) {
    let mut last = 0;
    around_a_restart(subject, |store| {
        // All begin with the same position, whoever is first.
        let first = last + 1;
        last += 40;
        race(4, |_| block_on(consume(store, first, last)));
        let outcomes: Vec<_> =
            block_on(of_type(store, "outcome")).into_iter().map(|step| step.event.data).collect();
        let expected: Vec<_> = (1..=last).map(|n| n.to_string().into_bytes()).collect();
        assert_eq!(outcomes, expected, "each position once, in order");
    })
    .await;
}

async fn consume(store: &dyn EventStore, first: u64, last: u64) {
    let mut next = first;
    while next <= last {
        let outcome = Event { data: next.to_string().into(), ..in_stream("outcome", "outcomes-1") };
        let step = Append::new([outcome]).tracking(tracking("upstream", next));
        match store.append(step).await {
            Ok(_) => thread::yield_now(),
            Err(AppendError::Conflict(conflict)) => match &conflict.failed[..] {
                [FailedCondition::Tracking { recorded, .. }] => assert!(next <= recorded.get()),
                other => panic!("only the tracking can fail, not {other:?}"),
            },
            Err(AppendError::Failed(error)) => panic!("a step failed: {error}"),
        }
        let tracked = store.tracking("upstream").await.expect("tracking can be asked for");
        assert!(position(next) <= tracked.expect("somebody tracked"), "{next} was tracked, not {tracked:?}");
        next = Position::number(tracked) + 1;
    }
}
