//! Promise 4: conditions are exact, and a lost race is told with the facts.

use super::Subject;
use super::harness::{append, conflict, head, none_match, record, restarted, tag_query, tagged};
use crate::{Append, FailedCondition};

/// `NoneMatch` is refused when a matching event lies above `after`, told with that event's position.
///
/// Without it two decisions on the same facts would both be recorded: one seat sold twice.
pub async fn stale_boundary_conflicts(subject: &dyn Subject) {
    let store = subject.store();
    let seat = || tag_query(&["seat:1"]);
    record(&*store, [tagged("seat.reserved", &["seat:1"])]).await;
    let stale = || Append::new([tagged("seat.reserved", &["seat:1"])]).when(none_match(seat(), 0));
    let failed = conflict(&*store, stale()).await;
    let newest = |position| FailedCondition::NoneMatch { index: 0, position };
    assert_eq!(failed, [newest(super::harness::position(1))]);

    let store = restarted(subject).await;
    assert_eq!(
        conflict(&*store, stale()).await,
        failed,
        "the same after a restart"
    );
    assert_eq!(head(&*store).await, 1, "a refused append writes nothing");
    append(
        &*store,
        Append::new([tagged("seat.freed", &["seat:1"])]).when(none_match(seat(), 1)),
    )
    .await;
}
