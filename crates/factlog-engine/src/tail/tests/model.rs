//! A generation against a list of events: everything that can be asked, over all ranges.

use std::collections::{BTreeMap, HashMap};

use factlog_core::{Category, Direction, Event, EventType, Query, QueryItem, StreamFilter, StreamId, Tags};
use proptest::prelude::*;

use crate::tail::plan::{Plan, walked};
use crate::tail::table::Hasher;
use crate::tail::{Generation, Inserter, Kind};

const STREAMS: [&str; 7] = ["", "a-1", "a-2", "a", "b-1", "-x", "type-0"];
const CATEGORIES: [&str; 4] = ["a", "b", "type", "nowhere"];
/// A type, a tag and a stream may have the same name.
const TYPES: [&str; 4] = ["type-0", "type-1", "type-2", "type-3"];
const TAGS: [&str; 5] = ["a", "a:1", "type-0", "eight888", "eight888-and-more"];

fn some_event() -> impl Strategy<Value = Event> {
    let tags = proptest::sample::subsequence(TAGS.to_vec(), 0..4);
    (0..TYPES.len() - 1, 0..STREAMS.len(), tags)
        .prop_map(|(event_type, stream, tags)| super::event(TYPES[event_type], STREAMS[stream], &tags))
}

fn some_item() -> impl Strategy<Value = QueryItem> {
    let stream = prop_oneof![
        3 => Just(None),
        2 => (1..STREAMS.len()).prop_map(|at| Some(StreamFilter::Id(StreamId::new(STREAMS[at]).unwrap()))),
        2 => (0..CATEGORIES.len())
            .prop_map(|at| Some(StreamFilter::Category(Category::new(CATEGORIES[at]).unwrap()))),
    ];
    let types = proptest::collection::vec(proptest::sample::select(TYPES.to_vec()), 0..4);
    let tags = proptest::sample::subsequence(TAGS.to_vec(), 0..3);
    (types, tags, stream).prop_map(|(types, tags, stream)| QueryItem {
        types: types.into_iter().map(|name| EventType::new(name).unwrap()).collect(),
        tags: Tags::new(tags).unwrap(),
        stream,
    })
}

fn some_query() -> impl Strategy<Value = Query> {
    prop_oneof![
        1 => Just(Query::All),
        8 => proptest::collection::vec(some_item(), 1..4).prop_map(Query::AnyOf),
    ]
}

/// Events by position. Some positions are missing, as on a store that lost a part of its log.
fn some_log() -> impl Strategy<Value = BTreeMap<u64, Event>> {
    let steps =
        proptest::collection::vec((prop_oneof![9 => Just(1_u64), 1 => 2..5_u64], some_event()), 0..24);
    (1..4_u64, steps).prop_map(|(first, steps)| {
        let mut position = first - 1;
        let placed = steps.into_iter().map(|(step, event)| {
            position += step;
            (position, event)
        });
        placed.collect()
    })
}

/// Each stream had ten times its name's length of events before.
fn before(stream: &StreamId) -> u64 {
    stream.as_str().len() as u64 * 10
}

fn filled(log: &BTreeMap<u64, Event>, mask: u32) -> Inserter {
    let first = log.keys().next().copied().unwrap_or(1);
    let mut inserter = Inserter::with(first, Hasher::masked(7, mask));
    let mut next = HashMap::new();
    for (&position, event) in log {
        let revision = inserter.add(position, event, || before(event.stream.as_ref().expect("a stream")));
        let expected = event.stream.as_ref().map_or(0, |stream| {
            let next = next.entry(stream.clone()).or_insert_with(|| before(stream));
            *next += 1;
            *next - 1
        });
        assert_eq!(revision, expected);
    }
    inserter
}

/// The positions of `(after, until]` whose events are meant.
fn naive(log: &BTreeMap<u64, Event>, (after, until): (u64, u64), meant: impl Fn(&Event) -> bool) -> Vec<u64> {
    let inside = log.iter().filter(|&(&position, _)| after < position && position <= until);
    inside.filter(|(_, event)| meant(event)).map(|(&position, _)| position).collect()
}

fn check_query(generation: &Generation, log: &BTreeMap<u64, Event>, query: &Query, range: (u64, u64)) {
    let ascending = naive(log, range, |event| query.matches(event));
    assert_eq!(
        generation.newest(query, range.0, range.1),
        ascending.last().copied(),
        "{query:?} in {range:?}"
    );
    for direction in [Direction::Forwards, Direction::Backwards] {
        let mut expected = ascending.clone();
        if direction == Direction::Backwards {
            expected.reverse();
        }
        for limit in [0, 1, 3, usize::MAX] {
            let expected: Vec<_> = expected.iter().take(limit).copied().collect();
            let found = generation.positions(query, range, direction, limit);
            assert_eq!(found, expected, "{query:?} in {range:?} {direction:?}");
            check_both_ways(generation, query, range, direction, limit, &expected);
        }
    }
}

