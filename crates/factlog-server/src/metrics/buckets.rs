//! A histogram that observing takes no lock of: one atomic addition to a bucket and one to the sum.
//!
//! A scrape that runs beside an observation may see it in the bucket and not yet in the sum, or the other way round.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Upper bounds in seconds: from what a fast disk takes for a durable write to what a caller gives up after.
pub(crate) const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0,
];

/// How often something took how long. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Up to each bound, and above all of them.
    counts: [AtomicU64; SECONDS.len() + 1],
    nanos: AtomicU64,
}

impl Buckets {
    /// One more that took so long.
    pub(crate) fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = SECONDS.partition_point(|bound| *bound < seconds);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl EncodeMetric for Buckets {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let seconds = self.0.nanos.load(Ordering::Relaxed) as f64 / 1e9;
        encode(encoder, seconds, &SECONDS, &counts)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Writes a histogram; there is one count more than bounds.
pub(crate) fn encode(
    mut encoder: MetricEncoder<'_>,
    sum: f64,
    bounds: &[f64],
    counts: &[u64],
) -> fmt::Result {
    let bounds = bounds.iter().copied().chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
    encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
}
