//! The index in memory: which positions a stream, category, type or tag has, and what decides appends.
//!
//! * Posting lists hold positions in ascending order; every search is a binary search in them.
//! * Only the writer (or recovery) adds; it adds what is not yet durable too, so readers bring their own bound.
//! * It is rebuilt by a scan when the store opens; nothing here touches files.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use factlog_core::{
    Category, Direction, Event, EventId, EventType, Position, Query, QueryItem, StreamFilter, StreamId, Tag,
    Timestamp, TrackingSource,
};

/// What the writer must know of an append that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) content: u64,
}

/// Everything known about the events so far.
#[derive(Debug, Default)]
pub(crate) struct Index {
    streams: HashMap<StreamId, Vec<u64>>,
    categories: HashMap<Category, Vec<u64>>,
    types: HashMap<EventType, Vec<u64>>,
    tags: HashMap<Tag, Vec<u64>>,
    commits: HashMap<EventId, Commit>,
    /// For each time anything was recorded: the time and the first position that has it.
    times: Vec<(i64, u64)>,
    /// Durable tracking only.
    pub(crate) tracking: HashMap<TrackingSource, Position>,
    /// Every stream, by id.
    names: BTreeSet<StreamId>,
    firsts: Firsts,
    /// The last position added.
    pub(crate) last: u64,
}

/// The positions at which streams, types and tags first came up, in order, so that counting them is a search.
#[derive(Debug, Default)]
struct Firsts {
    streams: Vec<u64>,
    types: Vec<u64>,
    tags: Vec<u64>,
}

impl Index {
    /// Adds the next event and returns its revision (0 without a stream).
    pub(crate) fn add(&mut self, position: u64, recorded_at: i64, event: &Event) -> u64 {
        assert!(self.last < position, "positions grow");
        self.last = position;
        if self.times.last().is_none_or(|&(time, _)| time < recorded_at) {
            self.times.push((recorded_at, position));
        }
        if post(&mut self.types, &event.event_type, position) == 0 {
            self.firsts.types.push(position);
        }
        for tag in &event.tags {
            if post(&mut self.tags, tag, position) == 0 {
                self.firsts.tags.push(position);
            }
        }
        let Some(stream) = &event.stream else { return 0 };
        if let Ok(category) = Category::new(stream.category()) {
            post(&mut self.categories, &category, position);
        }
        let revision = post(&mut self.streams, stream, position);
        if revision == 0 {
            self.names.insert(stream.clone());
            self.firsts.streams.push(position);
        }
        revision as u64
    }

    /// Remembers an append by its first event's id.
    pub(crate) fn add_commit(&mut self, id: EventId, commit: Commit) {
        self.commits.insert(id, commit);
    }

    /// The append whose first event has this id.
    pub(crate) fn commit(&self, id: &EventId) -> Option<Commit> {
        self.commits.get(id).copied()
    }

    /// The positions of a stream's events; the index in the slice is the revision.
    pub(crate) fn stream(&self, stream: &StreamId) -> &[u64] {
        self.streams.get(stream).map_or(&[], Vec::as_slice)
    }

    /// Streams that begin with `prefix`, by id, above `after`, with their positions.
    pub(crate) fn streams<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a StreamId>,
    ) -> impl Iterator<Item = (&'a StreamId, &'a [u64])> {
        let from = match after.map(StreamId::as_str) {
            Some(after) if prefix <= after => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let names = self.names.range::<str, _>((from, Bound::Unbounded));
        let wanted = names.take_while(move |stream| stream.as_str().starts_with(prefix));
        wanted.map(|stream| (stream, self.stream(stream)))
    }

    /// Every type and its positions, in no order.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&EventType, &[u64])> {
        self.types.iter().map(|(event_type, positions)| (event_type, positions.as_slice()))
    }

    /// How many streams, types and tags there are up to `head`.
    pub(crate) fn counts(&self, head: u64) -> (u64, u64, u64) {
        let upto = |firsts: &[u64]| firsts.partition_point(|&first| first <= head) as u64;
        (upto(&self.firsts.streams), upto(&self.firsts.types), upto(&self.firsts.tags))
    }

    /// The time of the last event added.
    pub(crate) fn last_time(&self) -> Option<i64> {
        self.times.last().map(|&(time, _)| time)
    }

    /// When the event at `position` was recorded.
    pub(crate) fn time_of(&self, position: u64) -> Option<Timestamp> {
        let after = self.times.partition_point(|&(_, first)| first <= position);
        after.checked_sub(1).map(|at| Timestamp::from_micros(self.times[at].0))
    }

    /// The last position recorded at or before `time`, at most `head`; 0 if there is none.
    pub(crate) fn position_at(&self, time: Timestamp, head: u64) -> u64 {
        let after = self.times.partition_point(|&(recorded, _)| recorded <= time.as_micros());
        self.times.get(after).map_or(head, |&(_, first)| first - 1).min(head)
    }

    /// The newest matching position in `(after, until]`.
    pub(crate) fn newest(&self, query: &Query, after: u64, until: u64) -> Option<u64> {
        Plan::new(self, query).seek((after, until), Direction::Backwards)
    }

    /// Matching positions in `(after, until]`, at most `limit`, in the order of the direction.
    pub(crate) fn positions(
        &self,
        query: &Query,
        (after, until): (u64, u64),
        direction: Direction,
        limit: usize,
    ) -> Vec<u64> {
        let plan = Plan::new(self, query);
        let mut found = Vec::new();
        let (mut low, mut high) = (after, until);
        while found.len() < limit
            && let Some(position) = plan.seek((low, high), direction)
        {
            found.push(position);
            match direction {
                Direction::Forwards => low = position,
                Direction::Backwards => high = position - 1,
            }
        }
        found
    }
}

