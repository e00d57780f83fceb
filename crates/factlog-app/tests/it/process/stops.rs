//! Trap 22, and test (c) of the traps: a world that stops between any two effects, and processes that are wrong.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use factlog::process::{Dispatch, Dispatching, Effects, Input, ProcessManager};
use factlog::stops::{LifeResult, World, stop_everywhere, stop_everywhere_twice};
use factlog::{App, ManualClock, MemoryStore, Recorded};
use parking_lot::Mutex;
use pollster::block_on;

use super::shop::{DEADLINE, Do, Fact, Fulfil, Fulfilment, OUT_OF_STOCK, Order, Timer, order};

const PAID: u64 = 1;
const UNPAID: u64 = 2;

/// A store whose time is 1970 throughout.
fn store() -> MemoryStore {
    MemoryStore::with_clock(Arc::new(ManualClock::default()))
}

/// One order that is paid, one that is not, one that cannot be, or some of them: their whole lives.
async fn life<P: ProcessManager + Clone>(
    world: World,
    orders: &[u64],
    process: impl Fn(&App) -> P,
) -> LifeResult {
    let clock = Arc::new(ManualClock::default());
    let app = App::builder(world.store()).clock(clock.clone()).build();
    let process = process(&app);
    for order in orders {
        app.execute(Do::Place { order: *order }).key(format!("place {order}")).await?;
    }
    app.process(process.clone()).run_until_idle().await?;
    if orders.contains(&PAID) {
        app.execute(Do::Pay { order: PAID }).key("pay").await?;
    }
    for _ in 0..3 {
        app.process(process.clone()).run_until_idle().await?;
        clock.advance(DEADLINE / 2);
    }
    Ok(())
}

/// Each thing happened once, and nothing is left over.
async fn check<P: ProcessManager>(world: World, orders: &[u64], process: impl Fn(&App) -> P) {
    let app = App::new(world.store());
    let placed = Order { placed: 1, ..Order::default() };
    for number in orders {
        let expected = match *number {
            PAID => Order { reserved: 1, paid: 1, shipped: 1, ..placed.clone() },
            UNPAID => Order { reserved: 1, released: 1, reminded: 1, failed: 1, ..placed.clone() },
            _ => Order { failed: 1, ..placed.clone() },
        };
        assert_eq!(order(&app, *number).await, expected, "order {number}");
    }
    let status = app.process(process(&app)).run_until_idle().await.unwrap();
    assert_eq!((status.open, status.timers, status.commands, status.quarantined), (0, 0, 0, 0));
}

const ALL: [u64; 3] = [PAID, UNPAID, OUT_OF_STOCK];

fn each_effect_happens_once_wherever_it_stops<P: ProcessManager + Clone>(
    process: impl Fn(&App) -> P + Copy,
) -> u64 {
    let life = async |world: World| life(world, &ALL, process).await;
    let check = async |world: World| check(world, &ALL, process).await;
    block_on(stop_everywhere(store, life, check))
}

/// Traps 11, 22, 23 and 27: stopped before and after each append, no command is done twice or never, no timer is lost
/// or doubled.
#[test]
fn a_process_that_stops_between_any_two_effects_does_each_thing_once() {
    let moments = each_effect_happens_once_wherever_it_stops(|_| Fulfil);
    assert!(30 <= moments, "{moments} moments are too few to be all");
}

/// A recovery that is itself cut short must not count on having been whole.
#[test]
fn a_process_that_stops_again_while_it_recovers_does_each_thing_once() {
    let life = async |world: World| life(world, &[UNPAID], |_| Fulfil).await;
    let check = async |world: World| check(world, &[UNPAID], |_| Fulfil).await;
    let pairs = block_on(stop_everywhere_twice(store, life, check));
    assert!(300 <= pairs, "{pairs} pairs of moments are too few to be all");
}

/// What a wrong process is wrong in.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// Its commands have another key at every try, or none.
    Key,
    /// It does what it should only say: before the commit.
    React,
    /// It keeps to itself what it knows, instead of folding it.
    Memory,
}

