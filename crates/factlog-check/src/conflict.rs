//! Property [`Conditions`](Property::Conditions), of what was refused: a conflict tells the truth of one instant.
//!
//! * At that instant each condition it names was broken, and by what it says; each that it does not name held.
//! * Every condition leaves the states between two changes of the log, so that the instant is an intersection of spans.
//! * A conflict is never the answer to a repeat of what is recorded.

use factlog_core::{
    Append, AppendCondition, Conflict, ExpectedRevision, FailedCondition, Position, Query, Revision,
    StreamId, Tracking,
};

use super::Property;
use super::facts::Facts;
use super::layout::first_id;
use super::order::{Window, Wrong};

/// The states that are left: both ends included, empty if the low end is above the high one.
#[derive(Clone, Copy, Debug)]
struct Span {
    low: u64,
    high: u64,
}

impl Span {
    fn reach(&mut self, low: u64) {
        self.low = self.low.max(low);
    }

    fn below(&mut self, end: Option<u64>) {
        if let Some(end) = end {
            self.high = self.high.min(end - 1);
        }
    }

    fn never(&mut self) {
        self.low = u64::MAX;
    }
}

/// The least state at which this conflict was the right answer.
pub(super) fn instant(
    facts: &Facts<'_>,
    append: &Append,
    conflict: &Conflict,
    window: Window,
) -> Result<u64, Wrong> {
    let mut span = Span { low: window.floor, high: window.ceiling };
    if !append.events.is_empty() {
        let recorded = facts.layout.with_id(first_id(append)).next();
        if let Some(placed) = recorded.filter(|placed| placed.last <= window.floor) {
            let what = format!(
                "was told of a conflict, but is recorded at {}, and {}",
                placed.first,
                window.shown()
            );
            return Err(Wrong { property: Property::Repeats, what });
        }
        span.below(recorded.map(|placed| placed.first));
    }
    let wrong = |what| Wrong { property: Property::Conditions, what };
    narrow_all(facts, append, conflict, &mut span).map_err(wrong)?;
    // Not where the span is empty already: its low end may be no state.
    if span.low <= span.high {
        span.low = facts.layout.whole(span.low);
    }
    if span.low <= span.high {
        return Ok(span.low);
    }
    let (shown, asked) = (window.shown(), window.asked());
    Err(wrong(format!(
        "was told \"{conflict}\", which at no instant was all that was broken; {shown}, and {asked}"
    )))
}

fn narrow_all(
    facts: &Facts<'_>,
    append: &Append,
    conflict: &Conflict,
    span: &mut Span,
) -> Result<(), String> {
    if conflict.failed.is_empty() {
        return Err("was told of a conflict that names no condition".to_owned());
    }
    let mut failed = conflict.failed.iter().peekable();
    for (at, condition) in append.conditions.iter().enumerate() {
        let told = failed.next_if(|failed| index_of(failed) == Some(at));
        match condition {
            AppendCondition::Revision { stream, expected } => {
                narrow_revision(facts, span, stream, *expected, told)?;
            }
            AppendCondition::NoneMatch { query, after } => {
                narrow_none_match(facts, span, query, Position::number(*after), told)?;
            }
        }
    }
    if let Some(tracking) = &append.tracking {
        narrow_tracking(facts, span, tracking, failed.next())?;
    }
    failed.next().map_or(Ok(()), |extra| {
        Err(format!("was told \"{extra}\", which is none of its conditions, or not in their order"))
    })
}

/// Which of the conditions this is about; `None` for the tracking.
fn index_of(failed: &FailedCondition) -> Option<usize> {
    if let FailedCondition::Revision { index, .. } | FailedCondition::NoneMatch { index, .. } = failed {
        return Some(*index);
    }
    None
}

fn narrow_revision(
    facts: &Facts<'_>,
    span: &mut Span,
    stream: &StreamId,
    expected: ExpectedRevision,
    told: Option<&FailedCondition>,
) -> Result<(), String> {
    match told {
        Some(FailedCondition::Revision { stream: its, expected: asked, actual, .. })
            if its == stream && *asked == expected =>
        {
            if expected.holds(*actual) {
                return Err(format!(
                    "was told that {expected} of stream {stream} is broken by what satisfies it"
                ));
            }
            at_revision(facts, span, stream, *actual);
        }
        Some(other) => {
            return Err(format!("was told \"{other}\", but asked for {expected} of stream {stream}"));
        }
        None => match expected {
            ExpectedRevision::Any => {}
            ExpectedRevision::NoStream => at_revision(facts, span, stream, None),
            ExpectedRevision::At(revision) => at_revision(facts, span, stream, Some(revision)),
            ExpectedRevision::Exists => match facts.index.place_of(stream, Revision::FIRST) {
                Some(first) => span.reach(first),
                None => span.never(),
            },
        },
    }
    Ok(())
}

/// Leaves the states in which the stream's last event has this revision.
fn at_revision(facts: &Facts<'_>, span: &mut Span, stream: &StreamId, actual: Option<Revision>) {
    let next = actual.map_or(Revision::FIRST, Revision::next);
    if let Some(actual) = actual {
        match facts.index.place_of(stream, actual) {
            Some(place) => span.reach(place),
            None => span.never(),
        }
    }
    span.below(facts.index.place_of(stream, next));
}

fn narrow_none_match(
    facts: &Facts<'_>,
    span: &mut Span,
    query: &Query,
    after: u64,
    told: Option<&FailedCondition>,
) -> Result<(), String> {
    match told {
        Some(FailedCondition::NoneMatch { position, .. }) => {
            let newest = position.get();
            if newest <= after || !facts.index.is_matched(query, newest) {
                return Err(format!("was told that {newest} matches above {after}, which is not so"));
            }
            span.reach(newest);
            span.below(facts.index.next(query, newest, span.high));
        }
        Some(other) => return Err(format!("was told \"{other}\", but asked that nothing matches")),
        None => span.below(facts.index.next(query, after, span.high)),
    }
    Ok(())
}

fn narrow_tracking(
    facts: &Facts<'_>,
    span: &mut Span,
    wanted: &Tracking,
    told: Option<&FailedCondition>,
) -> Result<(), String> {
    let changes = facts.changes(&wanted.source);
    match told {
        Some(FailedCondition::Tracking { stale, recorded })
            if stale == wanted && wanted.position <= *recorded =>
        {
            match changes.iter().position(|change| change.to == *recorded) {
                Some(at) => {
                    span.reach(changes[at].place);
                    span.below(changes.get(at + 1).map(|change| change.place));
                }
                None => span.never(),
            }
        }
        Some(other) => {
            return Err(format!(
                "was told \"{other}\", but wanted to track {} of {}",
                wanted.position, wanted.source
            ));
        }
        None => {
            let passed = changes.iter().find(|change| wanted.position <= change.to);
            span.below(passed.map(|change| change.place));
        }
    }
    Ok(())
}
