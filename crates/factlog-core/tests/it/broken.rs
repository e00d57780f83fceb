//! Stores with one deliberate flaw each, around the reference store: what the suite must notice.
//!
//! Each flaw is one that real stores have had. Nothing here knows which scenario is to find it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use factlog_core::conformance::{ManualClock, Subject};
use factlog_core::{
    Append, AppendCondition, AppendError, Appended, BoxFuture, Clock, Conflict, Delivery, Direction, Error,
    Event, EventId, EventStore, EventStream, EventType, ExpectedRevision, FailedCondition, Head, MemoryStore,
    Position, Query, QueryItem, Read, ReadOptions, ReadStep, RecordedEvent, Result, StartFrom, StreamFilter,
    StreamId, Subscription, Tags, Timestamp, limits,
};
use futures_util::{StreamExt, stream};
use parking_lot::Mutex;

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing: a control.
    None,
    IgnoresConditions,
    TakesEveryEventForMatching,
    TakesAfterAsInclusive,
    ChecksConditionsOutsideTheLock,
    TellsOnlyTheFirstFailedCondition,
    WritesAGhostWhenItRefuses,
    SplitsAnAppend,
    TakesItsPlaceAtTheSecondPoll,
    LosesMetadata,
    RefusesTheLargestData,
    ForgetsWhatWasAppended,
    ChecksConditionsOfARepeat,
    ComparesOnlyTheFirstId,
    MovesTrackingOnARepeat,
    AcceptsStaleTracking,
    TracksBeforeItAppends,
    TellsTheLastMatchAsHead,
    ReadsOnPastItsSnapshot,
    LimitsBeforeItFilters,
    TakesUntilAsExclusiveBackwards,
    LooksAtOneTagOnly,
    TakesACategoryForAPrefix,
    DropsDeliveries,
    LosesTheHandOver,
    RepeatsTheCheckpoint,
    StartsAtTheFirstPoll,
    DropsSlowSubscribers,
    FollowsTheClockBack,
    TellsTheClockAsHeadTime,
    FindsPositionsBeforeATimeOnly,
    StaysOpen,
    LosesTheLastAppendInARestart,
    LosesAppendBordersInARestart,
}

/// A subject whose store has a flaw.
pub(crate) struct Flawed {
    store: Mutex<Arc<Broken>>,
    clock: Arc<ManualClock>,
}

impl Flawed {
    pub(crate) fn new(flaw: Flaw) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Mutex::new(Arc::new(Broken::new(flaw, clock.clone())));
        Self { store, clock }
    }
}

impl Subject for Flawed {
    fn store(&self) -> Arc<dyn EventStore> {
        self.store.lock().clone()
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        let mut store = self.store.lock();
        let kept = match store.flaw {
            Flaw::LosesTheLastAppendInARestart => store.all().len().saturating_sub(1),
            Flaw::LosesAppendBordersInARestart => store.all().len(),
            _ => return Box::pin(async {}),
        };
        let reopened = Broken::new(store.flaw, self.clock.clone());
        for recorded in store.all().into_iter().take(kept) {
            now(reopened.inner.append(Append::new([recorded.event]))).expect("an event of its own");
        }
        *store = Arc::new(reopened);
        Box::pin(async {})
    }

    fn set_time(&self, time: Timestamp) {
        self.clock.set(time);
    }
}

/// The reference store with a flaw.
#[derive(Debug)]
struct Broken {
    flaw: Flaw,
    inner: MemoryStore,
    clock: Arc<ManualClock>,
    /// The clock at each append, where times are wrong.
    times: Mutex<HashMap<Position, Timestamp>>,
    /// The answers given, by first id, where they are given again.
    answers: Mutex<HashMap<EventId, Appended>>,
    /// What was tracked, where that is apart.
    tracked: Mutex<HashMap<String, Position>>,
}

