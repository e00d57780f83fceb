//! What the engine counts of itself.

use factlog_core::{Append, Event, EventStore as _, EventType};

use crate::{DurableWrites, Engine, Settings};

/// Would fail if durable writes were not counted, or were counted while nothing is written.
#[test]
fn durable_writes_are_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::open(dir.path(), Settings::default()).expect("open");
    let writes = |writes: DurableWrites| writes.counts.iter().sum::<u64>();
    assert_eq!(engine.durable_writes(), DurableWrites::default());
    for n in 1..=3 {
        let event = Event::new(EventType::new("counted").expect("a type"), "{}");
        pollster::block_on(engine.append(Append::new([event]))).expect("append");
        // More than appends where the head is vouched for in between, never fewer: each waited for the one before.
        assert!(n <= writes(engine.durable_writes()), "{:?}", engine.durable_writes());
    }
    let counted = engine.durable_writes();
    assert!(!counted.took.is_zero());
    assert_eq!(counted.failed, 0);
}
