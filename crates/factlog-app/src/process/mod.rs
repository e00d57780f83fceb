//! Process managers: events in, commands out, with timers and compensation, over days and crashes.
//!
//! * All that a process remembers is in the event log, in streams that begin with `$process-`: there is one truth, and
//!   it works over every store. Its memory is the fold of those records and nothing else.
//! * Each input is handled once: state, commands, timers and compensations are one event of one commit, together with
//!   how far the inputs are handled, under the condition that nobody else has written meanwhile.
//! * Commands are dispatched after that commit, under a key that follows from process, instance, input and index: a
//!   crash repeats nothing. Of one instance they go in order, of several side by side.
//! * A timer fires as an event, and is heard of exactly once, unless an input before it cancelled it. Due timers fire
//!   only when all inputs recorded so far are handled, so that a runner that was away for a day hears first what
//!   happened in time. The clock only says when to look: if it jumps, timers fire early or late, none twice or never.
//! * An instance that cannot go on stands still with its later inputs in order; the others go on.
//!
//! # Limits
//!
//! One runner per process and log; a second one is fenced by the first commit that either makes. Open instances are in
//! memory, completed ones are not. An instance's state with its compensations, and each event that is its effect, must
//! fit in an event of 16 MiB.

mod book;
mod dispatch;
mod effects;
mod feed;
mod handle;
mod inspect;
mod instance;
mod json;
mod names;
mod react;
mod record;
mod resume;
mod runner;
mod stage;
mod staging;
mod status;
pub(crate) mod testing;
mod thread;

use std::fmt;

use factlog_core::StartFrom;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use react::micros;

pub use dispatch::{CallError, Dispatch, Dispatching};
pub use effects::Effects;
pub use handle::Processes;
pub use inspect::{Cancellation, Inspect, Overview};
pub use instance::{Instance, OpenCommand, OpenTimer, Phase, Quarantine};
pub use record::{CommandRef, InputRef};
pub use status::{ParkedStep, ProcessError, ProcessState, ProcessStatus};

use crate::{App, EventSet, Recorded};

/// Events in, commands out: a state machine per instance that lives for days.
///
/// `evolve` folds and `react` says what follows, both pure. They are separate, so that no replay can repeat an effect.
///
/// ```
/// # extern crate factlog_app as factlog;
#[doc = include_str!("../docs/orders.txt")]
/// /// An order that is placed and not paid within half an hour is cancelled.
/// struct Payments;
///
/// impl ProcessManager for Payments {
///     type Event = OrderEvent;
///     type State = u64;
///     type Command = Cancel;
///     type Timer = String;
///     const NAME: &'static str = "payments";
///     fn instance(&self, event: &Recorded<OrderEvent>) -> Option<String> {
///         match &event.event {
///             OrderEvent::Placed(Placed { order }) | OrderEvent::Paid(Paid { order }) => Some(order.to_string()),
///             OrderEvent::Cancelled(_) => None,
///         }
///     }
///     fn evolve(&self, order: &mut u64, input: &Input<Self>) {
///         if let Input::Event(Recorded { event: OrderEvent::Placed(placed), .. }) = input {
///             *order = placed.order;
///         }
///     }
///     fn react(&self, order: &u64, input: &Input<Self>) -> Effects<Self> {
///         match input {
///             Input::Event(Recorded { event: OrderEvent::Placed(_), .. }) => {
///                 Effects::none().timer("payment", Duration::from_secs(30 * 60))
///             }
///             Input::Event(_) => Effects::none().cancel("payment").complete(),
///             Input::TimerFired(_) => Effects::none().command(Cancel { order: *order }).complete(),
///             Input::Refused { .. } => Effects::none(),
///         }
///     }
///     fn dispatch(&self, command: Cancel, to: Dispatch) -> Dispatching {
///         to.execute(command)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// let clock = Arc::new(ManualClock::default());
/// let app = App::builder(MemoryStore::with_clock(clock.clone())).clock(clock.clone()).build();
/// app.execute(Place { order: 7 }).await?;
///
/// let payments = app.process(Payments).start().await?;
/// payments.idle().await?;
/// assert_eq!(payments.status().timers, 1);
/// clock.advance(Duration::from_secs(30 * 60));
/// payments.look().await?;
/// payments.idle().await?;
/// assert!(app.load::<Order>(&7).await?.state.cancelled);
/// payments.stop().await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a process manager",
    label = "no `ProcessManager` here",
    note = "write `impl ProcessManager for {Self}` with its events, state, commands and timers, `fn instance`, `fn evolve`, `fn react` and `fn dispatch`"
)]
pub trait ProcessManager: Send + Sync + Sized + 'static {
    /// The types it hears.
    type Event: EventSet;
    /// What an instance remembers, kept as JSON.
    type State: Default + Serialize + DeserializeOwned + Send + 'static;
    /// What it may want done, kept as JSON until it is: an enum, usually. Keep old variants while instances wait at them.
    type Command: Serialize + DeserializeOwned + Send + 'static;
    /// Its timers, kept as JSON: an enum, usually; `()` for none. A timer is what it serialises to.
    type Timer: Serialize + DeserializeOwned + Send + 'static;
    /// Its name in the log, for ever: 1 to 64 letters, digits and `-`, `_`, `.`.
    const NAME: &'static str;
    /// Raise it when what is recorded changes its meaning: a program with a lower one then refuses to run.
    const VERSION: u32 = 1;

    /// Which instance an event concerns; `None` for none. Pure.
    fn instance(&self, event: &Recorded<Self::Event>) -> Option<String>;

    /// Whether the event may be an instance's first; otherwise it is passed over where there is none. Every event may,
    /// unless said otherwise.
    fn begins(&self, _event: &Recorded<Self::Event>) -> bool {
        true
    }

    /// Folds an input into the state. Pure.
    fn evolve(&self, state: &mut Self::State, input: &Input<Self>);

    /// What follows from the input, on the state after it. Pure: it says, and does not do.
    fn react(&self, state: &Self::State, input: &Input<Self>) -> Effects<Self>;

    /// Carries a command out: `to.execute(command)` for one of the app, `to.call(..)` for the outside.
    fn dispatch(&self, command: Self::Command, to: Dispatch) -> Dispatching;

    /// Reads a state that this or an older version of the process wrote. Override it where serde's defaults and aliases
    /// do not do.
    ///
    /// # Errors
    /// The state cannot be read: the process then refuses to start, and names the instance.
    fn read_state(&self, _version: u32, state: serde_json::Value) -> serde_json::Result<Self::State> {
        serde_json::from_value(state)
    }
}

