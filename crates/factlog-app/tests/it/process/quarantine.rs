//! Trap 25: one instance that cannot go on holds up nobody, and loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use factlog::process::{
    Cancellation, Dispatch, Dispatching, Effects, Input, Inspect, Phase, ProcessError, ProcessManager,
    ProcessState,
};
use factlog::{App, ManualClock, MemoryStore, Recorded};
use factlog_core::{Append, Event, EventStoreExt, Tags};
use pollster::block_on;

use super::meddler::Meddler;
use super::shop::{DEADLINE, Do, Fact, Fulfil, Order, order};

/// Writes down what it hears. While it is ill, order 1 makes it panic, where it says.
#[derive(Clone, Default)]
struct Diary {
    ill: Arc<AtomicBool>,
    dispatch: bool,
}

impl ProcessManager for Diary {
    type Event = Fact;
    type State = Vec<String>;
    type Command = Do;
    type Timer = ();
    const NAME: &'static str = "diary";
    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        (!matches!(event.event, Fact::Reminded(_))).then(|| event.event.order().to_string())
    }
    fn evolve(&self, heard: &mut Vec<String>, input: &Input<Self>) {
        heard.push(match input {
            Input::Event(recorded) => {
                let ill = self.ill.load(Ordering::Relaxed) && !self.dispatch;
                assert!(!(ill && recorded.event.order() == 1), "order 1 makes me ill");
                format!("{:?}", recorded.event)
            }
            Input::TimerFired(()) => "timer".to_owned(),
            Input::Refused { .. } => "refused".to_owned(),
        });
    }
    fn react(&self, _: &Vec<String>, input: &Input<Self>) -> Effects<Self> {
        match input {
            Input::Event(Recorded { event: Fact::Placed(placed), .. }) => {
                Effects::none().timer((), DEADLINE).compensation(Do::Release { order: placed.order })
            }
            Input::Event(Recorded { event: Fact::Paid(paid), .. }) => {
                Effects::none().command(Do::Remind { order: paid.order })
            }
            Input::Event(_) | Input::TimerFired(()) | Input::Refused { .. } => Effects::none(),
        }
    }
    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        assert!(!(self.dispatch && self.ill.load(Ordering::Relaxed)), "the way out makes me ill");
        to.execute(command)
    }
}

fn app() -> (App, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (App::builder(MemoryStore::with_clock(clock.clone())).clock(clock.clone()).build(), clock)
}

async fn do_all(app: &App, commands: &[Do]) {
    for command in commands {
        app.execute(command.clone()).await.unwrap();
    }
}

fn life_of(order: u64) -> [Do; 4] {
    [Do::Place { order }, Do::Reserve { order }, Do::Pay { order }, Do::Ship { order }]
}

/// It stands still with what follows in order, also over a restart; the others go on; then it goes on, too.
#[test]
fn an_instance_that_panics_stands_still_and_catches_up_in_order_when_it_is_retried() {
    block_on(async {
        let (app, clock) = app();
        let diary = Diary::default();
        do_all(&app, &[Do::Place { order: 1 }, Do::Place { order: 2 }]).await;
        app.process(diary.clone()).run_until_idle().await.unwrap();
        diary.ill.store(true, Ordering::Relaxed);
        let running = app.process(diary.clone()).start().await.unwrap();
        do_all(&app, &[Do::Reserve { order: 1 }, Do::Reserve { order: 2 }, Do::Pay { order: 1 }]).await;
        running.idle().await.unwrap();
        assert_eq!(running.status().quarantined, 1);
        running.stop().await.unwrap();

        let running = app.process(diary.clone()).start().await.unwrap();
        do_all(&app, &[Do::Pay { order: 2 }, Do::Ship { order: 1 }, Do::Ship { order: 2 }]).await;
        clock.advance(DEADLINE);
        running.look().await.unwrap();
        running.idle().await.unwrap();
        let ill = running.show("1").await.unwrap().unwrap();
        let reason = ill.quarantine.unwrap().reason;
        assert!(reason.contains("order 1 makes me ill"), "{reason}");
        assert_eq!(ill.waiting.len(), 3, "what failed and two more");
        assert_eq!(order(&app, 2).await.reminded, 1, "the other goes on");
        assert_eq!(running.show("2").await.unwrap().unwrap().state.unwrap().as_array().unwrap().len(), 5);

        diary.ill.store(false, Ordering::Relaxed);
        let retried = running.retry("1", "the bug is fixed").await.unwrap();
        running.at_least(retried).await.unwrap();
        running.idle().await.unwrap();
        let well = running.show("1").await.unwrap().unwrap();
        let heard: Vec<String> = serde_json::from_value(well.state.unwrap()).unwrap();
        let expected = ["Placed", "Reserved", "Paid", "Shipped", "timer"];
        for (heard, expected) in heard.iter().zip(expected) {
            assert!(heard.starts_with(expected), "{heard} is not {expected}");
        }
        assert_eq!((heard.len(), well.waiting.len(), well.quarantine), (5, 0, None));
        assert_eq!(order(&app, 1).await.reminded, 1);
        assert!(running.retry("1", "again").await.is_err(), "there is nothing to retry");
        running.stop().await.unwrap();
    });
}