impl EventStore for Broken {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            if self.flaw == Flaw::TakesItsPlaceAtTheSecondPoll {
                second_poll().await;
            }
            self.append_now(append)
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        if self.flaw == Flaw::ReadsOnPastItsSnapshot {
            return self.live_read(query, options);
        }
        match now(self.inner.read(query.clone(), options).collect()) {
            Ok(read) => steps(self.bend(&query, options, read)),
            Err(error) => EventStream::failed(error),
        }
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        let inner = self.inner.clone();
        let behind = |from| match from {
            StartFrom::After(position) => StartFrom::from(position.previous()),
            other => other,
        };
        match self.flaw {
            Flaw::RepeatsTheCheckpoint => inner.subscribe(query, behind(from)),
            Flaw::StartsAtTheFirstPoll => {
                let late = stream::once(async move { inner.subscribe(query, from) });
                Subscription::new(Box::pin(late.flatten()))
            }
            Flaw::DropsDeliveries => {
                let kept = |delivery: &Result<Delivery>| match delivery {
                    Ok(Delivery::Event(event)) => event.position.get() % 7 != 0,
                    _ => true,
                };
                Subscription::new(inner.subscribe(query, from).filter(move |it| std::future::ready(kept(it))))
            }
            Flaw::LosesTheHandOver => Subscription::new(Box::pin(self.two_phases(&query, from))),
            Flaw::DropsSlowSubscribers => {
                let near = move |delivery: &Result<Delivery>| match delivery {
                    Ok(Delivery::Event(event)) => last(&inner) < event.position.get() + 500,
                    _ => true,
                };
                let all = self.inner.subscribe(query, from);
                Subscription::new(all.filter(move |it| std::future::ready(near(it))))
            }
            _ => inner.subscribe(query, from),
        }
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        let mut head = now(self.inner.head());
        if let (Flaw::TellsTheClockAsHeadTime, Ok(Head { recorded_at: Some(time), .. })) =
            (self.flaw, &mut head)
        {
            *time = Timestamp::from_micros(self.clock.now().as_micros() + 1);
        }
        Box::pin(std::future::ready(head))
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        match self.tracked.lock().get(source).copied() {
            Some(tracked) => Box::pin(std::future::ready(Ok(Some(tracked)))),
            None => self.inner.tracking(source),
        }
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        match self.flaw {
            Flaw::FindsPositionsBeforeATimeOnly => {
                self.inner.position_at(Timestamp::from_micros(time.as_micros().saturating_sub(1)))
            }
            _ => self.inner.position_at(time),
        }
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        match self.flaw {
            Flaw::StaysOpen => Box::pin(std::future::ready(Ok(()))),
            _ => self.inner.close(),
        }
    }
}

impl Broken {
    fn new(flaw: Flaw, clock: Arc<ManualClock>) -> Self {
        let inner = MemoryStore::with_clock(clock.clone());
        let (times, answers, tracked) = Default::default();
        Self { flaw, inner, clock, times, answers, tracked }
    }

    fn append_now(&self, mut append: Append) -> Result<Appended, AppendError> {
        match self.flaw {
            Flaw::IgnoresConditions => append.conditions.clear(),
            Flaw::TakesEveryEventForMatching => widen(&mut append, |query, _| *query = Query::All),
            Flaw::TakesAfterAsInclusive => {
                widen(&mut append, |_, after| *after = after.and_then(Position::previous));
            }
            Flaw::ChecksConditionsOutsideTheLock => {
                self.check(std::mem::take(&mut append.conditions))?;
                (0..50).for_each(|_| thread::yield_now());
            }
            Flaw::SplitsAnAppend => return self.split(append),
            Flaw::LosesMetadata => append.events.iter_mut().for_each(|event| event.metadata.clear()),
            Flaw::RefusesTheLargestData if append.events.iter().any(is_largest) => {
                return Err(Error::invalid("an event's data is too large").into());
            }
            Flaw::ChecksConditionsOfARepeat => self.check(append.conditions.clone())?,
            Flaw::ComparesOnlyTheFirstId => {
                let id = append.events.first().map(|event| event.id);
                if let Some(known) = id.and_then(|id| self.answers.lock().get(&id).cloned()) {
                    return Ok(Appended { deduplicated: true, ..known });
                }
            }
            Flaw::TracksBeforeItAppends => self.track(&append),
            _ => {}
        }
        let answer = now(self.inner.append(append.clone()));
        self.afterwards(append, answer)
    }

