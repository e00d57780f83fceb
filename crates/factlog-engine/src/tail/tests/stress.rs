//! One writer, several readers, at full speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use factlog_core::{Direction, Event, EventType, Query, QueryItem, StreamId, Tags, Timestamp};

use super::event;
use crate::records::Records;
use crate::tail::{Generation, Inserter, Kind};

const EVENTS: u64 = 200_000;
const GROUP: u64 = 100;
const STREAMS: u64 = 97;
/// Every tag of its own is on this many events: new keys come up until the end.
const SHARED: u64 = 4;

/// The number-th event from 0; all readers know it.
fn event_at(number: u64) -> Event {
    let (odd, own) = (format!("odd:{}", number % 2), format!("own:{}", number / SHARED));
    event(["x", "y", "z"][(number % 3) as usize], &format!("s-{}", number % STREAMS), &[&odd, &own])
}

fn tagged(tag: String) -> QueryItem {
    QueryItem::tagged(Tags::new([tag]).unwrap())
}

fn write(mut inserter: Inserter, first: u64, head: &AtomicU64) {
    let generation = inserter.generation().clone();
    for group in 0..EVENTS / GROUP {
        let begin = first + group * GROUP;
        for number in group * GROUP..(group + 1) * GROUP {
            let revision = inserter.add(first + number, &event_at(number), || 5);
            assert_eq!(revision, 5 + number / STREAMS);
        }
        let bytes = Bytes::from_static(b"some");
        let records = Records { first: begin, bytes, offsets: vec![0; GROUP as usize] };
        generation.push_frame(Arc::new(records), Timestamp::from_micros(i64::try_from(group).unwrap()));
        head.store(begin + GROUP - 1, Ordering::Release);
    }
}

/// Checks what a reader sees at a head, by arithmetic alone. `seed` picks what it looks at.
fn check(generation: &Generation, first: u64, head: u64, seed: u64) {
    // Numbers of events, from 0; `end` is the first that must not be seen.
    let end = head + 1 - first;
    let number = seed % end;
    let position = first + number;
    // The newest event of a residue class.
    let newest = |modulus: u64, rest: u64| (rest < end).then(|| end - 1 - (end - 1 - rest) % modulus);

    let stream = StreamId::new(format!("s-{}", number % STREAMS)).unwrap();
    let last = newest(STREAMS, number % STREAMS).unwrap();
    assert_eq!(generation.newest(&Query::stream(stream.clone()), 0, head), Some(first + last));
    assert_eq!(generation.next_revision_at(&stream, head), Some(5 + last / STREAMS + 1));
    assert_eq!(generation.position_of(&stream, 5 + number / STREAMS, head), Some(position));
    assert_eq!(generation.position_of(&stream, 5 + last / STREAMS + 1, head), None);

    let own = number / SHARED;
    let range = own * SHARED..((own + 1) * SHARED).min(end);
    let expected: Vec<_> = range.clone().map(|number| first + number).collect();
    assert_eq!(generation.postings(Kind::Tag, &format!("own:{own}"), (0, head)), expected);
    let unseen = Query::AnyOf(vec![tagged(format!("own:{}", end.div_ceil(SHARED)))]);
    assert_eq!(generation.newest(&unseen, 0, head), None);

    // A type and a tag together: number % 6 == 5 - 3 * (number % 2) and so on, for one of the six.
    let (odd, kind) = (number % 2, number % 3);
    let rest = (0..6).find(|rest| rest % 2 == odd && rest % 3 == kind).unwrap();
    let name = EventType::new(["x", "y", "z"][kind as usize]).unwrap();
    let both = QueryItem { types: vec![name], ..tagged(format!("odd:{odd}")) };
    let query = Query::AnyOf(vec![both, tagged(format!("own:{own}"))]);
    let wanted = |number: u64| number % 6 == rest || number / SHARED == own;
    let after = number.saturating_sub(50);
    let forwards: Vec<_> =
        (after..end).filter(|&number| wanted(number)).take(40).map(|at| first + at).collect();
    let range = (first + after - 1, head);
    assert_eq!(generation.positions(&query, range, Direction::Forwards, 40), forwards);
    let backwards: Vec<_> =
        (0..=number).rev().filter(|&at| wanted(at)).take(40).map(|at| first + at).collect();
    assert_eq!(generation.positions(&query, (0, position), Direction::Backwards, 40), backwards);

    let frame = generation.records(position).expect("durable events are in a frame");
    assert_eq!(frame.first, position - number % GROUP);
    let time = Timestamp::from_micros(i64::try_from(number / GROUP).unwrap());
    assert_eq!(generation.time_of(position), Some(time));
    assert_eq!(generation.position_at(time, head), frame.last());
    assert_eq!(generation.distinct(Kind::Tag, head), 2.min(end) + end.div_ceil(SHARED));
}

fn read(generation: &Generation, first: u64, head: &AtomicU64, done: &AtomicBool, mut seed: u64) -> u64 {
    let mut checks = 0;
    loop {
        let last_round = done.load(Ordering::Acquire);
        let seen = head.load(Ordering::Acquire);
        if first <= seen {
            // A linear congruential generator (Knuth, MMIX).
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Half of the looks at what is newest.
            let near = if seed >> 63 == 0 { u64::MAX } else { 500 };
            let end = seen + 1 - first;
            let picked = end - 1 - (seed >> 20) % end.min(near);
            check(generation, first, seen, picked);
            checks += 1;
        }
        if last_round {
            return checks;
        }
    }
}

/// A reader that sees half an event, misses one below its head or sees one above it would serve a wrong history.
#[test]
fn readers_see_exactly_what_is_below_their_head_while_the_writer_inserts() {
    let first = 1_000;
    let inserter = Inserter::new(first, 11);
    let generation = inserter.generation().clone();
    let head = AtomicU64::new(first - 1);
    let done = AtomicBool::new(false);
    let checks: Vec<u64> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|seed| {
                scope.spawn({
                    let (generation, head, done) = (&generation, &head, &done);
                    move || read(generation, first, head, done, seed)
                })
            })
            .collect();
        let writer = scope.spawn(|| write(inserter, first, &head));
        let written = writer.join();
        done.store(true, Ordering::Release);
        assert!(written.is_ok(), "the writer panicked");
        readers.into_iter().map(|reader| reader.join().expect("a reader panicked")).collect()
    });
    assert_eq!(head.into_inner(), first + EVENTS - 1);
    assert!(checks.iter().all(|&checks| 10 < checks), "{checks:?} checks are too few to say anything");
}
