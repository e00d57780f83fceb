//! What is known of a history before any promise is checked: its log by names, its appends in order, its tracking.

use std::collections::HashMap;

use factlog_core::{Append, AppendCondition, Position, TrackingSource};

use super::index::Index;
use super::layout::{Layout, as_append};
use crate::history::History;

/// A source's tracking changed to this with the append that ends at this place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) place: u64,
    pub(super) to: Position,
}

/// A history and what follows from it.
#[derive(Debug)]
pub(super) struct Facts<'h> {
    pub(super) history: &'h History,
    pub(super) index: Index<'h>,
    pub(super) layout: Layout,
    tracking: HashMap<&'h TrackingSource, Vec<Change>>,
}

impl<'h> Facts<'h> {
    pub(super) fn new(history: &'h History) -> Self {
        let index = Index::new(&history.log);
        let layout = Layout::new(history, &index);
        let mut facts = Self { history, index, layout, tracking: HashMap::new() };
        facts.settle();
        facts
    }

    /// An append that was asked for.
    pub(super) fn append(&self, at: usize) -> &'h Append {
        let append = as_append(&self.history.operations[at]).map(|(append, _)| append);
        append.expect("only appends are placed in the log")
    }

    /// What a source was tracked at, in order of the log.
    pub(super) fn changes(&self, source: &TrackingSource) -> &[Change] {
        self.tracking.get(source).map_or(&[], Vec::as_slice)
    }

    /// What a source was tracked at when the store was in this state.
    pub(super) fn tracked(&self, source: &TrackingSource, state: u64) -> Option<Position> {
        let changes = self.changes(source);
        let count = changes.partition_point(|change| change.place <= state);
        count.checked_sub(1).map(|last| changes[last].to)
    }

    /// Which of an append's conditions does not hold in this state, in words.
    pub(super) fn broken(&self, append: &Append, state: u64) -> Option<String> {
        let conditions = append.conditions.iter().enumerate();
        let broken = conditions.filter_map(|(at, condition)| {
            let why = self.broken_condition(condition, state)?;
            Some(format!("condition {at}: {why}"))
        });
        broken.chain(self.broken_tracking(append, state)).next()
    }

    fn broken_condition(&self, condition: &AppendCondition, state: u64) -> Option<String> {
        match condition {
            AppendCondition::Revision { stream, expected } => {
                let actual = self.index.revision(stream, state);
                let is_broken = !expected.holds(actual);
                is_broken.then(|| match actual {
                    Some(actual) => format!("stream {stream} was at revision {actual}, not at {expected}"),
                    None => format!("stream {stream} did not exist, but {expected} was expected"),
                })
            }
            AppendCondition::NoneMatch { query, after } => {
                let after = Position::number(*after);
                let newest = self.index.newest(query, after, state)?;
                Some(format!("the event at {newest} matches, and none above {after} was to"))
            }
        }
    }

    fn broken_tracking(&self, append: &Append, state: u64) -> Option<String> {
        let wanted = append.tracking.as_ref()?;
        let recorded = self.tracked(&wanted.source, state).filter(|&recorded| wanted.position <= recorded)?;
        let (source, position) = (&wanted.source, wanted.position);
        Some(format!("{source} was tracked at {recorded} already, so {position} is stale"))
    }

    /// Settles who wrote what: of several that can have, those whose conditions held.
    fn settle(&mut self) {
        for at in 0..self.layout.placed.len() {
            let placed = &self.layout.placed[at];
            let (before, last) = (placed.first - 1, placed.last);
            if 1 < placed.writers.len() {
                let holds = |writer: &usize| self.broken(self.append(*writer), before).is_none();
                let (held, broken): (Vec<usize>, Vec<usize>) =
                    placed.writers.iter().partition(|at| holds(at));
                if !held.is_empty() {
                    let placed = &mut self.layout.placed[at];
                    placed.writers = held;
                    placed.others.extend(broken);
                }
            }
            let writer = self.layout.placed[at].writers.first();
            if let Some(tracking) = writer.and_then(|&writer| self.append(writer).tracking.as_ref()) {
                let change = Change { place: last, to: tracking.position };
                self.tracking.entry(&tracking.source).or_default().push(change);
            }
        }
        self.layout.settle(self.history);
    }
}
