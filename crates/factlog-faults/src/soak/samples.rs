//! What was measured, second by second, and what must hold of it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// Private memory may grow by so much over the second half of the load, along the straight line that misses it least. It is a saw: what
/// is not sealed yet, up to 24 MiB, comes and goes.
const GROWTH: f64 = (16 << 20) as f64;
/// Appends of the last quarter, as a part of those of the second one. The gate's other steps share the processors, some more than
/// others; a server that gets slower by itself falls behind further.
const STEADY: f64 = 0.8;
/// Ticks of the processor clock in a second.
const TICKS: f64 = 100.0;

/// A moment of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Bytes in memory that are in no file.
    pub(super) private: u64,
    /// What the limit counts, where it is a group's.
    pub(super) counted: Option<u64>,
    /// Processor time so far.
    pub(super) ticks: u64,
}

/// All moments.
#[derive(Debug)]
pub(super) struct Samples {
    limit: u64,
    list: Vec<Sample>,
    /// Appends of each second, and the slowest of all.
    appends: Vec<u32>,
    now: u32,
    slowest: Duration,
}

/// A clock that was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lap(Instant);

/// Begins now.
#[expect(clippy::disallowed_methods, reason = "the edge of the program: what is measured is time")]
pub(super) fn lap() -> Lap {
    Lap(Instant::now())
}

impl Lap {
    #[expect(clippy::disallowed_methods, reason = "the edge of the program: what is measured is time")]
    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

impl Samples {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, list: Vec::new(), appends: Vec::new(), now: 0, slowest: Duration::ZERO }
    }

    /// An append was answered.
    pub(super) fn appended(&mut self, took: Duration) {
        self.now += 1;
        self.slowest = self.slowest.max(took);
    }

    /// Another second is over.
    pub(super) fn add(&mut self, sample: Sample) {
        self.list.push(sample);
        self.appends.push(std::mem::take(&mut self.now));
    }

    /// How it is going.
    pub(super) fn said(&self) -> String {
        let Some(last) = self.list.last() else { return String::new() };
        let counted = last.counted.map_or_else(String::new, |bytes| format!(", {} of the group", mib(bytes)));
        format!("{} private{counted}, {} appends", mib(last.private), self.appends.iter().sum::<u32>())
    }

    /// What it came to.
    ///
    /// # Errors
    /// Memory grew or was over the limit, or appends did not keep their pace.
    pub(super) fn judge(&self) -> Result<String> {
        let private: Vec<f64> = self.list.iter().map(|sample| sample.private as f64).collect();
        let half = &private[private.len() / 2..];
        let growth = slope(half) * half.len() as f64;
        let peak = self.list.iter().map(|sample| sample.private).max().unwrap_or_default();
        ensure!(growth < GROWTH, "private memory grew by {:.1} MiB over the second half", growth / MIB);
        ensure!(peak < self.limit, "private memory was {} at its highest", mib(peak));
        let quarter = self.appends.len() / 4;
        let of = |number: usize| self.appends[number * quarter..][..quarter].iter().sum::<u32>();
        let (second, last) = (of(1), of(3));
        ensure!(
            STEADY * f64::from(second) <= f64::from(last),
            "{second} appends in a quarter, {last} in the last"
        );
        let ticks =
            self.list.last().map_or(0, |last| last.ticks) - self.list.first().map_or(0, |first| first.ticks);
        Ok(format!(
            "passed: {} s, {} appends, the slowest in {} ms, {second} in the second quarter and {last} in the last; private memory {} \
             at most, {:+.1} MiB over the second half; {:.2} of a core",
            self.list.len(),
            self.appends.iter().sum::<u32>(),
            self.slowest.as_millis(),
            mib(peak),
            growth / MIB,
            ticks as f64 / TICKS / self.list.len().max(1) as f64,
        ))
    }
}

const MIB: f64 = (1 << 20) as f64;

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB)
}

/// How much the values grow from one to the next, along the line of least squares.
fn slope(values: &[f64]) -> f64 {
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (mut across, mut along) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let step = at as f64 - middle;
        across += step * (value - mean);
        along += step * step;
    }
    if along == 0.0 { 0.0 } else { across / along }
}

#[cfg(test)]
mod tests {
    //! A leak must not pass for noise, nor noise for a leak, and appends that stop must be seen.
    use super::*;

    fn judged(private: impl Fn(u64) -> u64, appends: impl Fn(u64) -> u32) -> Result<String> {
        let mut samples = Samples::new(256 << 20);
        for second in 0..600 {
            (0..appends(second)).for_each(|_| samples.appended(Duration::from_millis(1)));
            samples.add(Sample { private: private(second), counted: None, ticks: second });
        }
        samples.judge()
    }

    #[test]
    fn what_grows_fails_and_what_swings_does_not() {
        let swinging = |second: u64| (100 << 20) + (second % 7) * (3 << 20);
        assert!(judged(swinging, |_| 10).is_ok());
        let growing = |second: u64| swinging(second) + second * (60 << 10);
        assert!(judged(growing, |_| 10).is_err(), "18 MiB in five minutes");
        assert!(judged(|_| 256 << 20, |_| 10).is_err(), "as much as the limit");
        assert!(judged(swinging, |second| if second < 450 { 10 } else { 7 }).is_err());
    }
}
