//! Clocks that no store should trust.

use std::sync::Arc;

use factlog_core::{Clock, SystemClock, Timestamp};
use parking_lot::Mutex;

/// What a worker's clock does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Time {
    /// What the system's does
    System,
    /// It jumps up to ten years either way, every time it is asked
    Jumping,
    /// It stands still in 1998
    Frozen,
    /// It runs backwards
    Backwards,
}

/// Ten years, in microseconds.
const JUMP: i64 = 10 * 365 * 24 * 3_600 * 1_000_000;
const YEAR_1998: i64 = 890_000_000_000_000;

#[derive(Debug)]
struct Jumping(Mutex<fastrand::Rng>);

#[derive(Debug)]
struct Frozen;

#[derive(Debug)]
struct Backwards(Mutex<i64>);

impl Time {
    pub(crate) fn clock(self) -> Arc<dyn Clock> {
        match self {
            Self::System => Arc::new(SystemClock),
            Self::Jumping => Arc::new(Jumping(Mutex::new(fastrand::Rng::with_seed(7)))),
            Self::Frozen => Arc::new(Frozen),
            Self::Backwards => Arc::new(Backwards(Mutex::new(SystemClock.now().as_micros()))),
        }
    }

    /// As a word of the command.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Jumping => "jumping",
            Self::Frozen => "frozen",
            Self::Backwards => "backwards",
        }
    }
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0.lock().i64(-JUMP..=JUMP))
    }
}

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(YEAR_1998)
    }
}

impl Clock for Backwards {
    fn now(&self) -> Timestamp {
        let mut now = self.0.lock();
        *now -= 1_000_000;
        Timestamp::from_micros(*now)
    }
}
