//! A process from its first event to its last, on a thread and without one.

use std::sync::Arc;
use std::time::Duration;

use factlog::process::{Phase, ProcessState};
use factlog::{App, ManualClock, MemoryStore};
use pollster::block_on;

use super::shop::{DEADLINE, Do, Fulfil, OUT_OF_STOCK, Order, order};

fn app() -> (App, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let store = MemoryStore::with_clock(clock.clone());
    (App::builder(store).clock(clock.clone()).build(), clock)
}

/// The whole way, in one go: reserved, reminded, paid, shipped, complete; the deadline is not heard of.
#[test]
fn an_order_that_is_paid_in_time_is_shipped_and_over() {
    block_on(async {
        let (app, clock) = app();
        app.execute(Do::Place { order: 1 }).await.unwrap();
        let status = app.process(Fulfil).run_until_idle().await.unwrap();
        assert_eq!((status.open, status.timers, status.commands), (1, 2, 0));
        clock.advance(DEADLINE / 2);
        app.process(Fulfil).run_until_idle().await.unwrap();
        app.execute(Do::Pay { order: 1 }).await.unwrap();
        clock.advance(DEADLINE);
        let status = app.process(Fulfil).run_until_idle().await.unwrap();
        assert_eq!((status.open, status.timers, status.commands), (0, 0, 0));
        let expected = Order { placed: 1, reserved: 1, paid: 1, shipped: 1, reminded: 1, ..Order::default() };
        assert_eq!(order(&app, 1).await, expected);
    });
}

/// What was reserved is released when the money does not come; what was never reserved is not.
#[test]
fn an_order_that_is_not_paid_is_undone_and_a_refusal_undoes_only_what_was_done() {
    block_on(async {
        let (app, clock) = app();
        for order in [1, OUT_OF_STOCK] {
            app.execute(Do::Place { order }).await.unwrap();
        }
        app.process(Fulfil).run_until_idle().await.unwrap();
        let refused = Order { placed: 1, failed: 1, ..Order::default() };
        assert_eq!(order(&app, OUT_OF_STOCK).await, refused);
        clock.advance(DEADLINE);
        let status = app.process(Fulfil).run_until_idle().await.unwrap();
        let undone =
            Order { placed: 1, reserved: 1, released: 1, reminded: 1, failed: 1, ..Order::default() };
        assert_eq!(order(&app, 1).await, undone);
        assert_eq!(status.open, 0);
    });
}

/// A thread that follows: what is committed while it runs is handled, and what is due when it looks.
#[tokio::test]
async fn a_running_process_follows_what_is_committed_and_what_the_clock_says() {
    let (app, clock) = app();
    let fulfil = app.process(Fulfil).start().await.unwrap();
    let mut last = None;
    for order in 0..50 {
        last = app.execute(Do::Place { order }).await.unwrap().position;
    }
    fulfil.at_least(last).await.unwrap();
    fulfil.idle().await.unwrap();
    assert_eq!((fulfil.status().open, fulfil.status().timers), (50, 100));
    for order in 0..25 {
        app.execute(Do::Pay { order }).await.unwrap();
    }
    fulfil.idle().await.unwrap();
    clock.advance(DEADLINE);
    fulfil.look().await.unwrap();
    fulfil.idle().await.unwrap();
    assert_eq!(fulfil.status().open, 0);
    assert_eq!(fulfil.lag().await.unwrap(), 0);
    assert!(matches!(fulfil.status().state, ProcessState::Live));
    for n in 0..50 {
        let found = order(&app, n).await;
        assert_eq!((found.shipped, found.failed), if n < 25 { (1, 0) } else { (0, 1) }, "{n}");
    }
    let shown = fulfil.show("1").await.unwrap().unwrap();
    assert_eq!(shown.phase, Phase::Completed);
    fulfil.stop().await.unwrap();
    assert!(matches!(fulfil.status().state, ProcessState::Stopped));
}

/// Without a runtime, and with the system's clock: it looks by itself.
#[test]
fn a_process_needs_no_runtime_and_looks_at_the_clock_by_itself() {
    block_on(async {
        let clock = Arc::new(ManualClock::default());
        let app = App::builder(MemoryStore::with_clock(clock.clone())).clock(clock.clone()).build();
        let fulfil = app.process(Fulfil).start().await.unwrap();
        app.execute(Do::Place { order: 1 }).await.unwrap();
        fulfil.idle().await.unwrap();
        clock.advance(DEADLINE + Duration::from_secs(1));
        let mut tries = 0;
        while order(&app, 1).await.failed == 0 {
            tries += 1;
            assert!(tries < 1_000, "{:?}", fulfil.status());
            std::thread::sleep(Duration::from_millis(10));
        }
        fulfil.stop().await.unwrap();
    });
}
