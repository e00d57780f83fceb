//! What only the one who opened the store can tell of it and of its machine.
//!
//! The server knows no directory and no engine: whoever starts it does, and is asked at every scrape and readiness check.

use std::fmt::Debug;
use std::time::Duration;

/// The machine under a served store.
pub trait Host: Debug + Send + Sync + 'static {
    /// How it is now. It is asked for at every scrape, so it must be quick and must not wait.
    fn report(&self) -> HostReport;
}

/// How a machine and its store are. What is `None` is not known, and no metric tells it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HostReport {
    /// Bytes that the store can still take on its disk.
    pub disk_free_bytes: Option<u64>,
    /// How long opening the store took.
    pub recovery: Option<Duration>,
    /// Damaged places that are known.
    pub damaged_places: Option<u64>,
    /// The store's durable writes.
    pub durable_writes: Option<DurableWrites>,
}

/// Durable writes since the store was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurableWrites {
    /// How long all of them took together.
    pub took: Duration,
    /// Upper bounds of the buckets, rising.
    pub bounds: Vec<Duration>,
    /// How many took at most so long; the last one, of one more than there are bounds, counts what took longer.
    pub counts: Vec<u64>,
    /// How many failed.
    pub failed: u64,
}
