//! What an append must know of the sealed log before the writer decides it, looked up on the caller's thread.
//!
//! Everything here is right for the sealed prefix of one view (conditions: up to one published head). The writer's
//! ledger covers what came after. Should it no longer reach back that far, which takes two seals while an append
//! waits, the writer looks again.

use std::collections::HashMap;

use factlog_core::{AppendCondition, Direction, Event, Position, Query, Result, StreamId};

use crate::queue::{Checked, Known};
use crate::search::Search;
use crate::shared::Shared;
use crate::view::View;

/// Positions behind `after` that the writer looks at itself: the newest, which its memory has.
const RECENT: u64 = 1024;

impl Shared {
    /// Looks up what the writer needs of the sealed log.
    ///
    /// # Errors
    /// What keeps the index from being read.
    pub(crate) fn know(&self, events: &[Event], conditions: &[AppendCondition]) -> Result<Known> {
        let view = self.view();
        let sealed = view.sealed();
        let mut known = Known { sealed, ..Known::default() };
        if 0 < sealed {
            if !planted!(RepeatForgottenInSegments) {
                known.recorded = self.sealed_append(&events[0].id, sealed)?;
            }
            let mut last = None;
            for stream in events.iter().filter_map(|event| event.stream.as_ref()) {
                if last.replace(stream) != Some(stream) {
                    self.know_stream(&view, stream, &mut known.streams)?;
                }
            }
            for condition in conditions {
                if let AppendCondition::Revision { stream, .. } = condition {
                    self.know_stream(&view, stream, &mut known.streams)?;
                }
            }
        }
        let head = self.head();
        known.checked =
            conditions.iter().map(|condition| self.check(condition, sealed, head)).collect::<Result<_>>()?;
        Ok(known)
    }

    fn know_stream(
        &self,
        view: &View,
        stream: &StreamId,
        streams: &mut HashMap<StreamId, u64>,
    ) -> Result<()> {
        let recent = view.generations.iter().any(|generation| generation.next_revision(stream).is_some());
        if !recent && !streams.contains_key(stream) {
            streams.insert(stream.clone(), self.sealed_count(stream, view.sealed())?);
        }
        Ok(())
    }

    /// Looks a condition up over the durable log, unless the little that it is about is the writer's to look at.
    fn check(&self, condition: &AppendCondition, sealed: u64, head: u64) -> Result<Checked> {
        let AppendCondition::NoneMatch { query, after } = condition else { return Ok(Checked::default()) };
        let after = Position::number(*after);
        let recent = sealed <= after && head.saturating_sub(after) <= RECENT;
        if recent || head <= after {
            return Ok(Checked::default());
        }
        if *query == Query::All {
            return Ok(Checked { upto: head, newest: Some(head) });
        }
        let newest = Search::new(Direction::Backwards, after, head).next(self, query)?;
        Ok(Checked { upto: head, newest })
    }
}
