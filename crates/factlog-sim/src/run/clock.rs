//! A clock that the run sets, and that may jump.

use std::sync::atomic::{AtomicI64, Ordering};

use factlog_core::{Clock, Timestamp};

/// Stands still until it is told to move.
#[derive(Debug)]
pub(super) struct SimClock(AtomicI64);

impl SimClock {
    pub(super) fn new() -> Self {
        Self(AtomicI64::new(1_800_000_000_000_000))
    }

    /// Forwards or backwards, by so many microseconds.
    pub(super) fn jump(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}