/// Adds a position to a key's list and returns its place there.
fn post<K: Clone + Eq + std::hash::Hash>(lists: &mut HashMap<K, Vec<u64>>, key: &K, position: u64) -> usize {
    if let Some(list) = lists.get_mut(key) {
        list.push(position);
        return list.len() - 1;
    }
    lists.insert(key.clone(), vec![position]);
    0
}

/// A query over posting lists: a union of intersections of unions.
enum Plan<'a> {
    All { last: u64 },
    AnyOf(Vec<ItemPlan<'a>>),
}

/// One item: a position must be in every constraint, that is in at least one list of each.
struct ItemPlan<'a> {
    constraints: Vec<Vec<&'a [u64]>>,
    last: u64,
}

impl<'a> Plan<'a> {
    fn new(index: &'a Index, query: &Query) -> Self {
        match query {
            Query::All => Self::All { last: index.last },
            Query::AnyOf(items) => {
                Self::AnyOf(items.iter().filter_map(|item| ItemPlan::new(index, item)).collect())
            }
        }
    }

    /// The first matching position of `(after, until]` in the direction. It looks at nothing outside.
    fn seek(&self, range: (u64, u64), direction: Direction) -> Option<u64> {
        match self {
            Self::All { last } => first_of((range.0, range.1.min(*last)), direction),
            Self::AnyOf(items) => {
                nearest(items.iter().filter_map(|item| item.seek(range, direction)), direction)
            }
        }
    }
}

impl<'a> ItemPlan<'a> {
    /// The item's lists, the rarest constraint first; `None` if a key it needs does not exist.
    fn new(index: &'a Index, item: &QueryItem) -> Option<Self> {
        let mut constraints = Vec::new();
        match &item.stream {
            None => {}
            Some(StreamFilter::Id(stream)) => constraints.push(vec![index.streams.get(stream)?.as_slice()]),
            Some(StreamFilter::Category(category)) => {
                constraints.push(vec![index.categories.get(category)?.as_slice()]);
            }
        }
        for tag in &item.tags {
            constraints.push(vec![index.tags.get(tag)?.as_slice()]);
        }
        if !item.types.is_empty() {
            let lists: Vec<_> =
                item.types.iter().filter_map(|name| index.types.get(name)).map(Vec::as_slice).collect();
            constraints.push(lists);
        }
        constraints.sort_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>());
        Some(Self { constraints, last: index.last })
    }

    fn seek(&self, (after, until): (u64, u64), direction: Direction) -> Option<u64> {
        let mut candidate = first_of((after, until.min(self.last)), direction)?;
        let mut agreed = 0;
        while agreed < self.constraints.len() {
            agreed = 0;
            for lists in &self.constraints {
                let hits = lists.iter().filter_map(|list| seek_list(list, candidate, direction));
                let position = nearest(hits, direction)?;
                if position <= after || until < position {
                    return None;
                }
                if position != candidate {
                    candidate = position;
                    break;
                }
                agreed += 1;
            }
        }
        Some(candidate)
    }
}

/// The end of a range where a search in the direction begins.
fn first_of((after, until): (u64, u64), direction: Direction) -> Option<u64> {
    match direction {
        _ if until <= after => None,
        Direction::Forwards => Some(after + 1),
        Direction::Backwards => Some(until),
    }
}

fn nearest(positions: impl Iterator<Item = u64>, direction: Direction) -> Option<u64> {
    match direction {
        Direction::Forwards => positions.min(),
        Direction::Backwards => positions.max(),
    }
}

fn seek_list(list: &[u64], from: u64, direction: Direction) -> Option<u64> {
    match direction {
        Direction::Forwards => list.get(list.partition_point(|&position| position < from)).copied(),
        Direction::Backwards => list[..list.partition_point(|&position| position <= from)].last().copied(),
    }
}
