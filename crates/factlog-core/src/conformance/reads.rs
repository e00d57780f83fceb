//! Promise 5: a read is one snapshot, says which, and delivers exactly what was asked for, both ways.
//!
//! The oracle is [`Query::matches`] over everything there is; `generate` makes the questions.

use std::ops::Range;

use super::Subject;
use super::drive::block_on;
use super::generate::Generator;
use super::harness::{
    around_a_restart, event, events, everything, failure, head, in_stream, position, positions, read, record,
    restarted, stream, tag_query, type_query,
};
use crate::{
    Category, Direction, ErrorKind, EventStore, Position, Query, QueryItem, Read, ReadOptions, RecordedEvent,
    Revision, StreamFilter,
};

/// An empty store answers every read with no events and no head.
///
/// Without it a first start would have to be treated apart by every caller.
pub async fn an_empty_store_reads_as_empty(subject: &dyn Subject) {
    around_a_restart(subject, |store| {
        let options = [
            ReadOptions::default(),
            ReadOptions::default().backwards(),
            ReadOptions::default().after(position(3)).until(position(9)).limit(2),
        ];
        let nothing = Read { events: Vec::new(), head: None };
        for options in options {
            for query in [Query::All, type_query("a"), tag_query(&["x"]), Query::stream(stream("s-1"))] {
                assert_eq!(block_on(read(store, query, options)), nothing);
            }
        }
        assert_eq!(block_on(head(store)), 0);
        assert_eq!(block_on(store.tracking("upstream")).expect("tracking"), None);
    })
    .await;
}

/// A read tells the head of its snapshot first, delivers what that snapshot holds and ends there, whatever is
/// appended while it goes on. What was acknowledged before the read is in it.
///
/// Without it "what I read" and "after what I read" would differ, and a condition would miss what lies between.
pub async fn a_read_ends_at_the_head_it_started_with(subject: &dyn Subject) {
    around_a_restart(subject, |store| {
        block_on(record(store, events("early", 1_500)));
        block_on(record(store, [in_stream("early", "s-1")]));
        let before = block_on(head(store));
        let all = ReadOptions::default();
        let cases = [
            (Query::All, all),
            (Query::All, all.backwards()),
            (Query::All, all.until(position(before + 9_000))),
            (type_query("early"), all.after(position(before - 100))),
            (type_query("unknown"), all),
        ];
        for (query, options) in cases {
            let expected = block_on(read(store, query.clone(), options));
            assert_eq!(
                Position::number(expected.head),
                block_on(head(store)),
                "the head, whatever the query"
            );
            let mut events = store.read(query.clone(), options);
            assert_eq!(block_on(events.head()).expect("a head"), expected.head);
            let first = block_on(events.next()).map(|event| event.expect("the first event"));
            block_on(record(store, [event("late"), in_stream("early", "s-1")]));
            assert_eq!(block_on(events.head()).expect("a head"), expected.head, "the head of a read stays");
            let rest = block_on(events.collect()).expect("the rest of the snapshot");
            assert_eq!(rest.head, expected.head);
            let seen: Vec<_> = first.into_iter().chain(rest.events).collect();
            assert_eq!(positions(&seen), positions(&expected.events), "{query:?} {options:?}");
        }
    })
    .await;
}

/// `after` is exclusive, `until` inclusive, `limit` counts what matches, `from_revision` is inclusive, and all
/// of them mean the same backwards.
///
/// Without it an event at a boundary would be processed twice or never.
pub async fn each_bound_of_a_read_is_exact(subject: &dyn Subject) {
    let store = subject.store();
    record(&*store, [in_stream("a", "s-1"), event("b"), in_stream("a", "s-1"), in_stream("a", "t-1")]).await;
    let store = restarted(subject).await;
    record(&*store, [in_stream("a", "s-1"), event("b"), in_stream("b", "s-1")]).await;
    let all = ReadOptions::default();
    let own = || Query::stream(stream("s-1"));
    let revision = |number| all.from_revision(Revision::new(number));
    let cases: [(Query, ReadOptions, &[u64]); 14] = [
        (Query::All, all, &[1, 2, 3, 4, 5, 6, 7]),
        (Query::All, all.after(position(2)).until(position(5)), &[3, 4, 5]),
        (Query::All, all.after(position(7)), &[]),
        (Query::All, all.after(Position::MAX).until(Position::MAX), &[]),
        (Query::All, all.after(position(5)).until(position(2)), &[]),
        (Query::All, all.until(position(1)), &[1]),
        (Query::All, all.until(position(99)).limit(u64::MAX), &[1, 2, 3, 4, 5, 6, 7]),
        (Query::All, all.limit(0), &[]),
        (type_query("a"), all.after(position(1)).until(position(5)), &[3, 4, 5]),
        (own(), revision(0), &[1, 3, 5, 7]),
        (own(), revision(2), &[5, 7]),
        (own(), revision(4), &[]),
        (own(), revision(1).after(position(3)).until(position(6)), &[5]),
        (own(), revision(u64::MAX), &[]),
    ];
    for (query, options, expected) in cases {
        let forwards = read(&*store, query.clone(), options).await;
        assert_eq!(positions(&forwards.events), expected, "{query:?} {options:?}");
        assert_eq!(forwards.head, Some(position(7)), "the head of the snapshot, whatever is asked");
        let mut backwards = read(&*store, query.clone(), options.backwards()).await.events;
        backwards.reverse();
        assert_eq!(forwards.events, backwards, "backwards: {query:?} {options:?}");
    }
    let first_two = read(&*store, type_query("b"), all.limit(2)).await.events;
    let last_two = read(&*store, type_query("b"), all.limit(2).backwards()).await.events;
    assert_eq!(
        (positions(&first_two), positions(&last_two)),
        (vec![2, 6], vec![7, 6]),
        "limit from where it starts"
    );
}

