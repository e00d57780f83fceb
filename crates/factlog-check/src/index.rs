//! The log by what its events are found by, so that a question costs what its rarest name costs.
//!
//! * A place is an index into the log from 1. In a sound log it is the position; here nobody relies on that.
//! * Lists are in order of place. An item is asked of one list whose events include all that it matches, and
//!   [`QueryItem::matches`] has the last word.

use std::collections::HashMap;

use factlog_core::{Query, QueryItem, RecordedEvent, Revision, StreamFilter, StreamId};

/// The events of a log and where each name occurs.
#[derive(Debug)]
pub(super) struct Index<'h> {
    pub(super) log: &'h [RecordedEvent],
    all: Vec<u64>,
    streams: HashMap<&'h str, Vec<u64>>,
    categories: HashMap<&'h str, Vec<u64>>,
    types: HashMap<&'h str, Vec<u64>>,
    tags: HashMap<&'h str, Vec<u64>>,
}

impl<'h> Index<'h> {
    pub(super) fn new(log: &'h [RecordedEvent]) -> Self {
        let mut index = Self {
            log,
            all: (1..=log.len() as u64).collect(),
            streams: HashMap::new(),
            categories: HashMap::new(),
            types: HashMap::new(),
            tags: HashMap::new(),
        };
        for (place, recorded) in (1..).zip(log) {
            let event = &recorded.event;
            index.types.entry(event.event_type.as_str()).or_default().push(place);
            for tag in &event.tags {
                index.tags.entry(tag.as_str()).or_default().push(place);
            }
            if let Some(stream) = &event.stream {
                index.streams.entry(stream.as_str()).or_default().push(place);
                index.categories.entry(stream.category()).or_default().push(place);
            }
        }
        index
    }

    /// The last place of the log.
    pub(super) fn end(&self) -> u64 {
        self.log.len() as u64
    }

    /// The event at a place from 1 on, if the log reaches so far.
    pub(super) fn at(&self, place: u64) -> Option<&'h RecordedEvent> {
        self.log.get(usize::try_from(place.checked_sub(1)?).ok()?)
    }

    /// `count` events from a place on, if the log reaches so far.
    pub(super) fn slice(&self, first: u64, count: usize) -> Option<&'h [RecordedEvent]> {
        let start = usize::try_from(first.checked_sub(1)?).ok()?;
        self.log.get(start..start.checked_add(count)?)
    }

    /// The last revision of a stream within the first `upto` events.
    pub(super) fn revision(&self, stream: &StreamId, upto: u64) -> Option<Revision> {
        let places = list(&self.streams, stream.as_str());
        let count = places.partition_point(|&place| place <= upto) as u64;
        count.checked_sub(1).map(Revision::new)
    }

    /// Where a stream reached a revision.
    pub(super) fn place_of(&self, stream: &StreamId, revision: Revision) -> Option<u64> {
        list(&self.streams, stream.as_str()).get(usize::try_from(revision.get()).ok()?).copied()
    }

    /// The places in (`after`, `upto`] that match, in order.
    pub(super) fn matches(&self, query: &Query, after: u64, upto: u64) -> Vec<u64> {
        let mut found = Vec::new();
        self.each(query, &mut |item, places| {
            let within = part(places, after, upto).iter().copied();
            found.extend(within.filter(|&place| self.is_match(item, place)));
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The first place in (`after`, `upto`] that matches.
    pub(super) fn next(&self, query: &Query, after: u64, upto: u64) -> Option<u64> {
        let mut first: Option<u64> = None;
        self.each(query, &mut |item, places| {
            let upto = first.map_or(upto, |first| first - 1);
            let mut within = part(places, after, upto).iter().copied();
            first = within.find(|&place| self.is_match(item, place)).or(first);
        });
        first
    }

    /// The last place in (`after`, `upto`] that matches.
    pub(super) fn newest(&self, query: &Query, after: u64, upto: u64) -> Option<u64> {
        let mut newest: Option<u64> = None;
        self.each(query, &mut |item, places| {
            let mut within = part(places, newest.unwrap_or(after), upto).iter().rev().copied();
            newest = within.find(|&place| self.is_match(item, place)).or(newest);
        });
        newest
    }

    /// Whether the event at this place exists and matches.
    pub(super) fn is_matched(&self, query: &Query, place: u64) -> bool {
        self.at(place).is_some_and(|recorded| query.matches(&recorded.event))
    }

    fn is_match(&self, item: Option<&QueryItem>, place: u64) -> bool {
        item.is_none_or(|item| self.at(place).is_some_and(|recorded| item.matches(&recorded.event)))
    }

    /// Calls with each item and a list that holds all it matches; several times where several lists do so together.
    fn each(&self, query: &Query, ask: &mut dyn FnMut(Option<&QueryItem>, &[u64])) {
        match query {
            Query::All => ask(None, &self.all),
            Query::AnyOf(items) => {
                for item in items {
                    self.lists(item).into_iter().for_each(|places| ask(Some(item), places));
                }
            }
        }
    }

    fn lists(&self, item: &QueryItem) -> Vec<&[u64]> {
        let by_tag = item.tags.iter().map(|tag| list(&self.tags, tag.as_str()));
        let by_stream = item.stream.iter().map(|filter| match filter {
            StreamFilter::Id(stream) => list(&self.streams, stream.as_str()),
            StreamFilter::Category(category) => list(&self.categories, category.as_str()),
        });
        if let Some(shortest) = by_tag.chain(by_stream).min_by_key(|places| places.len()) {
            return vec![shortest];
        }
        if item.types.is_empty() {
            return vec![&self.all];
        }
        item.types.iter().map(|event_type| list(&self.types, event_type.as_str())).collect()
    }
}

fn list<'a>(lists: &'a HashMap<&str, Vec<u64>>, name: &str) -> &'a [u64] {
    lists.get(name).map_or(&[], Vec::as_slice)
}

fn part(places: &[u64], after: u64, upto: u64) -> &[u64] {
    let start = places.partition_point(|&place| place <= after);
    let end = places.partition_point(|&place| place <= upto);
    places.get(start..end).unwrap_or_default()
}
