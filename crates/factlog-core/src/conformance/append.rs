//! Promises 1, 2 and 3: what is appended is there as it was given, whole, and in one dense order.
//!
//! What conditions decide is in `conditions`; bounds are in `bounds`.

use bytes::Bytes;

use super::drive::{Started, block_on, race, race_watched, start};
use super::harness::{
    Follower, append, around_a_restart, assert_new, conflict, event, events, everything, expect_revision,
    head, in_stream, position, positions, read, record, refused, restarted, stream, tag_query, tagged,
    tracking, type_query,
};
use super::{Subject, harness};
use crate::{
    Append, Category, ContentType, Event, EventId, EventStore, ExpectedRevision, Position, Query, QueryItem,
    ReadOptions, RecordedEvent, Revision, StartFrom, StreamFilter, StreamRevision,
};

/// An event is read as it was appended, to the last byte, by every way to find it, also after a restart.
///
/// Without it a fact would change by being stored: an empty field dropped, a byte taken for text, a tag lost.
pub async fn what_is_appended_is_what_is_read(subject: &dyn Subject) {
    let store = subject.store();
    let given = every_shape();
    record(&*store, given.clone()).await;
    let before = everything(&*store).await;
    let store = restarted(subject).await;
    record(&*store, [event("later")]).await;

    let after = read(&*store, Query::All, ReadOptions::default().limit(given.len() as u64)).await.events;
    assert_eq!(before, after, "a restart changes no recorded event");
    assert_eq!(given.len(), after.len());
    for (given, recorded) in given.iter().zip(&after) {
        assert_eq!(*given, recorded.event, "what is read is what was appended");
        let mut ways = vec![type_query(given.event_type.as_str())];
        ways.extend(given.tags.iter().map(|tag| tag_query(&[tag.as_str()])));
        ways.extend(given.stream.clone().map(Query::stream));
        for way in ways {
            let found = read(&*store, way.clone(), ReadOptions::default()).await.events;
            assert!(found.contains(recorded), "{way:?} finds the event at {}", recorded.position);
        }
    }
}

