//! Latencies: a histogram of microseconds, three digits exact, up to ten minutes.

use std::time::Duration;

use hdrhistogram::Histogram;

/// How long each of many operations took.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_max(600_000_000_000, 3).expect("the bounds are in order"))
    }
}

impl Latency {
    /// One more operation.
    pub fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1));
    }

    /// These and those.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("histograms of one shape can be added");
    }

    /// How many operations.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Microseconds within which this part of them (0.99) was done.
    pub fn micros(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if the parts of two threads were lost, or nanoseconds were taken for microseconds.
    #[test]
    fn quantiles_are_over_all_parts_in_microseconds() {
        let (mut one, mut other) = (Latency::default(), Latency::default());
        (1..=50).for_each(|micros| one.record(Duration::from_micros(micros)));
        (51..=100).for_each(|micros| other.record(Duration::from_micros(micros)));
        one.add(&other);
        assert_eq!(one.count(), 100);
        assert!((one.micros(0.5) - 50.0).abs() < 0.1 && (one.micros(0.99) - 99.0).abs() < 0.1);
    }
}
