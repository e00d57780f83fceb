//! Property [`Times`](Property::Times): the position by a time is the last one that was recorded at or before it.
//!
//! Times never go back over positions, so the answer is the end of the log as it was, or the last position that the
//! time reaches, whichever comes first.

use factlog_core::{Position, Timestamp};

use super::Property;
use super::facts::Facts;
use super::order::{Instant, Window, Wrong};

/// The least state at which this was the right answer.
pub(super) fn instant(
    facts: &Facts<'_>,
    time: Timestamp,
    found: Option<Position>,
    window: Window,
) -> Instant {
    let found = Position::number(found);
    let log = &facts.history.log;
    let reached = log.partition_point(|event| event.recorded_at <= time) as u64;
    // In front of what the time reaches, the answer is the head itself.
    let state = if found < reached { found } else { window.floor.max(reached) };
    let is_head = found == reached || facts.layout.whole(found) == found;
    if found <= reached && is_head && window.floor <= state && state <= window.ceiling {
        return Ok(Some(state));
    }
    let (shown, asked) = (window.shown(), window.asked());
    let what = format!(
        "was told that {found} is the last position by {time:?}, which reaches {reached} of the whole log; {shown}, and \
         {asked}"
    );
    Err(Wrong { property: Property::Times, what })
}
