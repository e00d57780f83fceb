//! The frames of a generation: the records themselves, in order, each frame with its time.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use factlog_core::Timestamp;

use super::arena::Arena;
use crate::records::Records;

/// All frames so far.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The first ordinal of each, apart from the rest so that a search stays in few cache lines.
    firsts: Arena<AtomicU32, 4096>,
    frames: Arena<OnceLock<Frame>, 1024>,
    count: AtomicU32,
    bytes: AtomicU64,
}

/// A durable frame.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) records: Arc<Records>,
    pub(super) recorded_at: Timestamp,
}

impl Frames {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds the next frame.
    pub(super) fn push(&self, first: u32, records: Arc<Records>, recorded_at: Timestamp) {
        let count = self.count.load(Ordering::Relaxed);
        if let Some(last) = count.checked_sub(1).and_then(|at| self.at(at)) {
            assert!(last.records.last() < records.first, "frames are pushed in order");
        }
        self.bytes.fetch_add(records.bytes.len() as u64, Ordering::Relaxed);
        self.firsts.grow(count as usize)[0].store(first, Ordering::Relaxed);
        let pushed = self.frames.grow(count as usize)[0].set(Frame { records, recorded_at });
        assert!(pushed.is_ok(), "one thread pushes frames");
        self.count.store(count + 1, Ordering::Release);
    }

    /// The frame that holds a position, whose ordinal is given.
    pub(super) fn holding(&self, ordinal: u32, position: u64) -> Option<&Frame> {
        let after = self.partition_point(|at| self.first(at) <= ordinal);
        let frame = self.at(after.checked_sub(1)?)?;
        (position <= frame.records.last()).then_some(frame)
    }

    /// The last position recorded at or before `time`.
    pub(super) fn last_at(&self, time: Timestamp) -> Option<u64> {
        let after = self.partition_point(|at| self.at(at).is_some_and(|frame| frame.recorded_at <= time));
        self.at(after.checked_sub(1)?).map(|frame| frame.records.last())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Frame> {
        (0..self.count.load(Ordering::Acquire)).filter_map(|at| self.at(at))
    }

    pub(super) fn memory(&self) -> usize {
        self.firsts.memory() + self.frames.memory()
    }

    fn at(&self, at: u32) -> Option<&Frame> {
        self.frames.get(at as usize)?.get()
    }

    fn first(&self, at: u32) -> u32 {
        self.firsts.get(at as usize).map_or(u32::MAX, |first| first.load(Ordering::Relaxed))
    }

    /// The number of the first frame that is not `before`.
    fn partition_point(&self, before: impl Fn(u32) -> bool) -> u32 {
        let (mut low, mut high) = (0, self.count.load(Ordering::Acquire));
        while low < high {
            let middle = low + (high - low) / 2;
            match before(middle) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }
}
