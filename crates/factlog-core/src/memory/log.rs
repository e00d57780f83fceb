//! The log itself: what one critical section does. Scans throughout, with [`Query::matches`] as their meaning.

use std::collections::HashMap;

use crate::limits;
use crate::query::check_count;
use crate::{
    Append, AppendCondition, AppendError, Appended, Clock, Conflict, Direction, Error, Event, EventId,
    FailedCondition, Head, Position, Query, ReadOptions, RecordedEvent, Result, Revision, StreamId,
    StreamRevision, Timestamp, Tracking, TrackingSource,
};

/// Everything recorded.
#[derive(Default)]
pub(super) struct Log {
    pub(super) events: Vec<RecordedEvent>,
    /// First event id of each append, and how many events it had.
    appends: HashMap<EventId, (Position, usize)>,
    /// Every stream's last revision.
    pub(super) streams: HashMap<StreamId, Revision>,
    pub(super) tracking: HashMap<TrackingSource, Position>,
    pub(super) closed: bool,
}

impl Log {
    pub(super) fn open(&self) -> Result<()> {
        if self.closed { Err(Error::closed("the store is closed; open it again")) } else { Ok(()) }
    }

    pub(super) fn head(&self) -> Option<Position> {
        self.events.last().map(|event| event.position)
    }

    pub(super) fn head_with_time(&self) -> Head {
        Head { position: self.head(), recorded_at: self.events.last().map(|event| event.recorded_at) }
    }

    pub(super) fn append(&mut self, append: Append, clock: &dyn Clock) -> Result<Appended, AppendError> {
        self.open()?;
        if let Some(appended) = self.recorded(&append.events)? {
            return Ok(appended);
        }
        let failed = self.failed_conditions(&append);
        if !failed.is_empty() {
            return Err(AppendError::Conflict(Conflict { failed }));
        }
        if let Some(tracking) = &append.tracking
            && !self.tracking.contains_key(&tracking.source)
        {
            check_count("tracking sources", self.tracking.len() + 1, limits::TRACKING_SOURCES_MAX)?;
        }
        let first = self.head().map_or(Position::FIRST, Position::next);
        let count = append.events.len();
        self.appends.insert(append.events[0].id, (first, count));
        let recorded_at = self.events.last().map_or(clock.now(), |last| last.recorded_at.max(clock.now()));
        for event in append.events {
            self.record(event, recorded_at);
        }
        if let Some(Tracking { source, position }) = append.tracking {
            self.tracking.insert(source, position);
        }
        Ok(self.appended(first, count, false))
    }

    pub(super) fn record(&mut self, event: Event, recorded_at: Timestamp) {
        let position = self.head().map_or(Position::FIRST, Position::next);
        let revision = event.stream.as_ref().map(|stream| {
            let revision = self.streams.get(stream).map_or(Revision::FIRST, |last| last.next());
            self.streams.insert(stream.clone(), revision);
            revision
        });
        self.events.push(RecordedEvent { position, recorded_at, revision, event });
    }

    /// Where these events are, if they were recorded together before.
    pub(super) fn recorded(&self, events: &[Event]) -> Result<Option<Appended>> {
        let id = events[0].id;
        let Some(&(first, count)) = self.appends.get(&id) else {
            return Ok(None);
        };
        let same = self.slice(first, count).iter().map(|recorded| &recorded.event).eq(events);
        if !same {
            let message =
                format!("event id {id} is recorded at position {first} with other content; use a new id");
            return Err(Error::invalid(message));
        }
        Ok(Some(self.appended(first, count, true)))
    }

    pub(super) fn appended(&self, first: Position, count: usize, deduplicated: bool) -> Appended {
        let events = self.slice(first, count);
        let mut revisions: Vec<StreamRevision> = Vec::new();
        let mut mentioned = HashMap::new();
        for recorded in events {
            let (Some(stream), Some(revision)) = (&recorded.event.stream, recorded.revision) else {
                continue;
            };
            let at = *mentioned.entry(stream).or_insert(revisions.len());
            match revisions.get_mut(at) {
                Some(known) => known.revision = revision,
                None => revisions.push(StreamRevision { stream: stream.clone(), revision }),
            }
        }
        Appended { first, last: events[count - 1].position, revisions, deduplicated }
    }

    pub(super) fn slice(&self, first: Position, count: usize) -> &[RecordedEvent] {
        let start = (first.get() - 1) as usize;
        &self.events[start..start + count]
    }

    pub(super) fn failed_conditions(&self, append: &Append) -> Vec<FailedCondition> {
        let conditions = append.conditions.iter().enumerate();
        let mut failed: Vec<_> =
            conditions.filter_map(|(index, condition)| self.check(index, condition)).collect();
        if let Some(stale) = &append.tracking
            && let Some(&recorded) = self.tracking.get(&stale.source)
            && stale.position <= recorded
        {
            failed.push(FailedCondition::Tracking { stale: stale.clone(), recorded });
        }
        failed
    }

    pub(super) fn check(&self, index: usize, condition: &AppendCondition) -> Option<FailedCondition> {
        match condition {
            AppendCondition::Revision { stream, expected } => {
                let actual = self.streams.get(stream).copied();
                let (stream, expected) = (stream.clone(), *expected);
                (!expected.holds(actual)).then_some(FailedCondition::Revision {
                    index,
                    stream,
                    expected,
                    actual,
                })
            }
            AppendCondition::NoneMatch { query, after } => {
                let options = ReadOptions::default().after(*after).backwards().limit(1);
                let newest = self.select(query, &options).pop()?;
                Some(FailedCondition::NoneMatch { index, position: newest.position })
            }
        }
    }

    /// The events a read delivers, by scanning.
    pub(super) fn select(&self, query: &Query, options: &ReadOptions) -> Vec<RecordedEvent> {
        let wanted = |recorded: &&RecordedEvent| {
            options.after.is_none_or(|after| after < recorded.position)
                && options.until.is_none_or(|until| recorded.position <= until)
                && options
                    .from_revision
                    .is_none_or(|from| recorded.revision.is_some_and(|revision| from <= revision))
                && query.matches(&recorded.event)
        };
        let limit = options.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        match options.direction {
            Direction::Forwards => self.events.iter().filter(wanted).take(limit).cloned().collect(),
            Direction::Backwards => self.events.iter().rev().filter(wanted).take(limit).cloned().collect(),
        }
    }
}
