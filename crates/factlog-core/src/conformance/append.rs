//! Promises 1, 2 and 3: what is appended is there as it was given, whole, and in one dense order.
//!
//! What conditions decide is in `conditions`; bounds are in `bounds`.

use super::Subject;
use super::harness::{event, everything, in_stream, positions, record, restarted, stream};
use crate::{Revision, StreamRevision};

/// Positions are 1, 2, 3, ... and each stream's revisions 0, 1, 2, ..., also across a restart, and `Appended`
/// says exactly which.
///
/// Without it a checkpoint or an expected revision would point at nothing, or at another event.
pub async fn positions_and_revisions_are_dense(subject: &dyn Subject) {
    let store = subject.store();
    let first = record(
        &*store,
        [in_stream("a", "s-1"), event("b"), in_stream("c", "s-2")],
    )
    .await;
    assert_eq!((first.first.get(), first.last.get()), (1, 3), "the first append");
    assert_eq!(first.revisions, [at("s-1", 0), at("s-2", 0)]);
    assert!(!first.deduplicated, "nothing was recorded before");

    let store = restarted(subject).await;
    let mixed = [
        in_stream("d", "s-2"),
        in_stream("e", "s-1"),
        in_stream("f", "s-2"),
    ];
    let second = record(&*store, mixed).await;
    assert_eq!(
        (second.first.get(), second.last.get()),
        (4, 6),
        "the second append"
    );
    assert_eq!(
        second.revisions,
        [at("s-2", 2), at("s-1", 1)],
        "in order of first mention"
    );

    let recorded = everything(&*store).await;
    assert_eq!(positions(&recorded), [1, 2, 3, 4, 5, 6]);
    let revisions: Vec<_> = recorded
        .iter()
        .map(|event| event.revision.map(Revision::get))
        .collect();
    assert_eq!(revisions, [Some(0), None, Some(0), Some(1), Some(1), Some(2)]);
}

fn at(id: &str, revision: u64) -> StreamRevision {
    StreamRevision {
        stream: stream(id),
        revision: Revision::new(revision),
    }
}
