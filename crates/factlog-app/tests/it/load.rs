//! Loading: the present, the past, and tuples.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use factlog::{App, AsOf, Clock, MemoryStore, Position, Revision, Timestamp, given, tags};
use pollster::block_on;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bank::{Account, AccountEvent, AddItem, Cart, app_with, deposited, opened, record, withdrawn};

/// A clock that is one second further each time it is asked.
#[derive(Debug, Default)]
struct Seconds(AtomicI64);

impl Clock for Seconds {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros((self.0.fetch_add(1, Ordering::Relaxed) + 1) * 1_000_000)
    }
}

#[test]
fn a_view_can_be_asked_as_of_any_position_and_any_time() {
    block_on(async {
        let app = App::new(MemoryStore::with_clock(Arc::new(Seconds::default())));
        record(&app, [opened(1), deposited(1, 10), deposited(2, 99), withdrawn(1, 4)]).await;
        for (at, balance) in [(1, 0), (2, 10), (3, 10), (4, 6)] {
            let position = AsOf::Position(Position::new(at).unwrap());
            let loaded = app.load::<Account>(&1).at(position).await.unwrap();
            assert_eq!((loaded.state.balance, loaded.position.map(Position::get)), (balance, Some(at)));
        }
        let time = |seconds: i64| AsOf::Time(Timestamp::from_micros(seconds * 1_000_000));
        let at = |seconds| app.load::<Account>(&1).at(time(seconds));
        assert!(!at(0).await.unwrap().state.open, "before the first event there is nothing");
        let known: Vec<_> = app.history::<AccountEvent>(tags![account = 1].unwrap()).await.unwrap();
        for recorded in &known {
            let seconds = recorded.recorded_at.as_micros() / 1_000_000;
            let by_time = at(seconds).await.unwrap();
            let by_position = app.load::<Account>(&1).at(AsOf::Position(recorded.position)).await.unwrap();
            assert_eq!(by_time.state, by_position.state);
        }
        assert_eq!(at(1_000_000).await.unwrap().state.balance, 6, "a time to come is the present");
    });
}

#[test]
fn an_aggregate_can_be_asked_as_of_a_revision_and_a_tagged_view_cannot() {
    block_on(async {
        let app = app_with([opened(1)]).await;
        for _ in 0..3 {
            app.execute(AddItem { cart: 1 }).await.unwrap();
        }
        let cart = app.load::<Cart>(&1).at(AsOf::Revision(Revision::new(1))).await.unwrap();
        assert_eq!((cart.state.items, cart.position.map(Position::get)), (2, Some(3)));
        let error = app.load::<Cart>(&1).at(AsOf::Revision(Revision::new(3))).await.expect_err("not yet");
        assert_eq!(error.to_string(), "revision 3 is not recorded yet; the stream is at 2");
        let error =
            app.load::<Account>(&1).at(AsOf::Revision(Revision::new(0))).await.expect_err("no stream");
        assert!(error.to_string().contains("ask by position or time"), "{error}");
    });
}

/// An answer "as of" a place that does not exist yet would change later without a word.
#[test]
fn a_position_that_is_not_recorded_yet_is_an_error() {
    block_on(async {
        let app = app_with([opened(1)]).await;
        let at = AsOf::Position(Position::new(2).unwrap());
        let error = app.load::<Account>(&1).at(at).await.expect_err("the head is 1");
        assert_eq!(
            error.to_string(),
            "position 2 is not recorded yet; the head is 1, ask for a position up to it"
        );
    });
}

fn facts() -> impl Strategy<Value = Vec<AccountEvent>> {
    let fact = (0..4_u64, 0..50_u64, 0..3_u8).prop_map(|(account, amount, kind)| match kind {
        0 => opened(account),
        _ => deposited(account, amount),
    });
    vec(fact, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A tuple that mixes up whose event is whose would decide on the wrong facts.
    #[test]
    fn a_tuple_of_views_equals_the_views_folded_apart(facts in facts(), until in 0..40_u64) {
        block_on(async {
            let app = app_with(facts.clone()).await;
            let head = app.store().head().await.unwrap().position;
            let at = Position::new(until.min(Position::number(head)));
            let (a, b, c) = match at {
                Some(at) => app.load::<(Account, Account, Cart)>(&(1, 2, 3)).at(AsOf::Position(at)).await.unwrap().state,
                None => app.load::<(Account, Account, Cart)>(&(1, 2, 3)).await.unwrap().state,
            };
            let taken = at.map_or(facts.len(), |at| usize::try_from(at.get()).unwrap());
            let known = given(facts[..taken].to_vec());
            assert_eq!((a, b, c), (known.view(&1), known.view(&2), Cart::default()));
        });
    }
}
