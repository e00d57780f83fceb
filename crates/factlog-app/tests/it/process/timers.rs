//! Trap 27: timers over jumping clocks, long absences, and cancellations that come at the last moment.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use factlog::process::{Dispatch, Dispatching, Effects, Input, ProcessManager};
use factlog::{App, Clock, EventStore, ManualClock, MemoryStore, Recorded, Timestamp};
use factlog_core::{Append, Event, Query, QueryItem, ReadOptions, Tags};
use pollster::block_on;

use super::meddler::Meddler;
use super::shop::{DEADLINE, Do, Fact, Fulfil, HOUR, Order, order};

fn app() -> (App, Meddler, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    clock.advance(HOUR * 1_000);
    let store = Meddler::new(MemoryStore::with_clock(clock.clone()));
    (App::builder(store.clone()).clock(clock.clone()).build(), store, clock)
}

const HOUR_MICROS: i64 = 3_600_000_000;
/// In hours, before each order.
const JUMPS: [i64; 8] = [0, 1, -1, 1, 1, -1, -1, 0];

/// Test (g): each reminder and each deadline once, whatever the clock does.
fn no_timer_is_lost_or_doubled<P: ProcessManager + Clone>(
    jumps: &[i64],
    process: impl Fn(&Arc<ManualClock>) -> P,
) {
    block_on(async {
        let (app, _, clock) = app();
        let process = process(&clock);
        for (number, jump) in (0..40).zip(jumps.iter().cycle()) {
            app.execute(Do::Place { order: number }).await.unwrap();
            app.process(process.clone()).run_until_idle().await.unwrap();
            clock.set(Timestamp::from_micros(clock.now().as_micros() + jump * HOUR_MICROS));
            clock.advance(Duration::from_secs(60));
            app.process(process.clone()).run_until_idle().await.unwrap();
        }
        for _ in 0..40 {
            clock.advance(Duration::from_secs(300));
            app.process(process.clone()).run_until_idle().await.unwrap();
        }
        for number in 0..40 {
            let expected =
                Order { placed: 1, reserved: 1, released: 1, reminded: 1, failed: 1, ..Order::default() };
            assert_eq!(order(&app, number).await, expected, "order {number}");
        }
    });
}

#[test]
fn clocks_that_jump_an_hour_lose_and_double_no_timer() {
    no_timer_is_lost_or_doubled(&JUMPS, |_| Fulfil);
}

/// A process that looks at the clock itself, and believes that it is later than before.
#[derive(Clone)]
struct Impatient(Arc<ManualClock>);

impl ProcessManager for Impatient {
    type Event = Fact;
    type State = (u64, i64);
    type Command = Do;
    type Timer = String;
    const NAME: &'static str = "impatient";
    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        Fulfil.instance(event)
    }
    fn begins(&self, event: &Recorded<Fact>) -> bool {
        Fulfil.begins(event)
    }
    fn evolve(&self, state: &mut (u64, i64), input: &Input<Self>) {
        if let Input::Event(Recorded { event: Fact::Placed(placed), .. }) = input {
            *state = (placed.order, self.0.now().as_micros());
        }
    }
    fn react(&self, (order, placed): &(u64, i64), input: &Input<Self>) -> Effects<Self> {
        let order = *order;
        match input {
            Input::Event(Recorded { event: Fact::Placed(_), .. }) => {
                Effects::none().command(Do::Reserve { order }).timer("tick", DEADLINE / 2)
            }
            Input::Event(Recorded { event: Fact::Reserved(_), .. }) => {
                Effects::none().compensation(Do::Release { order })
            }
            Input::Event(_) | Input::Refused { .. } => Effects::none(),
            Input::TimerFired(_) => {
                let waited = Duration::from_micros((self.0.now().as_micros() - placed).unsigned_abs());
                if waited < DEADLINE {
                    return Effects::none().command(Do::Remind { order }).timer("tick", DEADLINE / 2);
                }
                Effects::none().command(Do::Fail { order }).compensate().complete()
            }
        }
    }
    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        to.execute(command)
    }
}

/// The twin: what it asks the clock, the clock answers differently another time.
#[test]
fn a_process_that_measures_time_itself_is_caught_by_the_same_test() {
    no_timer_is_lost_or_doubled(&[0], |clock| Impatient(clock.clone()));
    let body = || no_timer_is_lost_or_doubled(&JUMPS, |clock| Impatient(clock.clone()));
    assert!(catch_unwind(AssertUnwindSafe(body)).is_err());
}

