//! What the clients of a generated history ask: out of few enough names that it often collides.

use factlog_core::{
    Append, AppendCondition, Category, Event, ExpectedRevision, Position, Query, QueryItem, ReadOptions,
    Revision, StartFrom, StreamFilter, TrackingSource,
};
use fastrand::Rng;

use super::{STREAMS, TAGS, TYPES, append_of, event, event_type, position, stream, tags, tracking};
use crate::history::History;

const SOURCES: [&str; 2] = ["p", "q"];

/// Makes questions; remembers only which event ids it has given.
#[derive(Debug, Default)]
pub(super) struct Asker {
    events: u64,
}

impl Asker {
    /// An append, or one that was asked for before: as it was, under no conditions, or with other content.
    pub(super) fn append(&mut self, history: &History, head: Option<Position>, rng: &mut Rng) -> Append {
        let earlier: Vec<&Append> =
            history.operations.iter().filter_map(append_of).map(|(append, _)| append).collect();
        if !earlier.is_empty() && rng.u8(..4) == 0 {
            let mut append = earlier[rng.usize(..earlier.len())].clone();
            match rng.u8(..8) {
                0 => append.events[0].data = "other".into(),
                1 => append.conditions.clear(),
                2.. => {}
            }
            return append;
        }
        let mut append = Append::new((0..rng.usize(1..4)).map(|_| self.event(rng)).collect::<Vec<_>>());
        for _ in 0..rng.usize(..3) {
            append = append.when(condition(head, rng));
        }
        if rng.u8(..3) == 0 {
            append = append.tracking(tracking(SOURCES[rng.usize(..2)], rng.u64(1..12)));
        }
        append
    }

    fn event(&mut self, rng: &mut Rng) -> Event {
        self.events += 1;
        let names: Vec<&str> = TAGS.into_iter().filter(|_| rng.bool()).collect();
        let event = event(self.events, TYPES[rng.usize(..3)]).tagged(tags(&names));
        match rng.usize(..4) {
            3 => event,
            at => event.in_stream(stream(STREAMS[at])),
        }
    }
}

fn condition(head: Option<Position>, rng: &mut Rng) -> AppendCondition {
    if rng.bool() {
        let after = if rng.u8(..4) == 0 { None } else { head };
        return AppendCondition::NoneMatch { query: query(rng), after };
    }
    let expected = match rng.u8(..6) {
        0 => ExpectedRevision::Any,
        1 => ExpectedRevision::NoStream,
        2 => ExpectedRevision::Exists,
        3.. => ExpectedRevision::At(Revision::new(rng.u64(..4))),
    };
    AppendCondition::Revision { stream: stream(STREAMS[rng.usize(..3)]), expected }
}

pub(super) fn query(rng: &mut Rng) -> Query {
    match rng.u8(..5) {
        0 => Query::All,
        1.. => Query::AnyOf((0..rng.usize(1..3)).map(|_| item(rng)).collect()),
    }
}

pub(super) fn read(rng: &mut Rng) -> (Query, ReadOptions) {
    let mut query = query(rng);
    let mut options = ReadOptions::default();
    if rng.u8(..4) == 0 {
        options = options.backwards();
    }
    if rng.u8(..4) == 0 {
        options = options.limit(rng.u64(1..5));
    }
    if rng.u8(..4) == 0 {
        options = options.after(Position::new(rng.u64(..9)));
    }
    if rng.u8(..4) == 0 {
        options = options.until(position(rng.u64(1..20)));
    }
    if rng.u8(..5) == 0 {
        query = Query::stream(stream(STREAMS[rng.usize(..3)]));
        options = options.from_revision(Revision::new(rng.u64(..3)));
    }
    (query, options)
}

pub(super) fn start(head: Option<Position>, rng: &mut Rng) -> StartFrom {
    match (rng.u8(..3), head) {
        (0, Some(head)) => StartFrom::After(head),
        (1, _) => StartFrom::End,
        (0 | 2.., _) => StartFrom::Beginning,
    }
}

pub(super) fn source(rng: &mut Rng) -> TrackingSource {
    TrackingSource::new(SOURCES[rng.usize(..2)]).expect("a source")
}

fn item(rng: &mut Rng) -> QueryItem {
    let names: Vec<&str> = TAGS.into_iter().filter(|_| rng.u8(..3) == 0).collect();
    QueryItem {
        types: TYPES.into_iter().filter(|_| rng.u8(..3) == 0).map(event_type).collect(),
        tags: tags(&names),
        stream: match rng.u8(..5) {
            0 => Some(StreamFilter::Id(stream(STREAMS[rng.usize(..3)]))),
            1 => Some(StreamFilter::Category(Category::new("s").expect("a category"))),
            2.. => None,
        },
    }
}
