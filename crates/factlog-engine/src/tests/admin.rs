//! Listing streams and counting: the same answers as the reference store's, page by page.

use factlog_core::{Administration, EventStore, MemoryStore, StreamId};

use super::{append, open, small};

#[test]
fn streams_types_and_numbers_are_those_of_the_reference_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = open(dir.path(), small());
    let memory = MemoryStore::new();
    let mut next = 1;
    for n in 0..30 {
        let appended = pollster::block_on(engine.append(append(n, next))).expect("append");
        pollster::block_on(memory.append(append(n, next))).expect("append");
        next = appended.last.get() + 1;
    }
    pollster::block_on(async {
        for prefix in ["", "order-", "order-3", "order-9", "a", "z"] {
            for after in ["", "a", "order-0", "order-3", "order-5", "zz"] {
                for limit in [0, 1, 3, 100] {
                    let after = StreamId::new(after).ok();
                    let expected = memory.streams(prefix, after.clone(), limit).await.expect("streams");
                    let found = engine.streams(prefix, after.clone(), limit).await.expect("streams");
                    assert_eq!(found, expected, "prefix {prefix:?}, after {after:?}, limit {limit}");
                }
            }
        }
        assert_eq!(engine.types().await.expect("types"), memory.types().await.expect("types"));
        let (found, expected) = (engine.stats().await.expect("stats"), memory.stats().await.expect("stats"));
        assert_eq!((found.events, found.streams), (expected.events, expected.streams));
        assert_eq!((found.types, found.tags), (expected.types, expected.tags));
        assert!(0 < found.bytes_on_disk);
        assert_eq!((found.store, expected.store), (Some(engine.id()), None));
    });
}
