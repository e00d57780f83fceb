//! The test kit of processes: events in, commands out, with virtual time, without store and runtime.
//!
//! Inputs go through the same code as in production, and all that is kept through JSON and back. What a process decides,
//! it decides twice, so an impure one fails here. A command is taken to be done unless the test refuses it.

use std::collections::VecDeque;
use std::fmt::{Debug, Formatter, Result as Formatted};
use std::time::Duration;

use factlog_core::{EventId, RecordedEvent, Revision, Timestamp};
use serde_json::Value;

use crate::Metadata;
use crate::codec::raw_event;
use crate::process::testing::{Bench, Outcome};
use crate::process::{Instance, Phase, ProcessManager};

/// A process that has heard nothing yet. The time is 1970.
///
/// ```
/// # extern crate factlog_app as factlog;
#[doc = include_str!("../docs/orders.txt")]
#[doc = include_str!("../docs/payments.txt")]
/// use factlog::given_process;
///
/// given_process(Payments)
///     .when(Placed { order: 7 })
///     .then_nothing()
///     .advance(Duration::from_secs(30 * 60))
///     .then([Cancel { order: 7 }])
///     .completed("7");
///
/// given_process(Payments)
///     .when(Placed { order: 7 })
///     .when(Paid { order: 7 })
///     .advance(Duration::from_secs(30 * 60))
///     .then_nothing()
///     .completed("7");
/// # Ok(()) }
/// ```
pub fn given_process<P: ProcessManager>(process: P) -> GivenProcess<P> {
    GivenProcess { bench: Bench::new(process), now: Timestamp::default(), decided: VecDeque::new() }
}

/// A process under test, and the commands it decided that no `then` has looked at.
pub struct GivenProcess<P: ProcessManager> {
    bench: Bench<P>,
    now: Timestamp,
    decided: VecDeque<(String, Value)>,
}

impl<P: ProcessManager> GivenProcess<P> {
    /// This happens.
    ///
    /// # Panics
    /// Where the event cannot be encoded, where `instance`, `evolve` or `react` panics, where what it decides cannot be
    /// written and read back, and where it decides differently the second time.
    #[track_caller]
    pub fn when(mut self, event: impl Into<P::Event>) -> Self {
        let event = self.record(&event.into());
        self.hear(&event);
        self
    }

    /// Time passes: what is due by then fires in order.
    ///
    /// # Panics
    /// As [`when`](Self::when).
    #[track_caller]
    pub fn advance(mut self, by: Duration) -> Self {
        let until = Timestamp::from_micros(self.now.as_micros().saturating_add(crate::process::micros(by)));
        while let Some((due, fired)) = self.bench.fire_next(until) {
            self.now = self.now.max(due);
            let event = self.bench.recorded(fired, self.now);
            self.hear(&event);
        }
        self.now = until;
        self
    }

    /// Exactly these commands were decided since the last `then`, in this order.
    ///
    /// # Panics
    /// Otherwise, with the difference.
    #[track_caller]
    pub fn then<C: Into<P::Command>>(mut self, expected: impl IntoIterator<Item = C>) -> Self
    where
        P::Command: Debug,
    {
        let json = |command: C| serde_json::to_value(command.into()).expect("a command is JSON");
        let expected: Vec<Value> = expected.into_iter().map(json).collect();
        let decided: Vec<Value> = self.decided.drain(..).map(|(_, command)| command).collect();
        if expected != decided {
            panic!("the process decided something else\n{}", super::difference(&expected, &decided));
        }
        self
    }

    /// No command was decided since the last `then`.
    ///
    /// # Panics
    /// Otherwise, with the commands.
    #[track_caller]
    pub fn then_nothing(self) -> Self
    where
        P::Command: Debug,
    {
        self.then(Vec::<P::Command>::new())
    }

    /// The oldest command that no `then` has looked at is this one, and it is refused.
    ///
    /// # Panics
    /// Where it is another one; otherwise as [`when`](Self::when).
    #[track_caller]
    pub fn refused(mut self, command: impl Into<P::Command>, reason: &str) -> Self {
        let expected = serde_json::to_value(command.into()).expect("a command is JSON");
        match self.decided.pop_front() {
            Some((instance, decided)) if decided == expected => {
                let fired = Outcome::Refused { instance, command: decided, reason: reason.to_owned() };
                let event = self.bench.recorded(fired, self.now);
                self.hear(&event);
                self
            }
            Some((_, decided)) => panic!("expected the command\n  - {expected}\nbut it was\n  + {decided}\n"),
            None => panic!("expected the command {expected}, but there is none"),
        }
    }

    /// The instance's state is this.
    ///
    /// # Panics
    /// Otherwise.
    #[track_caller]
    pub fn state(self, instance: &str, expected: &P::State) -> Self {
        let expected = serde_json::to_value(expected).expect("a state is JSON");
        let found = self.instance(instance).and_then(|found| found.state.clone());
        assert!(
            found.as_ref() == Some(&expected),
            "expected the state\n  - {expected}\nbut it is\n  + {found:?}\n"
        );
        self
    }

    /// The instance has exactly these timers, in the order in which they are due, each so long from now.
    ///
    /// # Panics
    /// Otherwise.
    #[track_caller]
    pub fn timers<T: Into<P::Timer>>(
        self,
        instance: &str,
        expected: impl IntoIterator<Item = (T, Duration)>,
    ) -> Self {
        let json = |timer: T| serde_json::to_value(timer.into()).expect("a timer is JSON");
        let expected: Vec<(Value, i64)> =
            expected.into_iter().map(|(timer, left)| (json(timer), crate::process::micros(left))).collect();
        let mut found: Vec<(Value, i64)> = self
            .instance(instance)
            .map(|found| found.timers.iter())
            .into_iter()
            .flatten()
            .map(|open| (open.timer.clone(), open.due.as_micros() - self.now.as_micros()))
            .collect();
        found.sort_by_key(|(_, left)| *left);
        assert!(
            expected == found,
            "expected timers (microseconds left)\n  - {expected:?}\nbut there are\n  + {found:?}\n"
        );
        self
    }

    /// The instance is complete.
    ///
    /// # Panics
    /// Where it is not, or there is none.
    #[track_caller]
    pub fn completed(self, instance: &str) -> Self {
        let phase = self.instance(instance).map(|found| found.phase);
        assert!(
            phase == Some(Phase::Completed),
            "expected instance {instance:?} to be complete, but it is {phase:?}"
        );
        self
    }

    fn instance(&self, instance: &str) -> Option<&Instance> {
        self.bench.instance(instance)
    }

    #[track_caller]
    fn hear(&mut self, event: &RecordedEvent) {
        match self.bench.hear(event) {
            Ok(decided) => self.decided.extend(decided),
            Err(problem) => panic!("the process cannot go on: {problem}"),
        }
    }

    #[track_caller]
    fn record(&mut self, event: &P::Event) -> RecordedEvent {
        let position = self.bench.next_position();
        let id = EventId::from_bytes(u128::from(position.get()).to_be_bytes());
        match raw_event(event, id, &Metadata::default()) {
            Ok(event) => {
                let revision = event.stream.as_ref().map(|_| Revision::new(position.get()));
                RecordedEvent { position, recorded_at: self.now, revision, event }
            }
            Err(error) => panic!("an event cannot be recorded: {}", super::with_causes(&error)),
        }
    }
}

impl<P: ProcessManager> Debug for GivenProcess<P> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Formatted {
        f.debug_struct("GivenProcess")
            .field("now", &self.now)
            .field("decided", &self.decided)
            .finish_non_exhaustive()
    }
}