    /// What goes wrong after the append was decided.
    fn afterwards(
        &self,
        append: Append,
        answer: Result<Appended, AppendError>,
    ) -> Result<Appended, AppendError> {
        match (self.flaw, answer) {
            (Flaw::TellsOnlyTheFirstFailedCondition, Err(AppendError::Conflict(Conflict { mut failed }))) => {
                failed.truncate(1);
                Err(AppendError::Conflict(Conflict { failed }))
            }
            (Flaw::WritesAGhostWhenItRefuses, Err(refused)) => {
                now(self.inner.append(Append::new([ghost()])))?;
                Err(refused)
            }
            (Flaw::ForgetsWhatWasAppended, Ok(appended)) if appended.deduplicated => {
                let anew = append.events.into_iter().map(|event| event.with_id(EventId::generate()));
                now(self.inner.append(Append::new(anew)))
            }
            (Flaw::MovesTrackingOnARepeat, Ok(appended)) if appended.deduplicated => {
                self.track(&append);
                Ok(appended)
            }
            (Flaw::AcceptsStaleTracking, Err(AppendError::Conflict(_))) if append.tracking.is_some() => {
                now(self.inner.append(Append { tracking: None, ..append }))
            }
            (Flaw::ComparesOnlyTheFirstId, Ok(appended)) => {
                self.answers.lock().insert(append.events[0].id, appended.clone());
                Ok(appended)
            }
            (Flaw::FollowsTheClockBack, Ok(appended)) => {
                self.times.lock().insert(appended.first, self.clock.now());
                Ok(appended)
            }
            (_, answer) => answer,
        }
    }

    /// Whether conditions hold just now, without writing.
    fn check(&self, conditions: Vec<AppendCondition>) -> Result<(), AppendError> {
        let nobody = StreamId::new("nobody-at-all").expect("a stream id");
        let never = AppendCondition::revision(nobody, ExpectedRevision::Exists);
        let mine = conditions.len();
        let probe = Append { conditions, ..Append::new([ghost()]) }.when(never);
        let Err(AppendError::Conflict(Conflict { mut failed })) = now(self.inner.append(probe)) else {
            return Ok(());
        };
        failed.retain(|failed| match failed {
            FailedCondition::Revision { index, .. } | FailedCondition::NoneMatch { index, .. } => {
                *index < mine
            }
            _ => true,
        });
        if failed.is_empty() { Ok(()) } else { Err(AppendError::Conflict(Conflict { failed })) }
    }

    fn split(&self, append: Append) -> Result<Appended, AppendError> {
        append.validate()?;
        let mut pieces = append.events.into_iter();
        let first = Append { events: pieces.next().into_iter().collect(), ..Append::new([]) };
        let first = Append { conditions: append.conditions, tracking: append.tracking, ..first };
        let mut whole = now(self.inner.append(first))?;
        for piece in pieces {
            thread::yield_now();
            let piece = now(self.inner.append(Append::new([piece])))?;
            whole.last = piece.last;
            whole.revisions.extend(piece.revisions);
        }
        Ok(whole)
    }

    fn track(&self, append: &Append) {
        if let Some(tracking) = &append.tracking {
            self.tracked.lock().insert(tracking.source.to_string(), tracking.position);
        }
    }

    fn all(&self) -> Vec<RecordedEvent> {
        now(self.inner.read(Query::All, ReadOptions::default()).collect()).expect("it is open").events
    }

    /// What a flawed read makes of a right one.
    fn bend(&self, query: &Query, options: ReadOptions, right: Read) -> Read {
        let select = |wanted: &dyn Fn(&Event) -> bool, limit: u64| {
            let mut options = options.limit(u64::MAX);
            options.limit = None;
            let all =
                now(self.inner.read(Query::All, ReadOptions { from_revision: None, ..options }).collect());
            let all = all.expect("it is open").events.into_iter();
            let in_range = |recorded: &RecordedEvent| {
                options.from_revision.is_none_or(|from| Some(from) <= recorded.revision)
            };
            all.filter(|recorded| in_range(recorded) && wanted(&recorded.event))
                .take(limit as usize)
                .collect()
        };
        let limit = options.limit.unwrap_or(u64::MAX);
        let events = match self.flaw {
            Flaw::TellsTheLastMatchAsHead => {
                let head = right.events.iter().map(|event| event.position).max();
                return Read { head, ..right };
            }
            Flaw::LimitsBeforeItFilters => {
                let cut: Vec<RecordedEvent> = select(&|_| true, limit);
                cut.into_iter().filter(|recorded| query.matches(&recorded.event)).collect()
            }
            Flaw::TakesUntilAsExclusiveBackwards if options.direction == Direction::Backwards => {
                let below =
                    |recorded: &RecordedEvent| options.until.is_none_or(|until| recorded.position < until);
                right.events.into_iter().filter(below).collect()
            }
            Flaw::LooksAtOneTagOnly => select(&|event| map_items(query, one_tag).matches(event), limit),
            Flaw::TakesACategoryForAPrefix => select(&|event| matches_prefix(query, event), limit),
            Flaw::FollowsTheClockBack => {
                let times = self.times.lock();
                let wrong = |mut recorded: RecordedEvent| {
                    recorded.recorded_at =
                        times.get(&recorded.position).copied().unwrap_or(recorded.recorded_at);
                    recorded
                };
                right.events.into_iter().map(wrong).collect()
            }
            _ => right.events,
        };
        Read { events, head: right.head }
    }

