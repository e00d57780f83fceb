//! Generations of some size: growth, and how much work a read is.

use factlog_core::{Direction, EventType, Query, QueryItem, StreamFilter, StreamId, Tags};

use super::{LOOKS, event};
use crate::tail::{Generation, Inserter, Kind};

/// A table that loses a key while it grows loses every event of that key.
#[test]
fn keys_outlive_every_growth_of_their_table() {
    let mut inserter = Inserter::new(1, 3);
    let generation = inserter.generation().clone();
    let before = generation.memory();
    for number in 1..=20_000_u64 {
        let stream = StreamId::new(format!("s-{number}")).unwrap();
        inserter.add(number, &event("t", stream.as_str(), &[]), || number);
        assert_eq!(generation.next_revision(&stream), Some(number + 1));
    }
    for number in 1..=20_000_u64 {
        let name = format!("s-{number}");
        assert_eq!(generation.postings(Kind::Stream, &name, (0, u64::MAX)), [number]);
        assert_eq!(generation.next_revision(&StreamId::new(format!("S-{number}")).unwrap()), None);
    }
    assert_eq!(generation.distinct(Kind::Stream, 20_000), 20_000);
    let grown = generation.memory() - before;
    assert!((20_000 * 40..20_000 * 120).contains(&grown), "{grown} bytes");
}

/// What is longer than the rest of a chunk must not be cut in two.
#[test]
fn long_names_and_many_tags_stay_in_one_piece() {
    let mut inserter = Inserter::new(1, 3);
    let generation = inserter.generation().clone();
    let stream = |number: u64| format!("{number:0>width$}", width = 500 + (number % 13) as usize);
    let tags: Vec<String> = (0..64).map(|tag| format!("{tag}:{}", "x".repeat(tag * 3))).collect();
    let of = |number: u64| tags.iter().map(String::as_str).take(number as usize % 65).collect::<Vec<_>>();
    for number in 1..=600 {
        inserter.add(number, &event("t", &stream(number), &of(number)), || 0);
    }
    for number in 1..=600 {
        assert_eq!(generation.postings(Kind::Stream, &stream(number), (0, 600)), [number]);
        let filter = Some(StreamFilter::Id(StreamId::new(stream(number)).unwrap()));
        let wanted = Query::AnyOf(vec![QueryItem { stream: filter, ..tagged(&of(number)) }]);
        assert_eq!(generation.newest(&wanted, 0, 600), Some(number));
    }
    for (at, tag) in tags.iter().enumerate() {
        let expected: Vec<_> = (1..=600).filter(|number| at < *number as usize % 65).collect();
        assert_eq!(generation.postings(Kind::Tag, tag, (0, 600)), expected);
    }
}

const EVENTS: u64 = 60_000;

/// Every n-th event is of the n-th kind, for several n; those of "first" and "last" lie together at an end.
fn mixed() -> Inserter {
    let mut inserter = Inserter::new(1, 3);
    for number in 1..=EVENTS {
        let mut tags = Vec::new();
        for (every, tag) in [(1, "1"), (2, "2"), (7, "7"), (64, "64"), (1_000, "1000")] {
            if number % every == 0 {
                tags.push(tag);
            }
        }
        tags.extend((number <= EVENTS / 4).then_some("first"));
        tags.extend((EVENTS - EVENTS / 4 < number).then_some("last"));
        inserter.add(number, &event("common", "", &tags), || 0);
    }
    inserter
}

/// All matches in batches, and how many events were looked at for them.
fn read_all(generation: &Generation, query: &Query, direction: Direction, limit: usize) -> (Vec<u64>, u64) {
    let looks = LOOKS.get();
    let (mut after, mut until) = (0, EVENTS);
    let mut all = Vec::new();
    loop {
        let found = generation.positions(query, (after, until), direction, limit);
        let Some(&nearest) = found.last() else { break };
        match direction {
            Direction::Forwards => after = nearest,
            Direction::Backwards => until = nearest - 1,
        }
        all.extend(found);
    }
    (all, LOOKS.get() - looks)
}

fn tagged(tags: &[&str]) -> QueryItem {
    QueryItem::tagged(Tags::new(tags.to_vec()).unwrap())
}

/// A reader that catches up must not walk over everything it had for every batch.
#[test]
fn a_whole_read_in_batches_is_linear_in_both_directions() {
    let inserter = mixed();
    let generation = inserter.generation();
    let common = QueryItem::of_types([EventType::new("common").unwrap()]);
    let queries = [
        vec![common.clone()],
        vec![tagged(&["1"])],
        vec![tagged(&["2"])],
        vec![tagged(&["7"])],
        vec![tagged(&["64"])],
        vec![tagged(&["1000"])],
        vec![tagged(&["2", "7"])],
        vec![tagged(&["first"])],
        vec![tagged(&["last"])],
        vec![tagged(&["first", "last"])],
        vec![tagged(&["7"]), tagged(&["64"]), tagged(&["1000"])],
        vec![QueryItem { tags: Tags::new(["1000"]).unwrap(), ..common }],
    ];
    for items in queries {
        let count = items.len() as u64;
        let query = Query::AnyOf(items);
        let mut expected = generation.positions(&query, (0, EVENTS), Direction::Forwards, usize::MAX);
        for direction in [Direction::Forwards, Direction::Backwards] {
            for limit in [256, 5_000] {
                let (all, looks) = read_all(generation, &query, direction, limit);
                assert_eq!(all, expected, "{query:?}");
                assert!(looks <= 4 * EVENTS * count, "{looks} looks {direction:?} by {limit} for {query:?}");
            }
            expected.reverse();
        }
    }
}

/// A condition near the head is looked up on the writer: it must not cost more than what is new.
#[test]
fn a_condition_near_the_head_looks_at_what_is_new() {
    let inserter = mixed();
    let generation = inserter.generation();
    for tags in [&["1", "64"][..], &["first", "last"], &["1", "2"], &["1000"], &["unknown", "1"]] {
        let query = Query::AnyOf(vec![tagged(tags)]);
        let looks = LOOKS.get();
        generation.newest(&query, EVENTS - 10, EVENTS);
        assert!(LOOKS.get() - looks <= 20, "{} looks for {tags:?}", LOOKS.get() - looks);
    }
}

/// Who follows a rare key must not look at everybody's events.
#[test]
fn a_rare_key_is_read_by_its_chain() {
    let inserter = mixed();
    let generation = inserter.generation();
    let looks_of = |tag: &str, range: (u64, u64), direction: Direction, limit: usize| {
        let looks = LOOKS.get();
        let found = generation.positions(&Query::AnyOf(vec![tagged(&[tag])]), range, direction, limit);
        (found.len(), LOOKS.get() - looks)
    };
    for direction in [Direction::Forwards, Direction::Backwards] {
        let (found, looks) = looks_of("1000", (0, EVENTS), direction, 256);
        assert!(found == 60 && looks <= 200, "{looks} looks for {found} {direction:?}");
    }
    let (found, looks) = looks_of("first", (0, EVENTS), Direction::Backwards, 100);
    assert!(found == 100 && looks <= 300, "{looks} looks for {found} that lie far back");
}