/// So small a generation is always walked; scanning has to find the same.
fn check_both_ways(
    generation: &Generation,
    query: &Query,
    range: (u64, u64),
    direction: Direction,
    limit: usize,
    expected: &[u64],
) {
    let Some(span) = generation.span(range) else { return };
    let plan = Plan::new(generation, query, span.after);
    let position = |ordinals: Vec<u32>| -> Vec<u64> {
        ordinals.into_iter().map(|ordinal| generation.position(ordinal)).collect()
    };
    assert_eq!(position(plan.scanned(generation, span, direction, limit)), expected);
    if let Plan::AnyOf(items) = &plan {
        assert_eq!(position(walked(generation, items, span, direction, limit)), expected);
    }
}

fn has(kind: Kind, name: &str, event: &Event) -> bool {
    let stream = event.stream.as_ref();
    match kind {
        Kind::Stream => stream.is_some_and(|stream| stream.as_str() == name),
        Kind::Category => stream.is_some_and(|stream| stream.category() == name),
        Kind::Type => event.event_type.as_str() == name,
        Kind::Tag => event.tags.iter().any(|tag| tag.as_str() == name),
    }
}

fn every_key() -> Vec<(Kind, &'static str)> {
    let streams = STREAMS[1..].iter().map(|name| (Kind::Stream, *name));
    let categories = CATEGORIES.iter().map(|name| (Kind::Category, *name));
    let types = TYPES.iter().map(|name| (Kind::Type, *name));
    streams.chain(categories).chain(types).chain(TAGS.iter().map(|name| (Kind::Tag, *name))).collect()
}

fn check_stream(generation: &Generation, name: &str, head: u64, positions: &[u64]) {
    let stream = StreamId::new(name).unwrap();
    let next = (!positions.is_empty()).then(|| before(&stream) + positions.len() as u64);
    assert_eq!(generation.next_revision_at(&stream, head), next);
    if head == generation.last() {
        assert_eq!(generation.next_revision(&stream), next);
    }
    for (revision, &position) in (before(&stream)..).zip(positions) {
        assert_eq!(generation.position_of(&stream, revision, head), Some(position));
    }
    for revision in [0, before(&stream) - 1, before(&stream) + positions.len() as u64, u64::MAX] {
        assert_eq!(generation.position_of(&stream, revision, head), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A position too many or too few in any range is a lost event or a wrong verdict.
    #[test]
    fn queries_find_what_matches_and_nothing_above_the_bound(
        log in some_log(),
        query in some_query(),
        mask in prop_oneof![Just(u32::MAX), Just(3), Just(0)],
    ) {
        let inserter = filled(&log, mask);
        let generation = inserter.generation();
        let last = log.keys().next_back().copied().unwrap_or(0);
        for after in 0..=last + 1 {
            for until in after.saturating_sub(1)..=last + 2 {
                check_query(generation, &log, &query, (after, until));
            }
        }
        check_query(generation, &log, &query, (0, u64::MAX));
    }

    /// Revisions, lists of streams and types, and the index run that is written later come from the same keys.
    #[test]
    fn keys_tell_their_events_at_every_head(log in some_log(), mask in prop_oneof![Just(u32::MAX), Just(0)]) {
        let inserter = filled(&log, mask);
        let generation = inserter.generation();
        prop_assert_eq!(generation.events(), log.len() as u64);
    prop_assert_eq!(generation.first(), log.keys().next().copied().unwrap_or(1));
        for head in 0..=generation.last() {
            for (kind, name) in every_key() {
                let positions = naive(&log, (0, head), |event| has(kind, name, event));
                prop_assert_eq!(generation.postings(kind, name, (0, head)), positions.clone());
                let spans = generation.keys(kind, name, head);
                let span = spans.iter().find(|span| span.name == name);
                prop_assert!(spans.iter().all(|span| span.name.starts_with(name)));
                prop_assert_eq!(span.is_some(), !positions.is_empty());
                if let Some(span) = span {
                    let ends = (positions[0], positions[positions.len() - 1]);
                    prop_assert_eq!((span.count, (span.first, span.last)), (positions.len() as u64, ends));
                    let base = if kind == Kind::Stream { name.len() as u64 * 10 } else { 0 };
                    prop_assert_eq!(span.base, base);
                }
                if kind == Kind::Stream {
                    check_stream(generation, name, head, &positions);
                }
            }
            for kind in [Kind::Stream, Kind::Category, Kind::Type, Kind::Tag] {
                prop_assert_eq!(generation.distinct(kind, head), generation.keys(kind, "", head).len() as u64);
            }
        }
    }

    /// A key that is left out of an index run, or out of order there, is lost when the generation goes.
    #[test]
    fn every_key_is_shown_in_order_with_its_positions(log in some_log()) {
        let inserter = filled(&log, u32::MAX);
        let mut expected: Vec<(Vec<u8>, Vec<u64>)> = Vec::new();
        for (kind, name) in every_key() {
            let positions = naive(&log, (0, u64::MAX), |event| has(kind, name, event));
            let key = [&[kind as u8], name.as_bytes()].concat();
            expected.extend((!positions.is_empty()).then_some((key, positions)));
        }
        expected.sort();
        let mut shown = Vec::new();
        let visited = inserter.generation().visit_keys(|key, _, positions| {
            shown.push((key.to_vec(), positions.to_vec()));
            Ok::<(), ()>(())
        });
        prop_assert_eq!(visited, Ok(()));
        prop_assert_eq!(shown, expected);
    }
}
