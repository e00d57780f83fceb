//! What may be taken from memory, and what never comes of it: an old fact recorded on, refused on, or counted twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use factlog::snapshot::{MemorySnapshots, SnapshotPolicy};
use factlog::{
    App, Clock, Context, Event, Events, ExecuteError, LoadPolicy, MemoryStore, Position, Result, Rule,
    Snapshots, Tags, Timestamp, View, events, given, tags,
};
use factlog_core::{
    Append, AppendError, Appended, BoxFuture, EventStore, EventStream, Head, Query, ReadOptions, ReadStep,
    StartFrom, Subscription,
};
use futures_util::StreamExt as _;
use futures_util::stream::once;
use pollster::block_on;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::future::ready;

use crate::bank::{
    Account, AccountEvent, Deposited, InsufficientFunds, Withdraw, deposited, opened, record, withdrawn,
};

/// A clock that a test sets.
#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// A store that counts what is read from it.
#[derive(Clone, Debug)]
struct Counting {
    store: MemoryStore,
    reads: Arc<AtomicU64>,
    events: Arc<AtomicU64>,
}

impl Counting {
    fn new() -> Self {
        Self { store: MemoryStore::new(), reads: Arc::default(), events: Arc::default() }
    }

    /// Reads and events since the last time.
    fn take(&self) -> (u64, u64) {
        (self.reads.swap(0, Ordering::Relaxed), self.events.swap(0, Ordering::Relaxed))
    }
}

impl EventStore for Counting {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        self.store.append(append)
    }
    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let (count, mut found) = (self.events.clone(), self.store.read(query, options));
        let head = async move { (found.head().await.map(ReadStep::Head), found) };
        EventStream::new(once(head).flat_map(move |(head, found)| {
            let count = count.clone();
            let events = found.inspect(move |_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            once(ready(head)).chain(events.map(|event| event.map(ReadStep::Event)))
        }))
    }
    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        self.store.subscribe(query, from)
    }
    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.store.head()
    }
    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        self.store.tracking(source)
    }
    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.store.position_at(time)
    }
    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.store.close()
    }
}

async fn balance(app: &App, policy: LoadPolicy) -> (u64, u64) {
    let loaded = app.load::<Account>(&1).policy(policy).await.unwrap();
    (loaded.state.balance, loaded.events_folded)
}

/// A view that is loaded again and again must not be read again and again.
#[test]
fn a_view_in_memory_is_brought_up_to_date_by_its_tail_alone() {
    block_on(async {
        let store = Counting::new();
        let app = App::new(store.clone());
        record(&app, (0..50).map(|_| deposited(1, 1))).await;
        store.take();
        assert_eq!(balance(&app, LoadPolicy::RequireLatest).await, (50, 50));
        assert_eq!(store.take(), (1, 50));
        assert_eq!(balance(&app, LoadPolicy::RequireLatest).await, (50, 0));
        assert_eq!(store.take(), (1, 0));
        record(&app, [deposited(2, 9), deposited(1, 2)]).await;
        store.take();
        assert_eq!(balance(&app, LoadPolicy::RequireLatest).await, (52, 1));
        assert_eq!(store.take(), (1, 1));
        let other = App::builder(store.clone()).views_in_memory(0).build();
        assert_eq!(
            balance(&other, LoadPolicy::Cached).await,
            (52, 51),
            "without memory there is nothing to take"
        );
    });
}

/// Trap 17: what is in memory is never what a command was about to record.
#[test]
fn a_command_that_fails_leaves_nothing_in_memory() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        record(&app, [opened(1), deposited(1, 5)]).await;
        let rejected = app.execute(Withdraw { account: 1, amount: 6 }).await.expect_err("not enough");
        assert!(matches!(rejected, ExecuteError::Rejected(InsufficientFunds)));
        app.execute(Withdraw { account: 1, amount: 2 }).await.unwrap();
        let old = app.load::<Account>(&1).policy(LoadPolicy::Cached).await.unwrap();
        assert_eq!(old.state.balance, 5, "what it decided is not yet read");
        assert_eq!(balance(&app, LoadPolicy::RequireLatest).await.0, 3);
    });
}

#[test]
fn an_answer_may_be_as_old_as_was_allowed_and_no_older() {
    block_on(async {
        let hands = Arc::new(Hands::default());
        let store = Counting::new();
        let app = App::builder(store.clone()).clock(hands.clone()).build();
        record(&app, [deposited(1, 1)]).await;
        let allowed = LoadPolicy::AllowStale(Duration::from_secs(2));
        assert_eq!(balance(&app, allowed).await.0, 1, "nothing in memory: read");
        record(&app, [deposited(1, 1)]).await;
        store.take();
        hands.0.store(2_000_000, Ordering::Relaxed);
        assert_eq!(balance(&app, allowed).await.0, 1);
        assert_eq!(store.take(), (0, 0), "not read at all");
        hands.0.store(2_000_001, Ordering::Relaxed);
        assert_eq!(balance(&app, allowed).await.0, 2, "too old: read");
        record(&app, [deposited(1, 1)]).await;
        hands.0.store(i64::MAX, Ordering::Relaxed);
        assert_eq!(balance(&app, LoadPolicy::Cached).await.0, 2, "however old");
        assert_eq!(balance(&app, LoadPolicy::AssumeEmpty).await, (0, 0));
    });
}

