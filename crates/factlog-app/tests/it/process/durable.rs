//! A process over the durable log: what it remembers outlives the program.

use std::path::Path;
use std::sync::Arc;

use factlog::{App, Clock, EventStore, ManualClock, Timestamp};
use factlog_engine::{Engine, Settings};
use pollster::block_on;

use super::shop::{DEADLINE, Do, Fulfil, HOUR, Order, order};

fn open(directory: &Path, clock: &Arc<ManualClock>) -> App {
    App::builder(Engine::open(directory, Settings::default()).unwrap()).clock(clock.clone()).build()
}

/// Trap 27: timers in memory die with the program.
#[test]
fn timers_and_commands_outlive_the_program_on_the_durable_log() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        // The engine's own time is the system's: this clock goes on from there.
        let clock = Arc::new(ManualClock::default());
        let app = open(directory.path(), &clock);
        for order in 0..20 {
            app.execute(Do::Place { order }).await.unwrap();
        }
        let recorded = app.store().head().await.unwrap().recorded_at.unwrap();
        clock.set(recorded);
        let running = app.process(Fulfil).start().await.unwrap();
        running.idle().await.unwrap();
        assert_eq!(running.status().timers, 40);
        running.stop().await.unwrap();
        app.store().close().await.unwrap();
        drop(app);

        clock.set(Timestamp::from_micros(clock.now().as_micros()));
        clock.advance(HOUR + DEADLINE);
        let app = open(directory.path(), &clock);
        app.execute(Do::Pay { order: 7 }).await.unwrap();
        let running = app.process(Fulfil).start().await.unwrap();
        running.idle().await.unwrap();
        assert_eq!((running.status().open, running.status().timers), (0, 0));
        for number in 0..20 {
            let placed = Order { placed: 1, reserved: 1, ..Order::default() };
            let expected = match number {
                7 => Order { paid: 1, shipped: 1, ..placed },
                _ => Order { released: 1, reminded: 1, failed: 1, ..placed },
            };
            assert_eq!(order(&app, number).await, expected, "order {number}");
        }
        running.stop().await.unwrap();
        app.store().close().await.unwrap();
    });
}
