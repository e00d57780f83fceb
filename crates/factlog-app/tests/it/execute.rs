//! Commands: boundaries, races, bounded retries, metadata.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use factlog::{
    App, AsOf, Clock, Context, Decide, ErrorKind, EventStoreExt as _, Events, ExecuteError, MemoryStore,
    Result, StreamId, Timestamp, events, tags,
};
use factlog::{Position, Revision, Tags};
use factlog_core::{AppendCondition, ExpectedRevision, Query, QueryItem};
use pollster::block_on;

use crate::wrapped::Wrapped;

use crate::bank::{
    Account, AccountEvent, AddItem, Cart, Deposited, InsufficientFunds, Record, Transfer, Withdraw, app_with,
    deposited, opened, record, withdrawn,
};

/// Trap 5: a boundary that lets two winners through overdraws the account.
#[test]
fn sixteen_threads_that_withdraw_ten_from_a_hundred_win_exactly_ten_times() {
    for _ in 0..100 {
        let app = block_on(app_with([opened(1), deposited(1, 100)]));
        let winners = AtomicU32::new(0);
        let start = std::sync::Barrier::new(16);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    start.wait();
                    match block_on(app.execute(Withdraw { account: 1, amount: 10 }).into_future()) {
                        Ok(_) => drop(winners.fetch_add(1, Ordering::Relaxed)),
                        Err(ExecuteError::Rejected(InsufficientFunds)) => {}
                        Err(error) => panic!("{error}"),
                    }
                });
            }
        });
        assert_eq!(winners.into_inner(), 10);
        let account = block_on(app.load::<Account>(&1).into_future()).unwrap().state;
        assert_eq!((account.balance, account.movements), (0, 12));
    }
}

/// The same for an aggregate, whose condition is the revision of its stream.
#[test]
fn sixteen_threads_that_fill_a_cart_of_three_win_exactly_three_times() {
    for _ in 0..50 {
        let app = App::new(MemoryStore::new());
        let winners = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    if block_on(app.execute(AddItem { cart: 7 }).into_future()).is_ok() {
                        winners.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(winners.into_inner(), 3);
        let cart = block_on(app.load::<Cart>(&7).into_future()).unwrap();
        assert_eq!((cart.state.items, cart.revision.map(|r| r.get())), (3, Some(2)));
    }
}

#[test]
fn a_transfer_moves_money_between_two_views_of_one_type_in_one_commit() {
    block_on(async {
        let app = app_with([opened(1), deposited(1, 100), opened(2)]).await;
        let outcome = app.execute(Transfer { from: 1, to: 2, amount: 30 }).await.unwrap();
        assert_eq!(outcome.first.map(|p| p.next()), outcome.last, "both events in one commit");
        let (from, to) = app.load::<(Account, Account)>(&(1, 2)).await.unwrap().state;
        assert_eq!((from.balance, to.balance), (70, 30));
        let itself = app.execute(Transfer { from: 1, to: 1, amount: 30 }).await;
        assert!(itself.is_ok(), "the same view twice is one boundary, not a mistake: {itself:?}");
    });
}

/// Decides on account 1, but before it answers somebody deposits there: it loses every race.
#[derive(Debug)]
struct Unlucky {
    rival: App,
    account: u64,
}

impl Decide for Unlucky {
    type Model = Account;
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) -> u64 {
        1
    }
    fn decide(&self, _: &Account, _: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        block_on(record(&self.rival, [deposited(self.account, 1)]));
        Ok(events![Deposited { account: 1, amount: 1000 }])
    }
}

/// An unbounded retry would never return; a silent one would not say what it lost to.
#[test]
fn a_command_that_always_loses_says_so_after_a_bounded_number_of_attempts() {
    block_on(async {
        let store = MemoryStore::new();
        let app = App::builder(store.clone()).attempts(5).build();
        let rival = App::new(store);
        let error = app.execute(Unlucky { rival, account: 1 }).await.expect_err("it loses");
        let ExecuteError::Conflict { attempts, .. } = &error else { panic!("{error}") };
        assert_eq!(*attempts, 5);
        assert_eq!(
            error.to_string(),
            "the command lost the race 5 times, the last time because the event at position 5 matches condition 0, \
             which allows none; try again later, or narrow its views"
        );
        assert_eq!(app.load::<Account>(&1).await.unwrap().state.balance, 5, "nothing of it was recorded");
    });
}

/// Trap 7: a coarse boundary conflicts with everything.
#[test]
fn what_happens_outside_the_boundary_does_not_conflict() {
    block_on(async {
        let store = MemoryStore::new();
        let app = App::new(store.clone());
        let outcome = app.execute(Unlucky { rival: App::new(store), account: 2 }).await.unwrap();
        assert_eq!(outcome.attempts, 1);
    });
}

/// The aggregate's own conflict: an event of a type the view does not fold still moves the stream.
#[test]
fn an_aggregate_reads_past_types_it_does_not_fold_and_keeps_the_streams_revision() {
    block_on(async {
        let store = MemoryStore::new();
        let app = App::new(store.clone());
        app.execute(AddItem { cart: 7 }).await.unwrap();
        let foreign = factlog_core::Event::new("cart.viewed".parse().unwrap(), "not json")
            .in_stream(StreamId::new("cart-7").unwrap());
        store.append_one(foreign).await.unwrap();
        app.execute(AddItem { cart: 7 }).await.unwrap();
        let cart = app.load::<Cart>(&7).await.unwrap();
        assert_eq!((cart.state.items, cart.revision.map(|r| r.get())), (2, Some(2)));
    });
}