    /// A read that asks anew for each event.
    fn live_read(&self, query: Query, options: ReadOptions) -> EventStream {
        if options.direction == Direction::Backwards || options.validate(&query).is_err() {
            return self.inner.read(query, options);
        }
        let head = match now(self.inner.head()) {
            Ok(head) => head.position,
            Err(error) => return EventStream::failed(error),
        };
        let inner = self.inner.clone();
        let events = stream::unfold(options, move |mut options| {
            let next =
                now(inner.read(query.clone(), options.limit(1)).collect()).expect("it is open").events.pop();
            if options.limit == Some(0) {
                return std::future::ready(None);
            }
            options.limit = options.limit.map(|limit| limit - 1);
            std::future::ready(
                next.map(|event| (Ok(ReadStep::Event(event.clone())), options.after(event.position))),
            )
        });
        EventStream::new(stream::iter([Ok(ReadStep::Head(head))]).chain(events))
    }

    /// A subscription that reads to the head and only then begins to listen.
    fn two_phases(
        &self,
        query: &Query,
        from: StartFrom,
    ) -> impl futures_util::Stream<Item = Result<Delivery>> + use<> {
        let (inner, query) = (self.inner.clone(), query.clone());
        let caught_up = |delivery: &Result<Delivery>| !matches!(delivery, Ok(Delivery::CaughtUp(_)));
        let recorded = self.inner.subscribe(query.clone(), from);
        let recorded = recorded.take_while(move |delivery| std::future::ready(caught_up(delivery)));
        let live = stream::once(async move {
            (0..50).for_each(|_| thread::yield_now());
            inner.subscribe(query, StartFrom::End)
        });
        recorded.chain(live.flatten())
    }
}

/// The answer of the store in memory, which never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

/// Pending once.
async fn second_poll() {
    let mut first = true;
    let polled = |cx: &mut Context<'_>| match std::mem::take(&mut first) {
        false => Poll::Ready(()),
        true => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    };
    poll_fn(polled).await;
}

fn last(store: &MemoryStore) -> u64 {
    now(store.head()).map_or(0, |head| Position::number(head.position))
}

fn steps(read: Read) -> EventStream {
    let events = read.events.into_iter().map(ReadStep::Event);
    EventStream::new(stream::iter([ReadStep::Head(read.head)].into_iter().chain(events).map(Ok)))
}

fn ghost() -> Event {
    Event::new(EventType::new("ghost").expect("an event type"), "")
}

fn is_largest(event: &Event) -> bool {
    event.data.len() == limits::DATA_BYTES_MAX
}

fn widen(append: &mut Append, change: impl Fn(&mut Query, &mut Option<Position>)) {
    for condition in &mut append.conditions {
        if let AppendCondition::NoneMatch { query, after } = condition {
            change(query, after);
        }
    }
}

fn map_items(query: &Query, change: impl Fn(QueryItem) -> QueryItem) -> Query {
    match query {
        Query::All => Query::All,
        Query::AnyOf(items) => Query::AnyOf(items.iter().cloned().map(change).collect()),
    }
}

fn one_tag(item: QueryItem) -> QueryItem {
    let tags = Tags::new(item.tags.iter().take(1).cloned()).expect("fewer tags");
    QueryItem { tags, ..item }
}

fn matches_prefix(query: &Query, event: &Event) -> bool {
    let Query::AnyOf(items) = query else { return true };
    items.iter().any(|item| match (&item.stream, &event.stream) {
        (Some(StreamFilter::Category(category)), Some(stream)) => {
            let rest = QueryItem { stream: None, ..item.clone() };
            stream.as_str().starts_with(category.as_str()) && rest.matches(event)
        }
        _ => item.matches(event),
    })
}
