//! A view: everything a reader needs to know of the log, immutable, replaced as a whole.
//!
//! * Segments and slots of the index follow each other without a gap, both up to `sealed`; generations follow them.
//! * Whoever holds a view may go on using it: files of runs stay open, segments are never removed.
//! * The writer shows a new generation before it publishes a position in it, so a view that is taken after a head
//!   covers that head.

use std::sync::Arc;

use crate::run::Run;
use crate::segment::Segment;
use crate::tail::Generation;

/// What readers see.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// Sealed segments, in order. Shared between views; sealing one copies the list.
    pub(crate) segments: Arc<Vec<Segment>>,
    /// The index over them, in order.
    pub(crate) slots: Vec<Slot>,
    /// What is not sealed, oldest first; the last one grows.
    pub(crate) generations: Vec<Arc<Generation>>,
}

/// A range of positions and what indexes it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The run over all of it; `None` if its file is lost.
    pub(crate) run: Option<Arc<Run>>,
    /// Whether the run has a damaged page. What it still tells is right.
    pub(crate) wounded: bool,
    /// Runs over single segments that were rebuilt to take the place of a lost or wounded run, in order.
    pub(crate) parts: Vec<Arc<Run>>,
}

impl Slot {
    /// A slot whose run is whole.
    pub(crate) fn ready(run: Arc<Run>) -> Self {
        Self {
            first: run.name().first,
            last: run.name().last,
            run: Some(run),
            wounded: false,
            parts: Vec::new(),
        }
    }

    /// A slot whose run is lost.
    pub(crate) fn lost(first: u64, last: u64) -> Self {
        Self { first, last, run: None, wounded: false, parts: Vec::new() }
    }

    /// Whether nothing needs to be rebuilt.
    pub(crate) fn is_whole(&self) -> bool {
        self.run.is_some() && !self.wounded
    }

    /// The rebuilt run that begins with a segment.
    pub(crate) fn part(&self, first: u64) -> Option<&Arc<Run>> {
        self.parts.binary_search_by_key(&first, |part| part.name().first).ok().map(|at| &self.parts[at])
    }
}

impl View {
    /// The last sealed position, 0 for none.
    pub(crate) fn sealed(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.entry.last)
    }

    /// The segment that holds a position.
    pub(crate) fn segment_of(&self, position: u64) -> Option<Segment> {
        let after = self.segments.partition_point(|segment| segment.entry.first <= position);
        self.segments[..after].last().filter(|segment| position <= segment.entry.last).copied()
    }

    /// The segments that cover a range, which begins and ends with segments.
    pub(crate) fn segments_of(&self, first: u64, last: u64) -> &[Segment] {
        let from = self.segments.partition_point(|segment| segment.entry.first < first);
        let to = self.segments.partition_point(|segment| segment.entry.last <= last);
        &self.segments[from..to.max(from)]
    }

    /// The generation that holds a position, if it is not sealed.
    pub(crate) fn generation_of(&self, position: u64) -> Option<&Arc<Generation>> {
        self.generations.iter().rev().find(|generation| generation.first() <= position)
    }

    /// The same with the last position that lies in it, as far as this view knows.
    pub(crate) fn generation_until(&self, position: u64) -> Option<(&Arc<Generation>, u64)> {
        let at = self.generations.iter().rposition(|generation| generation.first() <= position)?;
        let last = self.generations.get(at + 1).map_or(u64::MAX, |next| next.first() - 1);
        Some((&self.generations[at], last))
    }

    /// The same with another slot in the place of the one that begins where it begins.
    pub(crate) fn with_slots(&self, first: u64, last: u64, new: impl IntoIterator<Item = Slot>) -> Self {
        let mut slots: Vec<_> = self.slots.iter().filter(|slot| slot.last < first).cloned().collect();
        slots.extend(new);
        slots.extend(self.slots.iter().filter(|slot| last < slot.first).cloned());
        Self { slots, ..self.clone() }
    }

    /// The same with a generation sealed into a segment with its run.
    pub(crate) fn with_sealed(&self, segment: Segment, slot: Slot) -> Self {
        let generations =
            self.generations.iter().filter(|generation| segment.entry.last < generation.first());
        let generations = generations.cloned().collect();
        let mut segments = Vec::with_capacity(self.segments.len() + 1);
        segments.extend_from_slice(&self.segments);
        segments.push(segment);
        let mut slots = self.slots.clone();
        slots.push(slot);
        Self { segments: Arc::new(segments), slots, generations }
    }

    /// The same with a new generation that grows from now on.
    pub(crate) fn with_generation(&self, generation: Arc<Generation>) -> Self {
        let mut view = self.clone();
        view.generations.push(generation);
        view
    }
}
