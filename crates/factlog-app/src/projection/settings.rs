//! What one may choose about a running projection: data, with bounds.

use std::num::NonZeroU32;
use std::time::Duration;

use factlog_core::{Error, Result};

use super::partition::PARTITIONS;

/// What to do with an event that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreadable {
    /// Stand still before it: damage must not be passed over in silence.
    #[default]
    Stop,
    /// Pass over it and count it in [`ProjectionStatus::unread`](super::ProjectionStatus::unread): for a while, where
    /// a newer program writes what this one does not know yet.
    Skip,
}

/// When a generation that was built beside takes the place of the one readers see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// As soon as it has caught up.
    #[default]
    WhenBuilt,
    /// When [`Operations::switch`](super::Operations::switch) says so, perhaps after comparing.
    ByHand,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) workers: u16,
    pub(super) slots: u16,
    /// Threads that decode and fold a batch, for each worker.
    pub(super) threads: usize,
    pub(super) unreadable: Unreadable,
    pub(super) switch: Switch,
    /// Events per second of a generation that is built beside.
    pub(super) throttle: Option<NonZeroU32>,
    /// Documents held in memory between two commits of a generation that is built.
    pub(super) documents: usize,
    pub(super) stalled_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 1,
            slots: 1,
            threads: 1,
            unreadable: Unreadable::default(),
            switch: Switch::default(),
            throttle: None,
            documents: 50_000,
            stalled_after: Duration::from_secs(10),
        }
    }
}

impl Settings {
    pub(super) fn validate(&self) -> Result<()> {
        let sound = (1..=PARTITIONS).contains(&self.workers)
            && (self.workers..=PARTITIONS).contains(&self.slots)
            && (1..=64).contains(&self.threads)
            && 0 < self.documents;
        if sound {
            return Ok(());
        }
        let (workers, slots, threads) = (self.workers, self.slots, self.threads);
        Err(Error::invalid(format!(
            "a projection with {workers} workers of {slots} slots and {threads} threads each; give 1 to {PARTITIONS} workers, as many slots or more, 1 to 64 threads, and room for a document"
        )))
    }
}