/// What an instance hears.
#[derive(Debug)]
pub enum Input<P: ProcessManager> {
    /// Something happened.
    Event(Recorded<P::Event>),
    /// A timer that was set, and not cancelled since, was due.
    TimerFired(P::Timer),
    /// A command was refused and did nothing.
    Refused {
        /// The command.
        command: P::Command,
        /// What the rule, or the other side, said.
        reason: String,
    },
}

/// A process that has yet to be started.
#[must_use = "nothing runs until it is started"]
pub struct Process<P> {
    app: App,
    process: P,
    first: StartFrom,
    parallel: usize,
}

/// Instances whose commands are dispatched side by side, unless told otherwise.
const PARALLEL: usize = 16;

impl<P: ProcessManager> Process<P> {
    pub(crate) fn new(app: App, process: P) -> Self {
        Self { app, process, first: StartFrom::Beginning, parallel: PARALLEL }
    }

    /// Where it begins when it is started for the first time on this log; recorded, and without meaning later. With the
    /// first event unless said otherwise, as commands for what is long past may be unwanted.
    pub fn first_from(mut self, first: StartFrom) -> Self {
        self.first = first;
        self
    }

    /// From how many instances commands are dispatched side by side: 16 unless said, at least 1.
    pub fn parallel(mut self, instances: usize) -> Self {
        self.parallel = instances.max(1);
        self
    }

    /// Folds its records, begins again what was decided and not dispatched, and starts a thread that follows the log.
    ///
    /// The thread uses the caller's tokio runtime, if there is one, for stores and calls that need it. What goes wrong
    /// later is in [`Processes::status`].
    ///
    /// # Errors
    /// [`ProcessError::Parked`] and [`ProcessError::Newer`] where this code cannot go on with what is recorded; `Store`
    /// where the log cannot be read, the name is out of bounds, or the thread cannot be started.
    pub async fn start(self) -> Result<Processes, ProcessError> {
        let runner = resume::resume(self.app, self.process, self.first, self.parallel).await?;
        thread::start(runner)
    }

    /// Does all there is to do, here and now, and returns: handles inputs, fires due timers, dispatches commands, until
    /// nothing is left but what waits for the time, for a retry, or for an operator. It needs no runtime.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`ProcessError`] where it cannot go on. Nothing is lost by that: call it again.
    pub async fn run_until_idle(self) -> Result<ProcessStatus, ProcessError> {
        let mut runner = resume::resume(self.app, self.process, self.first, self.parallel).await?;
        runner.until_idle().await?;
        Ok(runner.status())
    }
}

impl<P: ProcessManager> fmt::Debug for Process<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("name", &P::NAME).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_send<T: Send>(_: &T) {}

    /// A caller on a runtime of several threads spawns it.
    #[expect(dead_code, reason = "that it compiles is the test")]
    fn waiting_for_a_process_is_send<P: ProcessManager>(process: Process<P>, other: Process<P>) {
        is_send(&process.start());
        is_send(&other.run_until_idle());
    }
}
