//! The test kit of processes: what it accepts, and the mistakes it must not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use factlog::process::{Dispatch, Dispatching, Effects, Input, ProcessManager};
use factlog::{GivenProcess, Recorded, given_process};

use super::shop::{DEADLINE, Do, Fact, Fulfil, Fulfilment, OUT_OF_STOCK, Paid, Placed, Reserved, Timer};

fn placed() -> GivenProcess<Fulfil> {
    given_process(Fulfil).when(Placed { order: 1 })
}

#[test]
fn a_process_is_tested_without_store_and_runtime_over_days() {
    placed()
        .timers("1", [(Timer::Reminder, DEADLINE / 2), (Timer::Deadline, DEADLINE)])
        .then([Do::Reserve { order: 1 }])
        .when(Reserved { order: 1 })
        .advance(DEADLINE / 2)
        .then([Do::Remind { order: 1 }])
        .timers("1", [(Timer::Deadline, DEADLINE / 2)])
        .state("1", &Fulfilment { order: 1, paid: false })
        .advance(DEADLINE)
        .then([Do::Fail { order: 1 }, Do::Release { order: 1 }])
        .completed("1")
        .when(Paid { order: 1 })
        .then_nothing();
    placed()
        .then([Do::Reserve { order: 1 }])
        .when(Paid { order: 1 })
        .advance(DEADLINE * 1_000)
        .then([Do::Ship { order: 1 }])
        .timers("1", [] as [(Timer, _); 0]);
    given_process(Fulfil)
        .when(Placed { order: OUT_OF_STOCK })
        .refused(Do::Reserve { order: OUT_OF_STOCK }, "nothing in stock")
        .then([Do::Fail { order: OUT_OF_STOCK }])
        .completed("1000");
    given_process(Fulfil).when(Paid { order: 9 }).then_nothing();
}

fn fails(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("the kit must not accept this");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn the_kit_says_what_was_decided_where_something_else_was_expected() {
    let said = fails(|| drop(placed().then([Do::Ship { order: 1 }])));
    assert!(said.contains("- Object") && said.contains("Reserve"), "{said}");
    assert!(fails(|| drop(placed().then_nothing())).contains("Reserve"));
    assert!(fails(|| drop(placed().completed("1"))).contains("Open"));
    assert!(fails(|| drop(placed().completed("2"))).contains("None"));
    assert!(fails(|| drop(placed().refused(Do::Pay { order: 1 }, ""))).contains("Reserve"));
    assert!(fails(|| drop(placed().timers("1", [(Timer::Deadline, DEADLINE)]))).contains("Reminder"));
    let state = Fulfilment { order: 2, paid: false };
    assert!(fails(|| drop(placed().state("1", &state))).contains("\"order\":2"));
}

/// Decides by how often it was asked.
#[derive(Default)]
struct Impure(AtomicU64);

impl ProcessManager for Impure {
    type Event = Fact;
    type State = ();
    type Command = Do;
    type Timer = ();
    const NAME: &'static str = "impure";
    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        Some(event.event.order().to_string())
    }
    fn evolve(&self, (): &mut (), _: &Input<Self>) {}
    fn react(&self, (): &(), _: &Input<Self>) -> Effects<Self> {
        Effects::none().command(Do::Ship { order: self.0.fetch_add(1, Ordering::Relaxed) })
    }
    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        to.execute(command)
    }
}

/// An impure `react` is a different process after each crash.
#[test]
fn a_process_that_decides_differently_the_second_time_fails_the_kit() {
    let said = fails(|| drop(given_process(Impure::default()).when(Placed { order: 1 })));
    assert!(said.contains("must be pure"), "{said}");
}