fn every_shape() -> Vec<Event> {
    let many: Vec<String> = (0..64).map(|n| format!("{n:02}{}", "t".repeat(253))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let bytes: Vec<u8> = (0..100_000u32).map(|n| (n * 31 % 256) as u8).collect();
    let long = "x".repeat(255);
    vec![
        Event::new(harness::name("empty"), Bytes::new()),
        event("unicode.größe.事実").tagged(harness::tags(&["straße:ß", "名:前", "🦀:crab"])),
        in_stream("stream.of.unicode", "konto-Zürich-✓"),
        event("binary").with_metadata(vec![0xFF, 0x00, 0xFE]).with_content_type(ContentType::BYTES),
        Event::new(harness::name("not.utf8"), Bytes::from(bytes)),
        tagged("tags", &many),
        event(&long).in_stream(stream(&"s".repeat(512))),
        event("typed").with_content_type(ContentType::new(&long).expect("255 bytes are allowed")),
        event("nil").with_id(EventId::from_bytes([0; 16])),
        event("max").with_id(EventId::from_bytes([0xFF; 16])),
        in_stream("system", "$settings").with_metadata(r#"{"user":"ada"}"#),
        in_stream("dash", "-"),
    ]
}

/// Positions are 1, 2, 3, ... and each stream's revisions 0, 1, 2, ..., also across a restart, and `Appended`
/// says exactly which.
///
/// Without it a checkpoint or an expected revision would point at nothing, or at another event.
pub async fn positions_and_revisions_are_dense(subject: &dyn Subject) {
    let store = subject.store();
    let first = record(&*store, [in_stream("a", "s-1"), event("b"), in_stream("c", "s-2")]).await;
    assert_eq!((first.first.get(), first.last.get()), (1, 3), "the first append");
    assert_eq!(first.revisions, [at("s-1", 0), at("s-2", 0)]);
    assert_new(subject, &first);

    let store = restarted(subject).await;
    let mixed = [in_stream("d", "s-2"), in_stream("e", "s-1"), in_stream("f", "s-2")];
    let second = record(&*store, mixed).await;
    assert_eq!((second.first.get(), second.last.get()), (4, 6), "the second append");
    assert_eq!(second.revisions, [at("s-2", 2), at("s-1", 1)], "in order of first mention");

    let recorded = everything(&*store).await;
    assert_eq!(positions(&recorded), [1, 2, 3, 4, 5, 6]);
    let revisions: Vec<_> = recorded.iter().map(|event| event.revision.map(Revision::get)).collect();
    assert_eq!(revisions, [Some(0), None, Some(0), Some(1), Some(1), Some(2)]);
}

fn at(id: &str, revision: u64) -> StreamRevision {
    StreamRevision { stream: stream(id), revision: Revision::new(revision) }
}

/// While writers append three events over two streams at a time, no reader, no subscription and no head ever
/// shows one or two of the three, and the three stand next to each other.
///
/// Without it a transfer could be seen with the money gone from one account and not yet on the other.
pub async fn an_append_is_seen_whole(subject: &dyn Subject) {
    let mut side = 0;
    around_a_restart(subject, |store| {
        side += 1;
        let write = |writer: usize| {
            for n in 0..20 {
                let part =
                    |event: Event| Event { data: Bytes::from(format!("{side}-{writer}-{n}")), ..event };
                let own = format!("left-{writer}");
                let parts = [in_stream("part", &own), event("part"), in_stream("part", "right-0")].map(part);
                let appended = block_on(record(store, parts));
                assert_eq!(appended.last.get(), appended.first.get() + 2, "three events next to each other");
            }
        };
        let mut seen = None;
        race_watched(4, write, || seen = block_on(look_for_parts(store, seen)));
        assert_eq!(Position::number(seen), side * 240, "the watcher saw the end");
    })
    .await;
}

/// Looks at what came after `seen` in every way there is; answers the head.
async fn look_for_parts(store: &dyn EventStore, seen: Option<Position>) -> Option<Position> {
    assert_eq!(head(store).await % 3, 0, "the head is the end of an append");
    let options = ReadOptions::default().after(seen);
    let forwards = read(store, Query::All, options).await;
    assert_whole(&forwards.events, 3);
    assert_eq!(forwards.head, forwards.events.last().map_or(seen, |last| Some(last.position)));

    let mut backwards = read(store, Query::All, options.backwards()).await.events;
    backwards.reverse();
    assert_whole(&backwards, 3);

    let side = |category| QueryItem {
        stream: Some(StreamFilter::Category(Category::new(category).expect("a category"))),
        ..QueryItem::default()
    };
    let both_streams = Query::AnyOf(vec![side("left"), side("right")]);
    assert_whole(&read(store, both_streams, options).await.events, 2);

    let mut follower = Follower::new(store, Query::All, StartFrom::from(seen));
    assert_whole(&follower.up_to(Position::number(forwards.head)).await, 3);
    forwards.head
}

/// Events of the same append have the same data: `parts` of each, side by side.
fn assert_whole(events: &[RecordedEvent], parts: usize) {
    for append in events.chunks(parts) {
        let data: Vec<_> = append.iter().map(|recorded| &recorded.event.data).collect();
        let positions = positions(append);
        assert!(
            data.len() == parts && data.iter().all(|part| *part == data[0]),
            "{positions:?} is not whole: {data:?}"
        );
        assert!(positions[parts - 1] - positions[0] <= 2, "{positions:?} do not stand next to each other");
    }
}

/// An append that is refused uses up nothing: no position, no revision, no tracking, no event id.
///
/// Without it a lost race would leave a hole in the order, or make the retry of the same events a repeat.
pub async fn a_refused_append_leaves_no_trace(subject: &dyn Subject) {
    let store = subject.store();
    record(&*store, [in_stream("a", "s-1"), event("b")]).await;
    let (before, head_before) = (everything(&*store).await, store.head().await.expect("a head"));
    let retried = [in_stream("c", "s-1"), tagged("d", &["t:1"])];
    let tried = || Append::new(retried.clone()).tracking(tracking("upstream", 7));
    let no_stream = || expect_revision("s-1", ExpectedRevision::NoStream);
    assert_eq!(conflict(&*store, tried().when(no_stream())).await.len(), 1);
    let twice = [retried[0].clone(), retried[0].clone()];
    refused(&*store, "an event id twice", Append::new(twice).tracking(tracking("upstream", 7))).await;

    around_a_restart(subject, |store| {
        assert_eq!(block_on(everything(store)), before);
        assert_eq!(block_on(store.head()).expect("a head"), head_before);
        assert_eq!(block_on(store.tracking("upstream")).expect("tracking"), None);
        assert_eq!(block_on(read(store, tag_query(&["t:1"]), ReadOptions::default())).events, []);
    })
    .await;
    let store = subject.store();
    conflict(&*store, tried().when(no_stream())).await;
    let appended = append(&*store, tried()).await;
    assert_new(subject, &appended);
    assert_eq!((appended.first.get(), appended.last.get()), (3, 4), "no position was used");
    assert_eq!(appended.revisions, [at("s-1", 1)], "no revision was used");
    assert_eq!(store.tracking("upstream").await.expect("tracking"), Some(position(7)));
}

/// As soon as an append is acknowledged, everybody sees it, and a restart does not take it back.
///
/// Without it somebody would be told "done" and then not find what was done.
pub async fn what_is_acknowledged_is_visible_and_stays(subject: &dyn Subject) {
    let store = subject.store();
    let own = |racer: usize| -> Vec<_> {
        let append_and_look = |n| {
            let given = in_stream(&format!("fact.{racer}.{n}"), &format!("s-{racer}"));
            let appended = block_on(record(&*store, [given.clone()]));
            let seen = block_on(head(&*store));
            assert!(appended.last.get() <= seen, "{} is acknowledged, the head is {seen}", appended.last);
            let options = ReadOptions::default().after(appended.first.previous()).limit(1);
            let found = block_on(read(&*store, Query::All, options)).events;
            assert_eq!(found.first().map(|found| &found.event), Some(&given), "visible when acknowledged");
            (appended.first, given)
        };
        (0..10).map(append_and_look).collect()
    };
    let mut acknowledged: Vec<_> = race(8, own).into_iter().flatten().collect();
    acknowledged.sort_by_key(|(position, _)| *position);
    drop(store);

    let kept = everything(&*restarted(subject).await).await;
    let kept: Vec<_> = kept.into_iter().map(|kept| (kept.position, kept.event)).collect();
    assert_eq!(kept, acknowledged, "a restart keeps what was acknowledged, and nothing else is there");
}

/// A reader that goes on from the head of its last read sees every event once, while writers race.
///
/// Without it an event could become visible below a position already read: a projection would skip it for ever.
pub async fn a_checkpoint_never_skips(subject: &dyn Subject) {
    let (mut seen, mut checkpoint) = (Vec::new(), None);
    around_a_restart(subject, |store| {
        let write = |writer: usize| {
            for n in 0..30 {
                block_on(record(store, events(&format!("by.{writer}"), 1 + (writer + n) % 3)));
            }
        };
        race_watched(4, write, || {
            let new = block_on(read(store, Query::All, ReadOptions::default().after(checkpoint)));
            assert!(checkpoint <= new.head, "the head went back from {checkpoint:?} to {:?}", new.head);
            checkpoint = new.head;
            seen.extend(new.events);
        });
        let all = block_on(everything(store));
        assert_eq!(positions(&seen), positions(&all), "each event once, in order");
        assert_eq!(positions(&all), (1..=all.len() as u64).collect::<Vec<_>>(), "dense");
    })
    .await;
}

/// Appends stand in the order in which they were first polled; one that was dropped after that stands too, one
/// that was never polled does not.
///
/// Without it a caller that keeps several appends in flight could not rely on its own order, and cancelling
/// one would leave it unknown whether later ones build on it.
pub async fn appends_take_their_place_in_the_order_of_calls(subject: &dyn Subject) {
    let mut side = 0;
    around_a_restart(subject, |store| {
        let name = |n: u64| format!("{side}.{n}");
        let call = |n| store.append(Append::new([event(&name(n))]));
        drop(call(99));
        let mut started: Vec<_> = (0..20).map(|n| Some(start(call(n)))).collect();
        drop(started[7].take());
        for (n, started) in started.into_iter().enumerate().rev() {
            let Some(started) = started else { continue };
            let appended = block_on(Started::finish(started)).expect("an unconditional append goes through");
            assert_eq!(appended.first.get(), side * 20 + n as u64 + 1, "in the order of calls");
        }
        let types: Vec<_> =
            block_on(everything(store)).into_iter().map(|recorded| recorded.event.event_type).collect();
        let expected: Vec<_> = (0..20).map(|n| harness::name(&name(n))).collect();
        assert_eq!(types[side as usize * 20..], expected, "the dropped one too, the one never polled not");
        side += 1;
    })
    .await;
}
