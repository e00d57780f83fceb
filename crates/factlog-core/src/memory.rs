//! The reference store: the contract in as few lines as it takes, over a `Vec` and a lock.
//!
//! * Every operation is one critical section, so atomicity and snapshots are plain to see.
//! * Conditions and reads are scans with [`Query::matches`]: slow and obviously right.
//! * Nothing survives the process. `Ok` promises visibility, not durability.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_listener::{Event as Wake, EventListener};
use futures_core::Stream;
use parking_lot::RwLock;

use crate::limits;
use crate::query::check_count;
use crate::{
    Administration, Append, AppendCondition, AppendError, Appended, BoxFuture, Clock, Conflict, Delivery,
    Direction, Error, Event, EventId, EventStore, EventStream, EventType, FailedCondition, Head, Position,
    Query, ReadOptions, ReadStep, RecordedEvent, Result, Revision, StartFrom, Stats, StreamId, StreamInfo,
    StreamRevision, Subscription, SystemClock, Timestamp, Tracking, TrackingSource, TypeInfo,
};

/// An event store in memory: for tests, and as the meaning of the contract.
///
/// ```
/// use factlog_core::{EventStore, MemoryStore};
/// # fn main() -> factlog_core::Result<()> { pollster::block_on(async {
/// let store = MemoryStore::new();
/// assert_eq!(store.head().await?.position, None);
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

struct Shared {
    log: RwLock<Log>,
    committed: Wake,
}

#[derive(Default)]
struct Log {
    events: Vec<RecordedEvent>,
    /// First event id of each append, and how many events it had.
    appends: HashMap<EventId, (Position, usize)>,
    /// Every stream's last revision.
    streams: HashMap<StreamId, Revision>,
    tracking: HashMap<TrackingSource, Position>,
    closed: bool,
}

impl MemoryStore {
    /// An empty store on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store on this clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { log: RwLock::default(), committed: Wake::new() }), clock }
    }

    fn inspect<T: Send + 'static>(&self, look: impl FnOnce(&Log) -> T) -> BoxFuture<'_, Result<T>> {
        let log = self.shared.log.read();
        let answer = log.open().map(|()| look(&log));
        Box::pin(std::future::ready(answer))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("head", &self.shared.log.read().head()).finish_non_exhaustive()
    }
}