#[test]
fn a_rejected_command_and_one_that_decides_nothing_record_nothing() {
    block_on(async {
        let app = app_with([opened(1)]).await;
        let head = app.store().head().await.unwrap().position;
        let rejected = app.execute(Withdraw { account: 1, amount: 10 }).await;
        assert!(matches!(rejected, Err(ExecuteError::Rejected(InsufficientFunds))));
        let nothing = app.execute(Record(Vec::new())).await.unwrap();
        assert_eq!((nothing.position, nothing.first, nothing.last), (head, None, None));
        assert_eq!(app.store().head().await.unwrap().position, head);
    });
}

#[test]
fn correlation_causation_and_own_entries_are_recorded_with_every_event() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        let command = Record(vec![opened(1), deposited(1, 5)]);
        app.execute(command).correlation("c-1").causation(42).metadata("user", "ada").await.unwrap();
        let history = app.history::<AccountEvent>(tags![account = 1].unwrap()).await.unwrap();
        assert_eq!(history.len(), 2);
        for recorded in &history {
            let metadata = recorded.metadata();
            assert_eq!(metadata.correlation_id(), Some("c-1"));
            assert_eq!(metadata.causation_id(), Some("42"));
            assert_eq!(metadata.get("user").and_then(|user| user.as_str()), Some("ada"));
        }
        app.execute(Record(vec![withdrawn(1, 5)])).caused_by(&history[1]).await.unwrap();
        let history = app.history::<AccountEvent>(tags![account = 1].unwrap()).await.unwrap();
        let metadata = history[2].metadata();
        assert_eq!(metadata.correlation_id(), Some("c-1"));
        assert_eq!(metadata.causation_id(), Some(history[1].id.to_string().as_str()));
    });
}

/// A writer's entry under a name of the framework would be read as the framework's statement.
#[test]
fn metadata_names_of_the_framework_are_refused() {
    block_on(async {
        let app = App::new(MemoryStore::new());
        for name in ["schema", "correlation_id", "causation_id", "commit_events"] {
            let error = app.execute(Record(vec![opened(1)])).metadata(name, 1).await.expect_err("refused");
            let ExecuteError::Store(error) = error else { panic!("{error}") };
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        assert_eq!(app.store().head().await.unwrap().position, None);
    });
}

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(43_200_000_000)
    }
}

/// Opens the account whose number is the time.
struct OpenNow;

impl Decide for OpenNow {
    type Model = ();
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) {}
    fn decide(&self, (): &(), context: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        Ok(Events::one(opened(u64::try_from(context.now().as_micros()).unwrap())))
    }
}

#[test]
fn a_decision_gets_the_time_from_the_apps_clock_and_not_from_the_world() {
    block_on(async {
        let app = App::builder(MemoryStore::new()).clock(Arc::new(Noon)).build();
        app.execute(OpenNow).await.unwrap();
        assert!(app.load::<Account>(&43_200_000_000).await.unwrap().state.open);
    });
}

/// Trap 6: a head taken after the read would let an event in between go unnoticed.
#[test]
fn a_loaded_view_is_valid_at_the_head_of_its_own_read() {
    block_on(async {
        let app = app_with([opened(1), deposited(1, 5), opened(2)]).await;
        let loaded = app.load::<Account>(&1).await.unwrap();
        assert_eq!(loaded.position.map(|position| position.get()), Some(3));
        let past = app.load::<Account>(&1).at(AsOf::Position(loaded.position.unwrap())).await.unwrap();
        assert_eq!(past, loaded);
    });
}

/// The exact boundary: a wider one conflicts needlessly, a narrower one lets two winners through.
#[test]
fn the_conditions_of_an_append_are_the_views_boundary_and_the_key() {
    block_on(async {
        let store = Wrapped::default();
        let app = App::new(store.clone());
        app.execute(Record(vec![opened(1), deposited(1, 5), opened(2)])).await.unwrap();
        app.execute(Transfer { from: 1, to: 2, amount: 5 }).key("t").await.unwrap();
        app.execute(AddItem { cart: 1 }).await.unwrap();
        app.execute(AddItem { cart: 1 }).await.unwrap();
        let conditions: Vec<_> =
            store.appends.lock().iter().map(|append| append.conditions.clone()).collect();

        let types = ["account.deposited", "account.opened", "account.withdrawn"];
        let item = |account: u64| QueryItem {
            types: types.map(|name| name.parse().unwrap()).to_vec(),
            tags: tags![account = account].unwrap(),
            stream: None,
        };
        let key = QueryItem::tagged(Tags::new(["$key:t"]).unwrap());
        let cart =
            |expected| AppendCondition::Revision { stream: StreamId::new("cart-1").unwrap(), expected };
        assert_eq!(
            conditions,
            [
                vec![],
                vec![
                    AppendCondition::none_match(Query::any_of([item(1), item(2)]).unwrap(), Position::new(3)),
                    AppendCondition::none_match(Query::any_of([key]).unwrap(), None),
                ],
                vec![cart(ExpectedRevision::NoStream)],
                vec![cart(ExpectedRevision::At(Revision::new(0)))],
            ]
        );
    });
}

/// A caller that cannot see the kind through the layers retries what is closed, or gives up what is only busy.
#[test]
fn the_stores_kind_is_seen_through_every_error_and_not_invented_for_others() {
    block_on(async {
        let app = app_with([opened(1)]).await;
        let rejected = app.execute(Withdraw { account: 1, amount: 10 }).await.expect_err("no money");
        assert!(rejected.store_error().is_none());
        app.store().close().await.unwrap();
        let executed = app.execute(Withdraw { account: 1, amount: 10 }).await.expect_err("closed");
        let loaded = app.load::<Account>(&1).await.expect_err("closed");
        for error in [executed.store_error(), loaded.store_error()] {
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Closed));
        }
    });
}
