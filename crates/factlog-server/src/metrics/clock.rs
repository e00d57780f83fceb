//! Elapsed time for metrics and the access log: the one place of this crate that reads the monotonic clock.

use std::time::{Duration, Instant};

/// Runs from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "measuring is what it is for; nothing decides on it")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "measuring is what it is for; nothing decides on it")]
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
