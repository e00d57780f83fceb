//! Promises 7 and 8: a closed store says so, everywhere, and closing loses nothing that was acknowledged.
//!
//! A store that cannot be opened again ends here: these functions close for good.

use std::thread;

use super::Subject;
use super::drive::{block_on, join, race};
use super::harness::{Follower, assert_kind, event, events, everything, failure, record, restarted};
use crate::{
    Append, AppendError, Delivery, ErrorKind, EventId, EventStore, Position, Query, ReadOptions, StartFrom,
    Subscription, Timestamp,
};

/// After `close` every operation answers `Closed`, and closing again is fine.
///
/// Without it a program that shuts down would hang, or believe that its last fact is safe.
pub async fn after_close_everything_says_closed(subject: &dyn Subject) {
    record(&*subject.store(), [event("a")]).await;
    let store = restarted(subject).await;
    let mut begun = store.read(Query::All, ReadOptions::default());
    assert_eq!(begun.head().await.expect("it is open yet"), Position::new(1));
    for _ in 0..2 {
        store.close().await.expect("closing, also twice, is fine");
    }
    match store.append(Append::new([event("b")])).await {
        Err(AppendError::Failed(error)) => assert_kind("append", &error, ErrorKind::Closed),
        other => panic!("an append on a closed store must be Closed, not {other:?}"),
    }
    match begun.collect().await {
        Ok(whole) => assert_eq!(whole.events.len(), 1, "a read begun before is whole, or says why not"),
        Err(error) => assert_kind("a read begun before", &error, ErrorKind::Closed),
    }
    let read = store.read(Query::All, ReadOptions::default()).collect().await;
    failure("read", read, ErrorKind::Closed);
    failure("head", store.head().await, ErrorKind::Closed);
    failure("tracking", store.tracking("upstream").await, ErrorKind::Closed);
    let time = Timestamp::from_micros(0);
    failure("position_at", store.position_at(time).await, ErrorKind::Closed);
    ends_closed("subscribe", store.subscribe(Query::All, StartFrom::Beginning)).await;
    store.close().await.expect("closing a third time is fine");
}

/// Subscriptions end with `Closed`: one that waits is woken, one that was not listening finds it when it does.
///
/// Without it a projection would wait for ever on a store that is gone, and the process would not stop.
pub async fn closing_ends_subscriptions(subject: &dyn Subject) {
    record(&*subject.store(), events("a", 3)).await;
    let store = restarted(subject).await;
    let idle = Follower::new(&*store, Query::All, StartFrom::Beginning);
    let mut caught_up = Follower::new(&*store, Query::All, StartFrom::End);
    assert_eq!(caught_up.next().await, Delivery::CaughtUp(Position::new(3)));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(ends_closed("a waiting subscription", caught_up.into_inner())));
        thread::yield_now();
        block_on(store.close()).expect("closing is fine");
        join(waiting);
    });
    ends_closed("an idle subscription", idle.into_inner()).await;
}

/// It may deliver what it had at hand, but then it says why it ends.
async fn ends_closed(what: &str, mut subscription: Subscription) {
    loop {
        match subscription.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                assert_kind(what, &error, ErrorKind::Closed);
                break;
            }
            None => panic!("{what} ended without a reason"),
        }
    }
    assert!(subscription.next().await.is_none(), "{what}: nothing comes after the reason");
}

/// While writers race, the store closes: what was acknowledged is there when it is opened again, what was answered
/// `Closed` is not.
///
/// Without it every deployment would lose a few facts that somebody was told are safe.
pub async fn a_racing_close_loses_nothing_acknowledged(subject: &dyn Subject) {
    let store = subject.store();
    let answers = race(5, |racer| {
        if racer == 4 {
            while block_on(store.head()).expect("open until closed").position < Position::new(20) {
                thread::yield_now();
            }
            block_on(store.close()).expect("closing under load is fine");
            return (Vec::new(), None);
        }
        block_on(write_until_closed(&*store))
    });
    let acknowledged = answers.iter().map(|(acknowledged, _)| acknowledged.len()).sum::<usize>();
    assert!(20 <= acknowledged, "only {acknowledged} were acknowledged, but 20 were visible");
    drop(store);

    let store = restarted(subject).await;
    if store.head().await.is_err() {
        return; // It lives in memory: nothing can be opened again.
    }
    let kept: Vec<_> =
        everything(&*store).await.into_iter().map(|kept| (kept.position, kept.event.id)).collect();
    for (acknowledged, refused) in answers {
        for place in acknowledged {
            assert!(kept.contains(&place), "{place:?} was acknowledged and is gone");
        }
        let recorded = |refused| kept.iter().any(|(_, id)| *id == refused);
        assert!(!refused.is_some_and(recorded), "{refused:?} was answered Closed and is there");
    }
}

/// What was acknowledged, and the event that was answered `Closed`.
async fn write_until_closed(store: &dyn EventStore) -> (Vec<(Position, EventId)>, Option<EventId>) {
    let mut acknowledged = Vec::new();
    loop {
        let next = event("a");
        let id = next.id;
        match store.append(Append::new([next])).await {
            Ok(appended) => acknowledged.push((appended.first, id)),
            Err(AppendError::Failed(error)) => {
                assert_kind("an append while closing", &error, ErrorKind::Closed);
                return (acknowledged, Some(id));
            }
            Err(AppendError::Conflict(conflict)) => panic!("unconditional, but a conflict: {conflict}"),
        }
    }
}