impl EventStore for MemoryStore {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            append.validate()?;
            let appended = self.shared.log.write().append(append, &*self.clock)?;
            self.shared.committed.notify(usize::MAX);
            Ok(appended)
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        let log = self.shared.log.read();
        match log.open().and_then(|()| options.validate(&query)) {
            Err(error) => EventStream::failed(error),
            Ok(()) => EventStream::new(Steps {
                head: Some(ReadStep::Head(log.head())),
                events: log.select(&query, &options).into_iter(),
            }),
        }
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let log = self.shared.log.read();
        if let Err(error) = log.open().and_then(|()| query.validate()) {
            return Subscription::failed(error);
        }
        let after = match from.exclusive_bound(log.head()) {
            Ok(after) => after,
            Err(error) => return Subscription::failed(error),
        };
        Subscription::new(Follow {
            shared: self.shared.clone(),
            query,
            after,
            announced: false,
            wait: None,
            ended: false,
        })
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.inspect(Log::head_with_time)
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        self.inspect(|log| log.tracking.get(source).copied())
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.inspect(
            |log| Position::new(log.events.partition_point(|event| event.recorded_at <= time) as u64),
        )
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.shared.log.write().closed = true;
        self.shared.committed.notify(usize::MAX);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Log {
    fn open(&self) -> Result<()> {
        if self.closed { Err(Error::closed("the store is closed; open it again")) } else { Ok(()) }
    }

    fn head(&self) -> Option<Position> {
        self.events.last().map(|event| event.position)
    }

    fn head_with_time(&self) -> Head {
        Head { position: self.head(), recorded_at: self.events.last().map(|event| event.recorded_at) }
    }

    fn append(&mut self, append: Append, clock: &dyn Clock) -> Result<Appended, AppendError> {
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

    fn record(&mut self, event: Event, recorded_at: Timestamp) {
        let position = self.head().map_or(Position::FIRST, Position::next);
        let revision = event.stream.as_ref().map(|stream| {
            let revision = self.streams.get(stream).map_or(Revision::FIRST, |last| last.next());
            self.streams.insert(stream.clone(), revision);
            revision
        });
        self.events.push(RecordedEvent { position, recorded_at, revision, event });
    }

    /// Where these events are, if they were recorded together before.
    fn recorded(&self, events: &[Event]) -> Result<Option<Appended>> {
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

    fn appended(&self, first: Position, count: usize, deduplicated: bool) -> Appended {
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

    fn slice(&self, first: Position, count: usize) -> &[RecordedEvent] {
        let start = (first.get() - 1) as usize;
        &self.events[start..start + count]
    }

    fn failed_conditions(&self, append: &Append) -> Vec<FailedCondition> {
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

    fn check(&self, index: usize, condition: &AppendCondition) -> Option<FailedCondition> {
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
    fn select(&self, query: &Query, options: &ReadOptions) -> Vec<RecordedEvent> {
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

    fn stream_infos(&self) -> BTreeMap<StreamId, StreamInfo> {
        let mut streams = BTreeMap::new();
        for recorded in &self.events {
            let (Some(stream), Some(revision)) = (&recorded.event.stream, recorded.revision) else {
                continue;
            };
            let info = streams.entry(stream.clone()).or_insert_with(|| StreamInfo {
                stream: stream.clone(),
                events: 0,
                last_revision: revision,
                first_position: recorded.position,
                last_position: recorded.position,
            });
            info.events += 1;
            info.last_revision = revision;
            info.last_position = recorded.position;
        }
        streams
    }

    fn type_counts(&self) -> BTreeMap<EventType, u64> {
        let mut counts = BTreeMap::new();
        for recorded in &self.events {
            *counts.entry(recorded.event.event_type.clone()).or_default() += 1;
        }
        counts
    }
}

impl Administration for MemoryStore {
    fn streams(
        &self,
        prefix: &str,
        after: Option<StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>>> {
        let prefix = prefix.to_owned();
        self.inspect(move |log| {
            let streams = log.stream_infos().into_values();
            let wanted = streams.filter(|info| {
                info.stream.as_str().starts_with(&prefix)
                    && after.as_ref().is_none_or(|after| *after < info.stream)
            });
            wanted.take(limit).collect()
        })
    }

    fn stream(&self, stream: StreamId) -> BoxFuture<'_, Result<Option<StreamInfo>>> {
        self.inspect(move |log| log.stream_infos().remove(&stream))
    }

    fn types(&self) -> BoxFuture<'_, Result<Vec<TypeInfo>>> {
        self.inspect(|log| {
            log.type_counts()
                .into_iter()
                .map(|(event_type, events)| TypeInfo { event_type, events })
                .collect()
        })
    }

    fn stats(&self) -> BoxFuture<'_, Result<Stats>> {
        self.inspect(|log| {
            let tags: std::collections::HashSet<_> =
                log.events.iter().flat_map(|recorded| &recorded.event.tags).collect();
            Stats {
                events: log.events.len() as u64,
                streams: log.streams.len() as u64,
                types: log.type_counts().len() as u64,
                tags: tags.len() as u64,
                head: log.head_with_time(),
                bytes_on_disk: 0,
            }
        })
    }
}

/// A read: the head of the snapshot, then its events.
struct Steps {
    head: Option<ReadStep>,
    events: std::vec::IntoIter<RecordedEvent>,
}

impl Stream for Steps {
    type Item = Result<ReadStep>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let step = self.head.take().or_else(|| self.events.next().map(ReadStep::Event));
        Poll::Ready(step.map(Ok))
    }
}

/// A subscription: reads to the head, says so, waits for the next commit, reads on.
struct Follow {
    shared: Arc<Shared>,
    query: Query,
    /// Everything up to here was delivered or did not match.
    after: Option<Position>,
    /// Whether catching up with `after` was announced.
    announced: bool,
    wait: Option<EventListener>,
    ended: bool,
}

impl Follow {
    /// The next delivery if there is one now.
    fn next_now(&mut self) -> Option<Result<Delivery>> {
        let log = self.shared.log.read();
        if let Err(error) = log.open() {
            self.ended = true;
            return Some(Err(error));
        }
        let options = ReadOptions::default().after(self.after).limit(1);
        if let Some(event) = log.select(&self.query, &options).pop() {
            self.after = Some(event.position);
            self.announced = false;
            return Some(Ok(Delivery::Event(event)));
        }
        let head = log.head();
        if self.announced && head <= self.after {
            return None;
        }
        self.after = self.after.max(head);
        self.announced = true;
        Some(Ok(Delivery::CaughtUp(head)))
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
                self.wait = None;
                return Poll::Ready(Some(delivery));
            }
            match &mut self.wait {
                None => self.wait = Some(self.shared.committed.listen()),
                Some(wait) => match Pin::new(wait).poll(cx) {
                    Poll::Ready(()) => self.wait = None,
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }
}
