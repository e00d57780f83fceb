//! Everything that is asked of a harmed store, with the one right answer to each, worked out from the list of events.

use factlog_core::{
    Append, AppendCondition, Category, Event, EventType, ExpectedRevision, Position, Query, QueryItem,
    ReadOptions, RecordedEvent, Revision, StreamId, StreamInfo, Tags, Timestamp, TypeInfo,
};

use super::store::{SEALED, Store, event_id, event_type, stream};

/// A read, and the positions that it delivers.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) query: Query,
    pub(super) options: ReadOptions,
    pub(super) due: Vec<u64>,
}

/// An append that changes nothing: a condition does not hold, or it was recorded before.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) append: Append,
    pub(super) due: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// One of its conditions does not hold.
    Conflict,
    /// It was recorded before, from this position to that one.
    Repeat(u64, u64),
}

/// All questions.
#[derive(Debug)]
pub(super) struct Questions {
    pub(super) reads: Vec<Read>,
    pub(super) appends: Vec<Ask>,
    pub(super) streams: Vec<StreamInfo>,
    pub(super) types: Vec<TypeInfo>,
    pub(super) times: Vec<(Timestamp, u64)>,
}

impl Questions {
    pub(super) fn new(store: &Store) -> Self {
        let events = &store.events;
        let mut reads = Vec::new();
        for query in queries() {
            for (after, both) in [(0, true), (SEALED / 2, false)] {
                let options = ReadOptions::default().after(Position::new(after));
                let hits = events.iter().filter(|event| query.matches(&event.event));
                let mut due: Vec<_> = hits.map(|event| event.position.get()).collect();
                due.retain(|&position| after < position);
                reads.push(Read { query: query.clone(), options, due: due.clone() });
                due.reverse();
                let backwards = Read { query: query.clone(), options: options.backwards(), due };
                reads.extend(Some(backwards).filter(|_| both));
            }
        }
        let streams: Vec<_> = (0..7).map(stream).filter_map(|stream| info(events, &stream)).collect();
        let mut types: Vec<_> = (0..3).map(event_type).map(|name| type_info(events, name)).collect();
        types.sort_by(|one, other| one.event_type.as_str().cmp(other.event_type.as_str()));
        let mut streams = streams;
        streams.sort_by(|one, other| one.stream.as_str().cmp(other.stream.as_str()));
        Self { reads, appends: appends(store), streams, types, times: times(events) }
    }
}

/// Every stream, category, type and tag, some of them together, and everything.
fn queries() -> Vec<Query> {
    let tagged = |names: &[u64]| {
        let names = names.iter().map(|n| format!("tag:{n}"));
        QueryItem::tagged(Tags::new(names).expect("short tags"))
    };
    let typed = |n: u64| QueryItem::of_types([event_type(n)]);
    let mut queries = vec![Query::All];
    queries.extend((0..7).map(|n| Query::stream(stream(n))));
    let categories = ["order", "account"].map(|name| Category::new(name).expect("a short name"));
    queries.extend(categories.map(Query::category));
    let mut items: Vec<_> = (0..4).map(|n| vec![typed(n)]).collect();
    items.extend((0..6).map(|n| vec![tagged(&[n])]));
    items.push(vec![tagged(&[2, 3])]);
    items.push(vec![QueryItem { types: vec![event_type(1)], ..tagged(&[4]) }]);
    items.push(vec![typed(2), tagged(&[0])]);
    queries.extend(items.into_iter().map(|items| Query::any_of(items).expect("a query")));
    queries
}

/// Appends whose conditions do not hold, for something sealed or in the tail, and events that are there already.
fn appends(store: &Store) -> Vec<Ask> {
    let mut asks = Vec::new();
    for query in queries() {
        for after in [SEALED / 3, SEALED + 2] {
            let condition = AppendCondition::none_match(query.clone(), Position::new(after));
            let mut events = store.events[after as usize..].iter();
            if events.any(|event| query.matches(&event.event)) {
                asks.push(Ask { append: Append::new([new_event()]).when(condition), due: Outcome::Conflict });
            }
        }
    }
    for stream in (0..6).filter_map(|n| info(&store.events, &stream(n))) {
        for expected in [ExpectedRevision::NoStream, ExpectedRevision::At(stream.last_revision.next())] {
            let condition = AppendCondition::revision(stream.stream.clone(), expected);
            asks.push(Ask { append: Append::new([new_event()]).when(condition), due: Outcome::Conflict });
        }
    }
    for (first, count, _) in &store.appends {
        let last = first + count - 1;
        let again = store.events[*first as usize - 1..last as usize].iter().map(|event| event.event.clone());
        asks.push(Ask { append: Append::new(again), due: Outcome::Repeat(*first, last) });
    }
    asks
}

/// An event that is nowhere yet.
pub(super) fn new_event() -> Event {
    let name = EventType::new("new").expect("a short name");
    Event::new(name, "{}").with_id(event_id(1_000_000))
}

/// What the list says of a stream.
fn info(events: &[RecordedEvent], stream: &StreamId) -> Option<StreamInfo> {
    let of_stream = || events.iter().filter(|event| event.event.stream.as_ref() == Some(stream));
    let (first, last) = (of_stream().next()?, of_stream().next_back()?);
    let count = of_stream().count() as u64;
    Some(StreamInfo {
        stream: stream.clone(),
        events: count,
        last_revision: Revision::new(count - 1),
        first_position: first.position,
        last_position: last.position,
    })
}

fn type_info(events: &[RecordedEvent], event_type: EventType) -> TypeInfo {
    let count = events.iter().filter(|event| event.event.event_type == event_type).count();
    TypeInfo { event_type, events: count as u64 }
}

/// The moments of some events, and those just in front of them.
fn times(events: &[RecordedEvent]) -> Vec<(Timestamp, u64)> {
    let mut times = Vec::new();
    for event in events.iter().step_by(7) {
        for micros in [0, -1] {
            let time = Timestamp::from_micros(event.recorded_at.as_micros() + micros);
            let until = events.iter().filter(|event| event.recorded_at <= time).count();
            times.push((time, until as u64));
        }
    }
    times
}