/// Whatever is asked of a few hundred generated events, in any range, either way: the answer is what
/// [`Query::matches`] picks from all of them.
///
/// Without it an index would hide an event from a decision, or show one that was never asked for.
pub async fn the_index_agrees_with_matches(subject: &dyn Subject) {
    let seed = 20_260_717;
    let mut generator = Generator::new(seed);
    let mut asked = 0;
    around_a_restart(subject, |store| {
        for _ in 0..30 {
            let batch: Vec<_> = (0..=generator.below(8)).map(|_| generator.event()).collect();
            block_on(record(store, batch));
        }
        let all = block_on(everything(store));
        for _ in 0..150 {
            asked += 1;
            let query = generator.query();
            let options = options(&mut generator, &query, all.len() as u64);
            for options in [options, options.backwards()] {
                let found = block_on(read(store, query.clone(), options)).events;
                let expected = oracle(&all, &query, options);
                let (found, expected) = (positions(&found), positions(&expected));
                assert_eq!(found, expected, "seed {seed}, question {asked}: {query:?} {options:?}");
            }
        }
    })
    .await;
}

fn options(generator: &mut Generator, query: &Query, head: u64) -> ReadOptions {
    let maybe = |generator: &mut Generator, range: Range<u64>| {
        let value = range.start + generator.below(range.end - range.start);
        (generator.below(2) == 0).then_some(value)
    };
    let mut options = ReadOptions::default()
        .after(maybe(generator, 1..head + 3).and_then(Position::new))
        .until(maybe(generator, 1..head + 3).and_then(Position::new));
    options.limit = maybe(generator, 0..40);
    options.from_revision = maybe(generator, 0..30).map(Revision::new);
    if options.validate(query).is_err() {
        options.from_revision = None;
    }
    options
}

/// What a read must deliver, taken from everything there is.
fn oracle(all: &[RecordedEvent], query: &Query, options: ReadOptions) -> Vec<RecordedEvent> {
    let wanted = |recorded: &&RecordedEvent| {
        options.after < Some(recorded.position)
            && options.until.is_none_or(|until| recorded.position <= until)
            && options.from_revision.is_none_or(|from| Some(from) <= recorded.revision)
            && query.matches(&recorded.event)
    };
    let mut wanted: Vec<_> = all.iter().filter(wanted).cloned().collect();
    if options.direction == Direction::Backwards {
        wanted.reverse();
    }
    wanted.truncate(options.limit.map_or(usize::MAX, |limit| limit as usize));
    wanted
}

/// A query without items, and `from_revision` without one stream to count in, are `Invalid`, and the read ends.
///
/// Without it a query that lost its items on the way would read nothing, or everything.
pub async fn senseless_reads_are_invalid(subject: &dyn Subject) {
    around_a_restart(subject, |store| {
        block_on(record(store, [in_stream("a", "s-1"), in_stream("a", "s-2")]));
        let revision = ReadOptions::default().from_revision(Revision::FIRST);
        let filter = |filter| QueryItem { stream: Some(filter), ..QueryItem::default() };
        let one = || filter(StreamFilter::Id(stream("s-1")));
        let category = Category::new("s").expect("a category");
        let cases = [
            ("an empty query", vec![], ReadOptions::default()),
            ("from_revision without a stream", vec![QueryItem::default()], revision),
            ("from_revision in a category", vec![filter(StreamFilter::Category(category))], revision),
            ("from_revision in two streams", vec![one(), filter(StreamFilter::Id(stream("s-2")))], revision),
            ("from_revision in a stream or any", vec![one(), QueryItem::default()], revision),
        ];
        for (what, items, options) in cases {
            refuses(store, what, &Query::AnyOf(items), options);
        }
        refuses(store, "from_revision over everything", &Query::All, revision);
    })
    .await;
}

fn refuses(store: &dyn EventStore, what: &str, query: &Query, options: ReadOptions) {
    failure(what, block_on(store.read(query.clone(), options).head()), ErrorKind::Invalid);
    let mut events = store.read(query.clone(), options);
    let first = block_on(events.next()).expect("a refused read says why");
    failure(what, first, ErrorKind::Invalid);
    assert!(block_on(events.next()).is_none(), "{what}: a read ends after its error");
}
