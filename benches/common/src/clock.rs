//! The two clocks of a benchmark: time on the wall, and processor time of this process.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Wall and processor time since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    wall: Instant,
}

impl Stopwatch {
    /// Begins now.
    #[expect(clippy::disallowed_methods, reason = "measuring time is what a benchmark does")]
    pub fn start() -> Self {
        Self { wall: Instant::now() }
    }

    /// Time since the start.
    #[expect(clippy::disallowed_methods, reason = "measuring time is what a benchmark does")]
    pub fn elapsed(&self) -> Duration {
        self.wall.elapsed()
    }
}

/// Processor time that all threads of this process have used so far.
pub fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// How many of something happened in a second; 0 when no time passed.
pub fn per_second(count: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_over_no_time_is_zero_and_not_infinite() {
        assert_eq!(per_second(7, Duration::ZERO), 0.0);
        assert_eq!(per_second(7, Duration::from_millis(500)), 14.0);
    }
}