/// Two views of different moments put together would show what never was: money that left one and reached none.
#[test]
fn views_in_memory_of_different_moments_are_not_put_together() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        record(&app, [deposited(1, 10)]).await;
        app.load::<Account>(&1).await.unwrap();
        record(&app, [withdrawn(1, 10), deposited(2, 10)]).await;
        app.load::<Account>(&2).await.unwrap();
        let both = app.load::<(Account, Account)>(&(1, 2)).policy(LoadPolicy::Cached).await.unwrap().state;
        assert_eq!(both.0.balance + both.1.balance, 10);
        record(&app, [withdrawn(2, 10), deposited(1, 10)]).await;
        let both = app.load::<Vec<Account>>(&vec![1, 2]).policy(LoadPolicy::Cached).await.unwrap();
        assert_eq!(
            both.state.iter().map(|account| account.balance).collect::<Vec<_>>(),
            [0, 10],
            "of one moment"
        );
    });
}

/// Promise 4 holds whatever is decided on: old facts cost an attempt, and never record or refuse anything.
#[test]
fn nothing_is_recorded_or_refused_on_old_facts() {
    block_on(async {
        for policy in [LoadPolicy::Cached, LoadPolicy::AllowStale(Duration::MAX), LoadPolicy::AssumeEmpty] {
            let app = App::new(MemoryStore::new());
            record(&app, [opened(1), deposited(1, 10)]).await;
            app.load::<Account>(&1).await.unwrap();
            record(&app, [withdrawn(1, 10)]).await;
            let refused = app.execute(Withdraw { account: 1, amount: 10 }).policy(policy).await;
            assert!(matches!(refused, Err(ExecuteError::Rejected(_))), "{policy:?}: {refused:?}");
            app.load::<Account>(&1).await.unwrap();
            record(&app, [deposited(1, 7)]).await;
            let done = app.execute(Withdraw { account: 1, amount: 7 }).policy(policy).await.unwrap();
            assert_eq!(done.attempts, 2, "{policy:?}");
            assert_eq!(balance(&app, LoadPolicy::RequireLatest).await.0, 0);
        }
    });
}

#[test]
fn a_first_command_that_assumes_nothing_reads_nothing() {
    block_on(async {
        let store = Counting::new();
        let app = App::new(store.clone());
        let open = |_: &Account, _: &Context| -> Result<Events<Deposited>, InsufficientFunds> {
            Ok(events![Deposited { account: 1, amount: 1 }])
        };
        let done = app.decide(1, open).policy(LoadPolicy::AssumeEmpty).await.unwrap();
        assert_eq!((store.take(), done.attempts), ((0, 0), 1));
        let again = app.decide(1, open).policy(LoadPolicy::AssumeEmpty).await.unwrap();
        assert_eq!(again.attempts, 2, "something is recorded, so it was decided again");
        let counts = app.boundary_counts();
        assert_eq!(counts.len(), 1);
        assert_eq!((counts[0].boundary.as_str(), counts[0].attempts, counts[0].conflicts), ("account", 3, 1));
    });
}

