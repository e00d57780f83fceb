//! `EventStoreExt` and `Administration` on the reference store: the same answers in fewer words.

use factlog_core::{
    Administration, Append, Event, EventStore, EventStoreExt, EventType, MemoryStore, Position, Query,
    ReadOptions, Revision, StreamId, Tags,
};
use pollster::block_on;

fn event(name: &str) -> Event {
    Event::new(EventType::new(name).expect("a type"), name.to_owned())
}

fn stream(id: &str) -> StreamId {
    StreamId::new(id).expect("a stream")
}

fn filled() -> MemoryStore {
    let store = MemoryStore::new();
    let tags = Tags::new(["x", "y"]).expect("tags");
    let first =
        [event("a").in_stream(stream("s-1")), event("b").tagged(tags), event("a").in_stream(stream("s-2"))];
    block_on(store.append(Append::new(first))).expect("unconditional");
    let more = [event("c").in_stream(stream("s-1")), event("a").in_stream(stream("t-1"))];
    block_on(store.append(Append::new(more))).expect("unconditional");
    store
}

/// A stream is read whole and in order; its last revision is that of its last event.
#[test]
fn a_stream_is_read_whole() {
    let store = filled();
    let read = block_on(store.read_stream(stream("s-1"))).expect("a stream");
    let names: Vec<_> = read.events.iter().map(|recorded| recorded.event.event_type.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(block_on(store.last_revision(stream("s-1"))).expect("open"), Some(Revision::new(1)));
    assert_eq!(block_on(store.last_revision(stream("none"))).expect("open"), None);
}

/// A fold answers with the head of what it folded: the one right `after` of a condition on it.
#[test]
fn a_fold_knows_its_head() {
    let store = filled();
    let after = ReadOptions::default().after(Position::FIRST);
    let folded = block_on(
        store.fold(Query::All, after, String::new(), |text, event| text + event.event.event_type.as_str()),
    );
    assert_eq!(folded.expect("open"), ("baca".to_owned(), Position::new(5)));
    let nothing = block_on(MemoryStore::new().fold(Query::All, after, 7, |_, _| 0));
    assert_eq!(nothing.expect("open"), (7, None));
}

/// Lists page by id without repeating the last one, and count what is there.
#[test]
fn lists_and_numbers_count_what_is_there() {
    let store = filled();
    let list = |prefix, after: Option<&str>, limit| {
        let streams = block_on(store.streams(prefix, after.map(stream), limit)).expect("open");
        streams.into_iter().map(|info| (info.stream.to_string(), info.events)).collect::<Vec<_>>()
    };
    let named = |id: &str, events| (id.to_owned(), events);
    assert_eq!(list("", None, 9), [named("s-1", 2), named("s-2", 1), named("t-1", 1)]);
    assert_eq!(list("s", None, 1), [named("s-1", 2)]);
    assert_eq!(list("s", Some("s-1"), 9), [named("s-2", 1)]);
    assert_eq!(list("", Some("t-1"), 9), []);
    let one = block_on(store.stream(stream("s-1"))).expect("open").expect("it has events");
    assert_eq!((one.first_position.get(), one.last_position.get(), one.last_revision.get()), (1, 4, 1));
    assert_eq!(block_on(store.stream(stream("none"))).expect("open"), None);
    let types: Vec<_> = block_on(store.types()).expect("open").into_iter().map(|info| info.events).collect();
    assert_eq!(types, [3, 1, 1]);
    let stats = block_on(store.stats()).expect("open");
    assert_eq!((stats.events, stats.streams, stats.types, stats.tags), (5, 3, 3, 2));
    assert_eq!(stats.head, block_on(store.head()).expect("open"));
}