/// After a day away, what happened in time comes before the deadline that passed meanwhile.
#[test]
fn a_process_that_was_away_over_a_deadline_hears_first_what_happened_before_it() {
    block_on(async {
        let (app, _, clock) = app();
        app.execute(Do::Place { order: 1 }).await.unwrap();
        app.process(Fulfil).run_until_idle().await.unwrap();
        app.execute(Do::Pay { order: 1 }).await.unwrap();
        clock.advance(HOUR * 24);
        app.process(Fulfil).run_until_idle().await.unwrap();
        let expected = Order { placed: 1, reserved: 1, paid: 1, shipped: 1, ..Order::default() };
        assert_eq!(order(&app, 1).await, expected);
        let fired = Query::any_of([QueryItem::of_types(["$process.timer-fired".parse().unwrap()])]).unwrap();
        let fired = app.store().read(fired, ReadOptions::default()).collect().await.unwrap().events;
        assert_eq!(fired, [], "and then there is nothing left to fire");
    });
}

/// A clock that was set back must not hold up what is due by the log's own time.
#[test]
fn a_timer_is_due_when_the_log_says_so_although_the_clock_was_set_back() {
    block_on(async {
        let (app, _, clock) = app();
        let before = clock.now();
        app.execute(Do::Place { order: 1 }).await.unwrap();
        app.process(Fulfil).run_until_idle().await.unwrap();
        clock.advance(DEADLINE);
        app.execute(Do::Place { order: 2 }).await.unwrap();
        clock.set(before);
        app.process(Fulfil).run_until_idle().await.unwrap();
        assert_eq!((order(&app, 1).await.failed, order(&app, 2).await.failed), (1, 0));
    });
}

/// A payment that is recorded just before the deadline is: the process hears of the payment only.
#[test]
fn a_timer_that_fires_while_it_is_being_cancelled_is_not_heard_of() {
    block_on(async {
        let (app, store, clock) = app();
        app.execute(Do::Place { order: 1 }).await.unwrap();
        app.process(Fulfil).run_until_idle().await.unwrap();
        clock.advance(DEADLINE / 2);
        app.process(Fulfil).run_until_idle().await.unwrap();
        clock.advance(DEADLINE / 2);
        let paid = Event::new("order.paid".parse().unwrap(), r#"{"order":1}"#);
        let paid = paid.tagged(Tags::new(["order:1"]).unwrap());
        *store.before.lock() = Some(("$process.timer-fired", Append::new([paid])));
        let status = app.process(Fulfil).run_until_idle().await.unwrap();
        assert!(store.before.lock().is_none(), "it was paid at the last moment");
        let expected = Order { placed: 1, reserved: 1, paid: 1, shipped: 1, reminded: 1, ..Order::default() };
        assert_eq!(order(&app, 1).await, expected);
        assert_eq!((status.open, status.timers), (0, 0));
    });
}

/// Timers further away than a date can be written must not make the instance unreadable.
#[test]
fn a_timer_beyond_all_dates_is_due_at_the_last_one() {
    #[derive(Clone)]
    struct Patient;
    impl ProcessManager for Patient {
        type Event = Fact;
        type State = ();
        type Command = Do;
        type Timer = u8;
        const NAME: &'static str = "patient";
        fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
            Some(event.event.order().to_string())
        }
        fn evolve(&self, (): &mut (), _: &Input<Self>) {}
        fn react(&self, (): &(), input: &Input<Self>) -> Effects<Self> {
            match input {
                Input::Event(_) => Effects::none()
                    .timer(1, Duration::MAX)
                    .timer_at(2, Timestamp::from_micros(i64::MAX))
                    .timer_at(3, Timestamp::from_micros(i64::MIN)),
                Input::TimerFired(_) | Input::Refused { .. } => Effects::none(),
            }
        }
        fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
            to.execute(command)
        }
    }
    block_on(async {
        let (app, _, _) = app();
        app.execute(Do::Place { order: 1 }).await.unwrap();
        for _ in 0..2 {
            let status = app.process(Patient).run_until_idle().await.unwrap();
            assert_eq!((status.timers, status.quarantined), (2, 0));
        }
    });
}
