//! Reading: a cursor over matching positions, behind reads and subscriptions alike.
//!
//! * A cursor looks at `(after, until]`, fixed when it is made and never above the published head.
//! * It finds positions in the index and reads records one at a time; it takes no lock.
//! * A subscription is one cursor after the other, each up to the head of its moment: there is no hand-over.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_listener::EventListener;
use factlog_core::{
    Delivery, Direction, Position, Query, QueryItem, ReadOptions, ReadStep, RecordedEvent, Result, Revision,
    StreamFilter, StreamId,
};
use futures_core::Stream;

use crate::damage::Damage;
use crate::interner::Interner;
use crate::records::Records;
use crate::search::Search;
use crate::shared::Shared;

/// Walks over the matching events of a range.
#[derive(Debug)]
pub(crate) struct Cursor {
    shared: Arc<Shared>,
    query: Query,
    direction: Direction,
    /// What is left of the range.
    after: u64,
    until: u64,
    remaining: u64,
    search: Search,
    /// Names that events before this one had.
    names: Interner,
    current: Option<Arc<Records>>,
    /// On a damaged store revisions are compared here, because the index may miss some.
    from_revision: Option<Revision>,
    done: bool,
}

impl Cursor {
    /// A cursor for validated options; it sees nothing above `head`.
    ///
    /// # Errors
    /// What keeps the index from telling where a revision is.
    pub(crate) fn new(shared: Arc<Shared>, query: Query, options: &ReadOptions, head: u64) -> Result<Self> {
        let mut after = Position::number(options.after);
        let head = head - u64::from(planted!(ReadEndsEarly) && 1 < head);
        let until = options.until.map_or(head, |until| until.get().min(head));
        let damaged = !shared.damage.is_empty();
        if let (Some(from), false, Some(stream)) = (options.from_revision, damaged, named_stream(&query)) {
            let position = shared.position_of_revision(stream, from.get(), head)?;
            after = after.max(position.map_or(head, |position| position - 1));
        }
        Ok(Self {
            direction: options.direction,
            after,
            until,
            remaining: options.limit.unwrap_or(u64::MAX),
            search: Search::new(options.direction, after, until),
            names: Interner::default(),
            current: None,
            from_revision: options.from_revision.filter(|_| damaged),
            done: false,
            shared,
            query,
        })
    }

    /// The next event; after an error or the end there is none.
    pub(crate) fn next(&mut self) -> Option<Result<RecordedEvent>> {
        loop {
            if self.done || self.remaining == 0 {
                return None;
            }
            let event = self.step();
            self.done = !matches!(event, Some(Ok(_)));
            if let (Some(Ok(event)), Some(from)) = (&event, self.from_revision)
                && event.revision.is_none_or(|revision| revision < from)
            {
                continue;
            }
            self.remaining -= 1;
            return event;
        }
    }

    fn step(&mut self) -> Option<Result<RecordedEvent>> {
        if let Err(error) = self.shared.life.readable() {
            return Some(Err(error));
        }
        if self.until <= self.after {
            return None;
        }
        let position = match self.next_position() {
            Ok(position) => position,
            Err(error) => return Some(Err(error)),
        };
        let forwards = self.direction == Direction::Forwards;
        if !self.shared.damage.is_empty() && !planted!(HoleIsPassedOver) {
            // Between here and the next match there may be matches that nobody can read any more.
            let (from, to) = match (position, forwards) {
                (Some(position), true) => (self.after, position),
                (Some(position), false) => (position - 1, self.until),
                (None, _) => (self.after, self.until),
            };
            if let Some(damage) = self.shared.damage_in(from, to, forwards) {
                return Some(Err(damage.to_error()));
            }
        }
        let position = position?;
        match forwards {
            true => self.after = position,
            false => self.until = position - 1,
        }
        Some(self.read(position))
    }

    fn next_position(&mut self) -> Result<Option<u64>> {
        match (&self.query, self.direction) {
            (Query::All, Direction::Forwards) => Ok(Some(self.after + 1)),
            (Query::All, Direction::Backwards) if planted!(BackwardsOffByOne) && 1 < self.until => {
                Ok(Some(self.until - 1))
            }
            (Query::All, Direction::Backwards) => Ok(Some(self.until)),
            (Query::AnyOf(_), _) => self.search.next(&self.shared, &self.query),
        }
    }

    fn read(&mut self, position: u64) -> Result<RecordedEvent> {
        let at_hand =
            self.current.take().filter(|records| records.first <= position && position <= records.last());
        let records = match at_hand {
            Some(records) => records,
            // A scan would only drive out what look-ups use.
            None => self.shared.records(position, self.query != Query::All)?,
        };
        let event = records.event_with(&mut self.names, position).map_err(|malformed| {
            Damage::new("the log", 0, (position, position), malformed.to_string()).to_error()
        });
        self.current = Some(records);
        event
    }
}

fn named_stream(query: &Query) -> Option<&StreamId> {
    let Query::AnyOf(items) = query else { return None };
    match items.first() {
        Some(QueryItem { stream: Some(StreamFilter::Id(stream)), .. }) => Some(stream),
        _ => None,
    }
}

/// A read: its head, then its events.
pub(crate) struct Steps {
    pub(crate) head: Option<ReadStep>,
    pub(crate) cursor: Cursor,
}

impl Stream for Steps {
    type Item = Result<ReadStep>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(head)));
        }
        Poll::Ready(self.cursor.next().map(|event| event.map(ReadStep::Event)))
    }
}

/// A subscription.
pub(crate) struct Follow {
    pub(crate) shared: Arc<Shared>,
    pub(crate) query: Query,
    /// Everything up to here was delivered or does not match.
    pub(crate) after: u64,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) announced: bool,
    pub(crate) wait: Option<EventListener>,
    pub(crate) ended: bool,
}

impl Follow {
    pub(crate) fn new(shared: Arc<Shared>, query: Query, after: u64) -> Self {
        let after = after + u64::from(planted!(ResumeOffByOne) && after != 0);
        Self { shared, query, after, cursor: None, announced: false, wait: None, ended: false }
    }

    /// The next delivery, if there is one now.
    fn next_now(&mut self) -> Option<Result<Delivery>> {
        loop {
            if let Some(cursor) = &mut self.cursor {
                if let Some(event) = cursor.next() {
                    return Some(event.map(Delivery::Event));
                }
                self.cursor = None;
            }
            if let Err(error) = self.shared.life.readable() {
                return Some(Err(error));
            }
            let head = self.shared.head();
            if self.after < head {
                let options = ReadOptions::default().after(Position::new(self.after));
                match Cursor::new(self.shared.clone(), self.query.clone(), &options, head) {
                    Ok(_) if planted!(PassOverNews) && self.wait.is_some() => {}
                    Ok(cursor) => self.cursor = Some(cursor),
                    Err(error) => return Some(Err(error)),
                }
                self.after = head;
                self.announced = false;
            } else if self.announced {
                return None;
            } else {
                self.announced = true;
                return Some(Ok(Delivery::CaughtUp(Position::new(head))));
            }
        }
    }
}

impl Stream for Follow {
    type Item = Result<Delivery>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        loop {
            if let Some(delivery) = self.next_now() {
                self.ended = delivery.is_err();
                return Poll::Ready(Some(delivery));
            }
            match &mut self.wait {
                // Listening begins before the look that finds nothing, so that no commit slips between.
                None => self.wait = Some(self.shared.committed.listen()),
                Some(wait) => match Pin::new(wait).poll(cx) {
                    Poll::Ready(()) => self.wait = None,
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}