/// A rule as a closure, on a list of views and one that may be missing: each adds to the boundary.
#[test]
fn every_view_of_a_list_and_an_option_is_part_of_the_boundary() {
    type Several = (Vec<Account>, Option<Account>);
    fn rule((accounts, bonus): &Several, _: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        let all: u64 = accounts.iter().chain(bonus).map(|account| account.balance).sum();
        if all < 10 { Err(InsufficientFunds) } else { Ok(events![deposited(1, 0)]) }
    }
    given([deposited(1, 4), deposited(2, 6)])
        .when(Rule::new((vec![1, 2], None), rule))
        .then([deposited(1, 0)]);
    given([deposited(1, 4), deposited(3, 6)])
        .when(Rule::new((vec![1], Some(3)), rule))
        .then([deposited(1, 0)]);
    given([deposited(1, 4), deposited(3, 6)])
        .when(Rule::new((vec![1], None), rule))
        .rejected(InsufficientFunds);
    block_on(async {
        let app = App::new(MemoryStore::new());
        record(&app, [deposited(1, 4), deposited(2, 3), deposited(3, 3)]).await;
        let meanwhile = app.clone();
        for taken in [1, 2, 3] {
            app.load::<Several>(&(vec![1, 2], Some(3))).await.unwrap();
            record(&meanwhile, [deposited(taken, 0)]).await;
            let done = app.decide((vec![1, 2], Some(3)), rule).policy(LoadPolicy::Cached).await.unwrap();
            assert_eq!(done.attempts, 2, "account {taken} is part of it");
        }
    });
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "month.closed", tags(account = account))]
struct Closed {
    account: u64,
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Months(u64);

impl View for Months {
    type Id = u64;
    type Event = Closed;
    const NAME: &'static str = "months";
    fn tags(account: &u64) -> Result<Tags> {
        tags![account = account]
    }
    fn snapshot_policy() -> Option<SnapshotPolicy> {
        Some(SnapshotPolicy::never())
    }
    fn apply(&mut self, _: &Closed) {
        self.0 += 1;
    }
}

/// A policy that is not kept costs a replay of everything, or a snapshot after every event.
#[test]
fn snapshots_are_taken_when_the_policy_says_so() {
    let written = |policy: SnapshotPolicy, slow: i64| {
        block_on(async {
            let hands = Arc::new(Hands::default());
            let kept = MemorySnapshots::default();
            let app = App::builder(MemoryStore::new()).clock(Arc::new(Slow(hands, slow)));
            let app = app.snapshots(Snapshots::new(policy, kept)).build();
            let close = |(): &(), _: &Context| -> Result<Events<Closed>, InsufficientFunds> {
                Ok(events![Closed { account: 1 }])
            };
            let mut written = Vec::new();
            for event in [opened(1), deposited(1, 1), deposited(1, 1), withdrawn(1, 1), deposited(1, 1)] {
                record(&app, [event]).await;
                app.decide((), close).await.unwrap();
                app.load::<(Account, Months)>(&(1, 1)).await.unwrap();
                written.push(app.snapshot_counts().written);
            }
            written
        })
    };
    assert_eq!(written(SnapshotPolicy::never(), 0), [0, 0, 0, 0, 0]);
    assert_eq!(written(SnapshotPolicy::every(1), 0), [1, 2, 3, 4, 5]);
    assert_eq!(
        written(SnapshotPolicy::every(3), 0),
        [0, 1, 1, 2, 2],
        "before the next load would read a third"
    );
    assert_eq!(written(SnapshotPolicy::on_event::<crate::bank::Withdrawn>(), 0), [0, 0, 0, 1, 1]);
    assert_eq!(written(SnapshotPolicy::slower_than(Duration::from_millis(5)), 5_000), [0; 5]);
    assert_eq!(written(SnapshotPolicy::slower_than(Duration::from_millis(5)), 5_001), [1, 2, 3, 4, 5]);
    let either = SnapshotPolicy::every(4).or(SnapshotPolicy::on_event::<crate::bank::Opened>());
    assert_eq!(written(either, 0), [1, 1, 1, 2, 2]);
}

/// A clock that goes on by so much each time it is asked.
#[derive(Debug)]
struct Slow(Arc<Hands>, i64);

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.0.fetch_add(self.1, Ordering::Relaxed))
    }
}

/// Must show 5 of the issue: with a snapshot every 100 events, a view of 10,000 events is loaded by reading 100.
#[test]
fn a_load_reads_no_more_events_than_snapshots_are_apart() {
    block_on(async {
        let store = Counting::new();
        let app = App::builder(store.clone()).views_in_memory(0).snapshots(Snapshots::in_memory(100)).build();
        let mut most = 0;
        for n in 0..10_000 {
            record(&app, [deposited(1, 1)]).await;
            store.take();
            assert_eq!(app.load::<Account>(&1).await.unwrap().state.balance, n + 1);
            most = most.max(store.take().1);
        }
        assert_eq!(most, 100);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A view in memory and its tail equal a full replay, whatever else is loaded and kept.
    #[test]
    fn a_view_in_memory_and_its_tail_equal_a_full_replay(
        steps in vec((0..3_u64, 1..20_u64, 0..4_u8), 1..60),
        views in 1..4_usize,
        every in 1..6_u64,
    ) {
        block_on(async {
            let store = MemoryStore::new();
            let cached = App::builder(store.clone()).views_in_memory(views).snapshots(Snapshots::in_memory(every)).build();
            let plain = App::builder(store.clone()).views_in_memory(0).build();
            for (account, amount, look) in steps {
                record(&plain, [deposited(account, amount)]).await;
                if look == 0 {
                    let fast = cached.load::<Account>(&account).await.unwrap();
                    let slow = plain.load::<Account>(&account).await.unwrap();
                    assert_eq!((fast.state, fast.position), (slow.state, slow.position));
                } else if look == 1 {
                    let ids = (vec![account, 1], Some(2));
                    let fast = cached.load::<(Vec<Account>, Option<Account>)>(&ids).await.unwrap();
                    let slow = plain.load::<(Vec<Account>, Option<Account>)>(&ids).await.unwrap();
                    assert_eq!((fast.state, fast.position), (slow.state, slow.position));
                }
            }
        });
    }
}
