//! Frames, times and appends of a generation.

use std::sync::Arc;

use bytes::Bytes;
use factlog_core::Timestamp;
use proptest::prelude::*;

use super::{event, id};
use crate::ledger::Commit;
use crate::records::Records;
use crate::tail::Inserter;

fn frame(first: u64, events: u32) -> Arc<Records> {
    Arc::new(Records { first, bytes: Bytes::from(vec![0; 10]), offsets: (0..events).collect() })
}

fn micros(time: i64) -> Timestamp {
    Timestamp::from_micros(time)
}

proptest! {
    /// A position that is looked for in another's frame reads as damage.
    #[test]
    fn positions_and_times_lead_to_their_frames(
        first in 1..1_000_u64,
        steps in proptest::collection::vec((1..5_u32, 0..3_i64), 0..60),
    ) {
        let mut inserter = Inserter::new(first, 1);
        let generation = inserter.generation().clone();
        let some = event("t", "", &[]);
        let (mut at, mut time) = (first, 0);
        // For each position its frame's first and its time.
        let mut known = Vec::new();
        for &(events, later) in &steps {
            time += later;
            let begin = at;
            for _ in 0..events {
                inserter.add(at, &some, || 0);
                known.push((at, begin, time));
                at += 1;
            }
            prop_assert!(generation.records(begin).is_none(), "it is not durable yet");
            generation.push_frame(frame(begin, events), micros(time));
        }
        for &(position, begin, time) in &known {
            prop_assert_eq!(generation.records(position).map(|records| records.first), Some(begin));
            prop_assert_eq!(generation.time_of(position), Some(micros(time)));
        }
        for outside in [0, first - 1, at, at + 1, u64::MAX] {
            prop_assert!(generation.records(outside).is_none());
            prop_assert_eq!(generation.time_of(outside), None);
        }
        for head in first - 1..at {
            for asked in -1..=time + 1 {
                let upto = known.iter().filter(|&&(position, _, time)| position <= head && time <= asked);
                let expected = upto.map(|&(position, _, _)| position).max().unwrap_or(first - 1);
                prop_assert_eq!(generation.position_at(micros(asked), head), expected);
            }
        }
        prop_assert_eq!(generation.bytes(), steps.len() as u64 * 10);
        prop_assert_eq!(generation.frames().count(), steps.len());
    }
}

/// A frame that nobody finds because it came too early would be read as damage.
#[test]
#[should_panic(expected = "events are added before they are shown")]
fn a_frame_is_refused_before_its_events() {
    let inserter = Inserter::new(1, 1);
    inserter.generation().push_frame(frame(1, 1), micros(0));
}

/// Repeating an append must find the first one, and only that.
#[test]
fn appends_are_found_by_their_first_event() {
    let mut inserter = Inserter::new(100, 1);
    let some = event("t", "", &[]);
    let commit =
        |number: u64| Commit { first: 100 + number * 2, count: 2, content: number.wrapping_mul(u64::MAX) };
    for number in 0..3_000 {
        inserter.add(commit(number).first, &some, || 0);
        inserter.add(commit(number).first + 1, &some, || 0);
        inserter.add_commit(&id(number), commit(number));
    }
    let generation = inserter.generation();
    for number in 0..3_000 {
        assert_eq!(generation.commit(&id(number)), Some(commit(number)));
        assert_eq!(generation.commit(&id(number + 3_000)), None);
    }
    let all: Vec<_> = generation.commits().collect();
    assert_eq!(all, (0..3_000).map(|number| (id(number), commit(number))).collect::<Vec<_>>());
}
