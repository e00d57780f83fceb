//! The bounded context of these tests: an order that takes stock and money, and gives back what it took.

use std::time::Duration;

use factlog::process::{Dispatch, Dispatching, Effects, Input, ProcessManager};
use factlog::{App, Context, Decide, Event, EventSet, Events, Recorded, Result, Tags, View, events, tags};
use serde::{Deserialize, Serialize};

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// How long a customer has to pay.
pub(crate) const DEADLINE: Duration = Duration::from_secs(1_800);

macro_rules! facts {
    ($($name:ident = $text:literal),*) => {
        $(
            #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[event(name = $text, tags(order = order))]
            pub(crate) struct $name { pub(crate) order: u64 }
        )*
        impl Fact {
            pub(crate) fn order(&self) -> u64 {
                match self { $(Self::$name(fact) => fact.order),* }
            }
        }
    };
}

facts! {
    Placed = "order.placed", Reserved = "stock.reserved", Released = "stock.released", Paid = "order.paid",
    Shipped = "order.shipped", Reminded = "customer.reminded", Failed = "order.failed"
}

#[derive(EventSet, Clone, Debug, PartialEq)]
pub(crate) enum Fact {
    Placed(Placed),
    Reserved(Reserved),
    Released(Released),
    Paid(Paid),
    Shipped(Shipped),
    Reminded(Reminded),
    Failed(Failed),
}

/// How often each thing happened to an order.
#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) placed: u32,
    pub(crate) reserved: u32,
    pub(crate) released: u32,
    pub(crate) paid: u32,
    pub(crate) shipped: u32,
    pub(crate) reminded: u32,
    pub(crate) failed: u32,
}

impl View for Order {
    type Id = u64;
    type Event = Fact;
    const NAME: &'static str = "order";
    fn tags(order: &u64) -> Result<Tags> {
        tags![order = order]
    }
    fn apply(&mut self, fact: &Fact) {
        *match fact {
            Fact::Placed(_) => &mut self.placed,
            Fact::Reserved(_) => &mut self.reserved,
            Fact::Released(_) => &mut self.released,
            Fact::Paid(_) => &mut self.paid,
            Fact::Shipped(_) => &mut self.shipped,
            Fact::Reminded(_) => &mut self.reminded,
            Fact::Failed(_) => &mut self.failed,
        } += 1;
    }
}

/// What can be done to an order. It happens as often as it is executed: only its key keeps it from happening twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Do {
    Place { order: u64 },
    Reserve { order: u64 },
    Release { order: u64 },
    Pay { order: u64 },
    Ship { order: u64 },
    Remind { order: u64 },
    Fail { order: u64 },
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("nothing in stock for order {0}")]
pub(crate) struct OutOfStock(pub(crate) u64);

/// Orders from here on find nothing in stock.
pub(crate) const OUT_OF_STOCK: u64 = 1_000;

impl Decide for Do {
    type Model = ();
    type Event = Fact;
    type Error = OutOfStock;
    fn boundary(&self) {}
    fn decide(&self, (): &(), _: &Context) -> Result<Events<Fact>, OutOfStock> {
        Ok(match *self {
            Self::Place { order } => events![Placed { order }],
            Self::Reserve { order } if OUT_OF_STOCK <= order => return Err(OutOfStock(order)),
            Self::Reserve { order } => events![Reserved { order }],
            Self::Release { order } => events![Released { order }],
            Self::Pay { order } => events![Paid { order }],
            Self::Ship { order } => events![Shipped { order }],
            Self::Remind { order } => events![Reminded { order }],
            Self::Fail { order } => events![Failed { order }],
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Timer {
    Reminder,
    Deadline,
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fulfilment {
    pub(crate) order: u64,
    pub(crate) paid: bool,
}

/// Reserves, reminds after a quarter of an hour, gives up after half an hour, ships what is paid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fulfil;

impl ProcessManager for Fulfil {
    type Event = Fact;
    type State = Fulfilment;
    type Command = Do;
    type Timer = Timer;
    const NAME: &'static str = "fulfil";

    fn instance(&self, event: &Recorded<Fact>) -> Option<String> {
        let own = !matches!(event.event, Fact::Released(_) | Fact::Reminded(_) | Fact::Failed(_));
        own.then(|| event.event.order().to_string())
    }

    fn begins(&self, event: &Recorded<Fact>) -> bool {
        matches!(event.event, Fact::Placed(_))
    }

    fn evolve(&self, state: &mut Fulfilment, input: &Input<Self>) {
        if let Input::Event(recorded) = input {
            state.order = recorded.event.order();
            state.paid |= matches!(recorded.event, Fact::Paid(_));
        }
    }

    fn react(&self, state: &Fulfilment, input: &Input<Self>) -> Effects<Self> {
        let order = state.order;
        match input {
            Input::Event(recorded) => match recorded.event {
                Fact::Placed(_) => Effects::none()
                    .command(Do::Reserve { order })
                    .timer(Timer::Reminder, DEADLINE / 2)
                    .timer(Timer::Deadline, DEADLINE),
                Fact::Reserved(_) => Effects::none().compensation(Do::Release { order }),
                Fact::Paid(_) => Effects::none()
                    .cancel(Timer::Reminder)
                    .cancel(Timer::Deadline)
                    .command(Do::Ship { order }),
                Fact::Shipped(_) => Effects::none().complete(),
                Fact::Released(_) | Fact::Reminded(_) | Fact::Failed(_) => Effects::none(),
            },
            Input::TimerFired(Timer::Reminder) => Effects::none().command(Do::Remind { order }),
            Input::TimerFired(Timer::Deadline) => {
                Effects::none().command(Do::Fail { order }).compensate().complete()
            }
            Input::Refused { .. } => Effects::none().command(Do::Fail { order }).compensate().complete(),
        }
    }

    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        to.execute(command)
    }
}

/// An order as it came to be.
pub(crate) async fn order(app: &App, order: u64) -> Order {
    app.load::<Order>(&order).await.unwrap().state
}
