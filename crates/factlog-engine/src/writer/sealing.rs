//! When a generation is sealed, and how long appends wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use factlog_core::Result;

use super::Writer;
use crate::checksum::seed_of;
use crate::sealer::SealJob;
use crate::tail::{Generation, Inserter};

/// Halves of what is sealed at once: with so many it is due, with so many the writer waits for the sealer.
const DUE: usize = 2;
const OVERDUE: usize = 3;
/// The memory that the index of what is not sealed may take, if a segment is smaller.
const INDEX_BYTES: usize = 16 << 20;

impl Writer {
    /// When sealing is due and possible, brings all groups to their end first: what is sealed is durable.
    pub(super) fn make_room(&mut self) -> Result<()> {
        while !self.pending.is_empty()
            && (self.is_due(OVERDUE) || (self.is_due(DUE) && self.sealer.is_idle()))
        {
            self.collect(true)?;
        }
        Ok(())
    }

    /// Seals what is due, unless a group is under way. On an error nothing was written.
    pub(super) fn seal_or_wait(&mut self) -> Result<()> {
        if self.pending.is_empty() && 0 < self.ledger.active().events() && self.is_due(DUE) {
            if self.is_due(OVERDUE) {
                self.sealer.wait()?;
            }
            if self.sealer.is_idle() {
                self.roll();
            }
        }
        Ok(())
    }

    /// Whether there is so many halves of what is sealed at once.
    fn is_due(&self, halves: usize) -> bool {
        let settings = &self.shared.settings;
        let active = self.ledger.active();
        let bytes = |most: usize| most.saturating_mul(halves).div_ceil(2) as u64;
        bytes(settings.segment_bytes) <= active.bytes()
            || bytes(settings.segment_bytes.max(INDEX_BYTES)) <= active.memory() as u64
            || settings.segment_events.saturating_mul(halves as u64).div_ceil(2) <= active.events()
            || bytes(settings.wal_bytes) <= self.journal.bytes_in_use()
    }

    /// Hands the active generation to the sealer and begins another; the next frame begins a new file.
    fn roll(&mut self) {
        let next = Inserter::new(self.ledger.last + 1, seed_of(self.shared.store));
        let grows = next.generation().clone();
        let generation = self.ledger.roll(next);
        // Before any of its positions is published, so that a view taken after a head covers it.
        self.shared.change_view(|view| Some(view.with_generation(grows)));
        let tracking = self.shared.tracking.lock().clone();
        let wal_first = self.journal.roll();
        self.shared.sealing.store(true, Ordering::Release);
        self.sealer.seal(SealJob { generation, tracking, wal_first });
    }
}

/// Frees memory on a thread of its own, or here where there is none to be had.
pub(super) fn free(generations: Vec<Arc<Generation>>) {
    if !generations.is_empty() {
        let freeing = move || drop(generations);
        drop(std::thread::Builder::new().name("factlog-free".into()).spawn(freeing));
    }
}
