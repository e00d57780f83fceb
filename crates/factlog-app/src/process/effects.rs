//! Effects: what a process wants to happen, as a value. Nothing happens while it is made.

use std::fmt;
use std::time::Duration;

use factlog_core::Timestamp;

use super::ProcessManager;

/// What follows from an input: commands, timers, compensations, the end. They are recorded together, in this order,
/// and only then begun.
///
/// ```
/// # extern crate factlog_app as factlog;
#[doc = include_str!("../docs/orders.txt")]
#[doc = include_str!("../docs/payments.txt")]
/// use factlog::process::Effects;
/// use std::time::Duration;
///
/// let effects: Effects<Payments> = Effects::none()
///     .command(Cancel { order: 7 })
///     .timer("reminder", Duration::from_secs(60))
///     .cancel("payment");
/// # let _ = effects;
/// # Ok(()) }
/// ```
#[must_use = "effects that are not returned from `react` do not happen"]
pub struct Effects<P: ProcessManager>(pub(super) Vec<Effect<P>>);

pub(super) enum Effect<P: ProcessManager> {
    Command(P::Command),
    Timer(P::Timer, Due),
    Cancel(P::Timer),
    Compensation(P::Command),
    Compensate,
    Complete,
}

/// When a timer is due.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    After(Duration),
    At(Timestamp),
}

impl<P: ProcessManager> Effects<P> {
    /// Nothing follows.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Dispatches a command, after those before it of this instance are done or refused.
    pub fn command(self, command: impl Into<P::Command>) -> Self {
        self.and(Effect::Command(command.into()))
    }

    /// Sets a timer: due so long after the store recorded the input, to a microsecond, at most in the year 9999.
    /// A timer is what it serialises to: setting an equal one again replaces it.
    pub fn timer(self, timer: impl Into<P::Timer>, after: Duration) -> Self {
        self.and(Effect::Timer(timer.into(), Due::After(after)))
    }

    /// Sets a timer that is due at a time, at most in the year 9999.
    pub fn timer_at(self, timer: impl Into<P::Timer>, due: Timestamp) -> Self {
        self.and(Effect::Timer(timer.into(), Due::At(due)))
    }

    /// Cancels the timer that is equal, if it is set. It is not heard of any more, even if it has just fired.
    pub fn cancel(self, timer: impl Into<P::Timer>) -> Self {
        self.and(Effect::Cancel(timer.into()))
    }

    /// Records what undoes a step that was done, for [`compensate`](Self::compensate) or for an operator who cancels.
    pub fn compensation(self, command: impl Into<P::Command>) -> Self {
        self.and(Effect::Compensation(command.into()))
    }

    /// Dispatches the compensations recorded so far, the newest first, and forgets them.
    pub fn compensate(self) -> Self {
        self.and(Effect::Compensate)
    }

    /// The instance is complete: its timers are dropped, its commands still dispatched, later inputs passed over,
    /// for ever.
    pub fn complete(self) -> Self {
        self.and(Effect::Complete)
    }

    fn and(mut self, effect: Effect<P>) -> Self {
        self.0.push(effect);
        self
    }
}

impl<P: ProcessManager> fmt::Debug for Effects<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|effect| match effect {
            Effect::Command(_) => "command",
            Effect::Timer(..) => "timer",
            Effect::Cancel(_) => "cancel",
            Effect::Compensation(_) => "compensation",
            Effect::Compensate => "compensate",
            Effect::Complete => "complete",
        });
        f.debug_tuple("Effects").field(&names.collect::<Vec<_>>()).finish()
    }
}
