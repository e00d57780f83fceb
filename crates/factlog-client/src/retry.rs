//! Time at the edge: deadlines and back-off. The only file that reads a clock.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause, and the longest.
const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

/// The instant so long from now.
pub(crate) fn from_now(time: Duration) -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the edge of the system: a peer may never answer")]
    let now = Instant::now();
    now + time
}

/// The present instant.
pub(crate) fn now() -> Instant {
    from_now(Duration::ZERO)
}

/// Pauses that double, each shortened by a random part, so that many clients do not come back at once.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        let longest = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures += 1;
        longest.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    /// Something went well.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        assert!(backoff.pause() <= FIRST);
        let later = (0..40).map(|_| backoff.pause()).last().expect("a pause");
        assert!(LONGEST / 2 <= later && later <= LONGEST);
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }
}