/// `Fulfil`, done wrong.
#[derive(Clone)]
struct Twin {
    wrong: Wrong,
    app: App,
    remembered: Arc<Mutex<BTreeSet<u64>>>,
}

impl ProcessManager for Twin {
    type Event = Fact;
    type State = Fulfilment;
    type Command = Do;
    type Timer = Timer;
    const NAME: &'static str = "twin";

    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        Fulfil.instance(event)
    }

    fn begins(&self, event: &Recorded<Fact>) -> bool {
        Fulfil.begins(event)
    }

    fn evolve(&self, state: &mut Fulfilment, input: &Input<Self>) {
        if let Input::Event(recorded) = input {
            state.order = recorded.event.order();
        }
    }

    fn react(&self, state: &Fulfilment, input: &Input<Self>) -> Effects<Self> {
        let order = state.order;
        let effects = match input {
            Input::Event(recorded) => match recorded.event {
                Fact::Placed(_) => Effects::none()
                    .command(Do::Reserve { order })
                    .timer(Timer::Reminder, DEADLINE / 2)
                    .timer(Timer::Deadline, DEADLINE),
                Fact::Reserved(_) => {
                    self.remembered.lock().insert(order);
                    Effects::none().compensation(Do::Release { order })
                }
                Fact::Paid(_) => Effects::none().cancel(Timer::Reminder).cancel(Timer::Deadline),
                Fact::Shipped(_) => return Effects::none().complete(),
                Fact::Released(_) | Fact::Reminded(_) | Fact::Failed(_) => return Effects::none(),
            },
            Input::TimerFired(Timer::Reminder) => return Effects::none().command(Do::Remind { order }),
            Input::TimerFired(Timer::Deadline) | Input::Refused { .. } => {
                let effects = Effects::none().command(Do::Fail { order });
                let known = self.remembered.lock().contains(&order);
                return match self.wrong {
                    Wrong::Memory if !known => effects.complete(),
                    Wrong::Memory | Wrong::Key | Wrong::React => effects.compensate().complete(),
                };
            }
        };
        match (input, self.wrong) {
            (Input::Event(Recorded { event: Fact::Paid(_), .. }), Wrong::React) => {
                // A world that has stopped refuses it, which is as good as not having come so far.
                let _ = block_on(self.app.execute(Do::Ship { order }).into_future());
                effects
            }
            (Input::Event(Recorded { event: Fact::Paid(_), .. }), Wrong::Key | Wrong::Memory) => {
                effects.command(Do::Ship { order })
            }
            _ => effects,
        }
    }

    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        match self.wrong {
            Wrong::React | Wrong::Memory => to.execute(command),
            Wrong::Key => {
                let app = self.app.clone();
                let refused = |error: factlog::ExecuteError<_>| match error.store_error() {
                    Some(error) => factlog::process::CallError::Unavailable(error.to_string()),
                    None => factlog::process::CallError::Refused(error.to_string()),
                };
                to.call(async move { app.execute(command).await.map(drop).map_err(refused) })
            }
        }
    }
}

/// A harness that a wrong process passes shows nothing, and one that a right one fails no more.
#[test]
fn a_process_that_is_wrong_about_keys_or_effects_or_memory_is_caught_by_the_same_test() {
    for wrong in [Wrong::Key, Wrong::React, Wrong::Memory] {
        let twin = move |app: &App| Twin { wrong, app: app.clone(), remembered: Arc::default() };
        block_on(async {
            let world = World::new(Arc::new(store()), None);
            life(world.clone(), &ALL, twin).await.unwrap();
            check(world, &ALL, twin).await;
        });
        let caught = catch_unwind(AssertUnwindSafe(|| each_effect_happens_once_wherever_it_stops(twin)));
        let panic = caught.err().unwrap_or_else(|| panic!("{wrong:?} is not caught"));
        let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(said.contains(": order "), "{wrong:?} failed for another reason: {said}");
    }
}
