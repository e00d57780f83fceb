//! The process: what follows from what, over days, and what is undone when it comes to nothing.
//!
//! | it hears | it wants |
//! |---|---|
//! | placed | pieces put aside; whoever does not pay within two days has lost them |
//! | put aside | to put them back, should it come to nothing |
//! | paid | the parcel sent; the money given back, should it come to nothing |
//! | the deadline, or that something is refused | everything undone in reverse, and the order called off |
//! | arrived, or called off | nothing more |

use std::time::Duration;

use factlog::Recorded;
use factlog::process::{Dispatch, Dispatching, Effects, Input, ProcessManager};
use serde::{Deserialize, Serialize};

use crate::OrderEvent;
use crate::rules::{Act, Do};

/// The process manager.
#[derive(Clone, Copy, Debug)]
pub struct Fulfilment {
    /// How long a customer has to pay.
    pub deadline: Duration,
}

impl Default for Fulfilment {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(2 * 24 * 60 * 60) }
    }
}

/// What an instance remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    order: u64,
    article: String,
}

impl Progress {
    fn to(&self, act: Act) -> Do {
        Do { order: self.order, article: self.article.clone(), act }
    }

    fn give_up(&self, reason: String) -> Effects<Fulfilment> {
        Effects::none().cancel("payment").compensate().command(self.to(Act::Cancel(reason)))
    }
}

impl ProcessManager for Fulfilment {
    type Event = OrderEvent;
    type State = Progress;
    type Command = Do;
    type Timer = String;
    const NAME: &'static str = "fulfilment";

    fn instance(&self, event: &Recorded<OrderEvent>) -> Option<String> {
        Some(event.event.order().to_string())
    }

    fn begins(&self, event: &Recorded<OrderEvent>) -> bool {
        matches!(event.event, OrderEvent::Placed(_))
    }

    fn evolve(&self, progress: &mut Progress, input: &Input<Self>) {
        if let Input::Event(Recorded { event: OrderEvent::Placed(placed), .. }) = input {
            *progress = Progress { order: placed.order, article: placed.article.clone() };
        }
    }

    fn react(&self, progress: &Progress, input: &Input<Self>) -> Effects<Self> {
        match input {
            Input::Event(recorded) => match &recorded.event {
                OrderEvent::Placed(_) => {
                    Effects::none().timer("payment", self.deadline).command(progress.to(Act::Reserve))
                }
                OrderEvent::Reserved(_) => Effects::none().compensation(progress.to(Act::Release)),
                OrderEvent::Paid(_) => Effects::none()
                    .cancel("payment")
                    .compensation(progress.to(Act::Refund))
                    .command(progress.to(Act::Ship)),
                // Whoever paid in the very moment in which it was called off gets the money back.
                OrderEvent::Cancelled(_) => Effects::none().compensate().complete(),
                OrderEvent::Delivered(_) => Effects::none().complete(),
                OrderEvent::Released(_) | OrderEvent::Refunded(_) | OrderEvent::Shipped(_) => Effects::none(),
            },
            Input::TimerFired(_) => progress.give_up("it was not paid in time".to_owned()),
            Input::Refused { command: Do { act: Act::Cancel(_), .. }, .. } => Effects::none(),
            Input::Refused { reason, .. } => progress.give_up(reason.clone()),
        }
    }

    fn dispatch(&self, command: Do, to: Dispatch) -> Dispatching {
        to.execute(command)
    }
}
