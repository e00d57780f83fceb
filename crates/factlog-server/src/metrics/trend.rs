//! When a disk will be full if it goes on as in the last hour.

use std::collections::VecDeque;
use std::time::Duration;

/// How far apart what is remembered lies, and how much of it: an hour.
const APART: Duration = Duration::from_secs(60);
const REMEMBERED: usize = 60;

/// Free bytes as they were seen.
#[derive(Debug, Default)]
pub(crate) struct Trend(VecDeque<(Duration, u64)>);

impl Trend {
    /// So much is free now. The seconds until nothing is, at the rate since what is remembered longest; `None` where that
    /// is less than a minute ago, or no space was lost.
    pub(crate) fn seconds_to_full(&mut self, now: Duration, free: u64) -> Option<f64> {
        if self.0.back().is_none_or(|(at, _)| APART <= now.saturating_sub(*at)) {
            self.0.push_back((now, free));
        }
        if REMEMBERED < self.0.len() {
            self.0.pop_front();
        }
        let (since, before) = *self.0.front()?;
        let lost = before.checked_sub(free).filter(|lost| 0 < *lost)?;
        let passed = now.checked_sub(since).filter(|passed| APART <= *passed)?;
        Some(free as f64 * passed.as_secs_f64() / lost as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if an alert fired on a disk that is not filling, or stayed quiet on one that is.
    #[test]
    fn a_disk_that_fills_says_when_it_is_full() {
        let mut trend = Trend::default();
        let mut at = |seconds, free| trend.seconds_to_full(Duration::from_secs(seconds), free);
        assert_eq!(at(0, 1_000), None);
        assert_eq!(at(30, 900), None, "half a minute is no trend");
        assert_eq!(at(100, 900), Some(900.0), "a hundred in a hundred seconds, nine hundred left");
        assert_eq!(at(200, 1_100), None, "space was made");
        assert_eq!(at(400, 0), Some(0.0));
        for minute in 7..200 {
            at(minute * 60, 500);
        }
        assert_eq!(at(12_000, 500), None, "what was longer than an hour ago does not count");
    }
}
