//! The plan of a query over one index run: which posting lists to walk, the rarest first.
//!
//! An item's constraints must all hold; a constraint is one list, or several of which one must hold (types). The
//! walk leapfrogs: the rarest list proposes a position, the others agree or propose the next one. Lists are never
//! read as a whole. There is no plan that scans instead: decoding a posting costs a hundredth of decoding an event.

use std::sync::Arc;

use factlog_core::{Direction, Query, QueryItem, StreamFilter};

use crate::run::{Found, Postings, Run, Wrong, keys};

/// The matching positions of one run.
#[derive(Debug)]
pub(crate) enum Matches {
    /// Every position.
    All,
    /// Those of any item.
    AnyOf(Vec<Item>),
}

/// One item of a query: every constraint must hold.
#[derive(Debug)]
pub(crate) struct Item {
    constraints: Vec<Vec<Postings>>,
    answer: Answer,
}

/// What an item answered last. It holds until the search has passed it.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Unasked,
    At(u64),
    /// There is no further match.
    Over,
}

impl Matches {
    /// Looks up the lists of a query's keys.
    pub(crate) fn of(run: &Arc<Run>, query: &Query) -> Result<Self, Wrong> {
        let Query::AnyOf(items) = query else { return Ok(Self::All) };
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            match Item::of(run, item)? {
                Some(item) if item.constraints.is_empty() => return Ok(Self::All),
                item => found.extend(item),
            }
        }
        Ok(Self::AnyOf(found))
    }

    /// The first matching position of `(after, until]` in the direction; calls move in the direction.
    pub(crate) fn seek(&mut self, range: (u64, u64), direction: Direction) -> Result<Option<u64>, Wrong> {
        match self {
            Self::All => Ok(start_of(range, direction)),
            Self::AnyOf(items) => {
                let mut best = None;
                for item in items {
                    best = nearest(best, item.seek(range, direction)?, direction);
                }
                Ok(best)
            }
        }
    }
}

impl Item {
    /// The item's lists; `None` if the run has no event that the item could match.
    fn of(run: &Arc<Run>, item: &QueryItem) -> Result<Option<Self>, Wrong> {
        let mut groups: Vec<Vec<Found>> = Vec::new();
        let single = match &item.stream {
            None => None,
            Some(StreamFilter::Id(stream)) => Some(keys::stream(stream)),
            Some(StreamFilter::Category(category)) => Some(keys::category(category)),
        };
        for key in single.into_iter().chain(item.tags.iter().map(keys::tag)) {
            let Some(found) = run.find(&key)? else { return Ok(None) };
            groups.push(vec![found]);
        }
        if !item.types.is_empty() {
            let mut lists = Vec::new();
            for event_type in &item.types {
                lists.extend(run.find(&keys::event_type(event_type))?);
            }
            if lists.is_empty() {
                return Ok(None);
            }
            groups.push(lists);
        }
        groups.sort_by_key(|lists| lists.iter().map(|list| list.count).sum::<u64>());
        let cursors = |lists: Vec<Found>| lists.iter().map(|list| run.cursor(list)).collect();
        Ok(Some(Self { constraints: groups.into_iter().map(cursors).collect(), answer: Answer::Unasked }))
    }

    fn seek(&mut self, range: (u64, u64), direction: Direction) -> Result<Option<u64>, Wrong> {
        match self.answer {
            Answer::Over => Ok(None),
            Answer::At(position) if range.0 < position && position <= range.1 => Ok(Some(position)),
            Answer::At(_) | Answer::Unasked => {
                let answer = self.search(range, direction)?;
                self.answer = answer.map_or(Answer::Over, Answer::At);
                Ok(answer)
            }
        }
    }

    fn search(&mut self, (after, until): (u64, u64), direction: Direction) -> Result<Option<u64>, Wrong> {
        let Some(mut candidate) = start_of((after, until), direction) else { return Ok(None) };
        let mut agreed = 0;
        while agreed < self.constraints.len() {
            agreed = 0;
            for lists in &mut self.constraints {
                let mut position = None;
                for list in lists {
                    position = nearest(position, list.seek(candidate, direction)?, direction);
                }
                let Some(position) = position.filter(|&position| after < position && position <= until)
                else {
                    return Ok(None);
                };
                if position != candidate {
                    candidate = position;
                    break;
                }
                agreed += 1;
            }
        }
        Ok(Some(candidate))
    }
}

/// The end of a range where a search in the direction begins.
pub(crate) fn start_of((after, until): (u64, u64), direction: Direction) -> Option<u64> {
    match direction {
        _ if until <= after => None,
        Direction::Forwards => Some(after + 1),
        Direction::Backwards => Some(until),
    }
}

fn nearest(one: Option<u64>, other: Option<u64>, direction: Direction) -> Option<u64> {
    match (one, other, direction) {
        (None, only, _) | (only, None, _) => only,
        (Some(one), Some(other), Direction::Forwards) => Some(one.min(other)),
        (Some(one), Some(other), Direction::Backwards) => Some(one.max(other)),
    }
}