/// A retry that fails again keeps the order, and what comes meanwhile.
#[test]
fn a_retry_that_fails_again_loses_nothing_and_repeats_nothing() {
    block_on(async {
        let (app, _) = app();
        let diary = Diary { ill: Arc::new(AtomicBool::new(true)), dispatch: false };
        let inspect = Inspect::new(app.store().clone(), "diary").unwrap();
        for command in life_of(1) {
            app.execute(command).await.unwrap();
            app.process(diary.clone()).run_until_idle().await.unwrap();
            inspect.retry("1", "perhaps now").await.unwrap();
        }
        app.process(diary.clone()).run_until_idle().await.unwrap();
        diary.ill.store(false, Ordering::Relaxed);
        inspect.retry("1", "now").await.unwrap();
        app.process(diary).run_until_idle().await.unwrap();
        let well = inspect.show("1").await.unwrap().unwrap();
        assert_eq!(well.state.unwrap().as_array().unwrap().len(), 4);
        assert_eq!(order(&app, 1).await.reminded, 1);
    });
}

/// A command that can never be dispatched stops its instance, not the process.
#[test]
fn a_command_whose_dispatch_panics_stops_its_instance_until_it_is_retried() {
    block_on(async {
        let (app, _) = app();
        let diary = Diary { ill: Arc::new(AtomicBool::new(true)), dispatch: true };
        do_all(&app, &[Do::Place { order: 1 }, Do::Pay { order: 1 }, Do::Ship { order: 1 }]).await;
        let status = app.process(diary.clone()).run_until_idle().await.unwrap();
        assert_eq!((status.quarantined, status.commands), (1, 1));
        let inspect = Inspect::new(app.store().clone(), "diary").unwrap();
        let stuck = inspect.show("1").await.unwrap().unwrap().quarantine.unwrap();
        assert!(stuck.command.is_some() && stuck.reason.contains("the way out makes me ill"), "{stuck:?}");
        diary.ill.store(false, Ordering::Relaxed);
        inspect.retry("1", "the way is free").await.unwrap();
        let status = app.process(diary).run_until_idle().await.unwrap();
        assert_eq!((status.quarantined, status.commands), (0, 0));
        assert_eq!(order(&app, 1).await.reminded, 1);
    });
}

/// An operator ends what cannot be mended, and what was done is undone.
#[test]
fn a_cancelled_instance_is_compensated_and_hears_nothing_more() {
    block_on(async {
        let (app, clock) = app();
        let diary = Diary::default();
        let running = app.process(diary).start().await.unwrap();
        do_all(&app, &[Do::Place { order: 1 }, Do::Place { order: 2 }]).await;
        running.idle().await.unwrap();
        running.cancel("1", Cancellation::Compensate, "the customer called").await.unwrap();
        running.cancel("2", Cancellation::Abandon, "a test").await.unwrap();
        running.idle().await.unwrap();
        do_all(&app, &[Do::Pay { order: 1 }, Do::Pay { order: 2 }]).await;
        clock.advance(DEADLINE);
        running.look().await.unwrap();
        running.idle().await.unwrap();
        let released = Order { placed: 1, released: 1, paid: 1, ..Order::default() };
        assert_eq!(order(&app, 1).await, released);
        assert_eq!(order(&app, 2).await, Order { released: 0, ..released });
        assert_eq!(running.show("1").await.unwrap().unwrap().phase, Phase::Cancelled);
        assert!(running.cancel("1", Cancellation::Compensate, "twice").await.is_err());
        assert_eq!(running.status().open, 0);
        running.stop().await.unwrap();
    });
}

/// An operator who is a moment faster than the process must have been heard.
#[test]
fn a_cancellation_that_overtakes_a_reaction_is_not_overlooked() {
    block_on(async {
        let clock = Arc::new(ManualClock::default());
        let store = Meddler::new(MemoryStore::with_clock(clock.clone()));
        let app = App::builder(store.clone()).clock(clock).build();
        do_all(&app, &[Do::Place { order: 1 }]).await;
        app.process(Fulfil).run_until_idle().await.unwrap();
        let record =
            r#"{"process":"fulfil","version":1,"instance":"1","reason":"by hand, as the format says"}"#;
        let cancelled = Event::new("$process.cancelled".parse().unwrap(), record)
            .in_stream("$process-fulfil:1".parse().unwrap())
            .tagged(Tags::new(["$process:fulfil"]).unwrap());
        do_all(&app, &[Do::Pay { order: 1 }]).await;
        *store.before.lock() = Some(("$process.reacted", Append::new([cancelled])));
        let status = app.process(Fulfil).run_until_idle().await.unwrap();
        assert!(store.before.lock().is_none(), "it was cancelled at the last moment");
        assert_eq!((status.open, status.timers, status.commands), (0, 0, 0));
        assert_eq!(order(&app, 1).await.shipped, 0);
    });
}

/// Trap 40: an event that cannot be read is no instance's: the process stands still and says so.
#[test]
fn an_event_that_cannot_be_read_stops_the_process_before_it() {
    block_on(async {
        let (app, _) = app();
        let running = app.process(Diary::default()).start().await.unwrap();
        let broken = Event::new("order.paid".parse().unwrap(), "not json");
        app.store().append_one(broken).await.unwrap();
        do_all(&app, &[Do::Place { order: 1 }]).await;
        let failed = running.idle().await.expect_err("it cannot be read");
        assert!(matches!(failed, ProcessError::Codec(_)), "{failed}");
        assert!(matches!(running.status().state, ProcessState::Failed(_)));
        assert!(running.show("1").await.unwrap().is_none());
        assert!(running.stop().await.is_err());
    });
}
