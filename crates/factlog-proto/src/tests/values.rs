//! Any value of core, within its bounds.

use factlog_core::{
    Append, AppendCondition, Appended, Category, Conflict, ContentType, Event, EventId, EventType,
    ExpectedRevision, FailedCondition, Position, Query, QueryItem, RecordedEvent, Revision, StreamFilter,
    StreamId, StreamRevision, Tag, Tags, Timestamp, Tracking, TrackingSource,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c.:-]{1,6}", "\\PC{1,20}", Just("x".repeat(255))]
}

pub(super) fn event_type() -> impl Strategy<Value = EventType> {
    text().prop_map(|text| EventType::new(text).expect("a type"))
}

pub(super) fn stream() -> impl Strategy<Value = StreamId> {
    text().prop_map(|text| StreamId::new(text).expect("a stream"))
}

fn tags() -> impl Strategy<Value = Tags> {
    vec(text(), 0..5)
        .prop_map(|tags| Tags::new(tags.into_iter().map(|tag| Tag::new(tag).expect("a tag"))).expect("few"))
}

pub(super) fn position() -> impl Strategy<Value = Position> {
    prop_oneof![1..10_u64, 1..=u64::MAX].prop_map(|number| Position::new(number).expect("not 0"))
}

pub(super) fn revision() -> impl Strategy<Value = Revision> {
    any::<u64>().prop_map(Revision::new)
}

pub(super) fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn content_type() -> impl Strategy<Value = ContentType> {
    prop_oneof![
        Just(ContentType::JSON),
        Just(ContentType::BYTES),
        text().prop_map(|text| ContentType::new(&text).expect("a content type"))
    ]
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let bytes = || vec(any::<u8>(), 0..40);
    (any::<[u8; 16]>(), event_type(), tags(), bytes(), bytes(), content_type(), option::of(stream()))
        .prop_map(|(id, event_type, tags, data, metadata, content_type, stream)| Event {
            id: EventId::from_bytes(id),
            event_type,
            tags,
            data: data.into(),
            metadata: metadata.into(),
            content_type,
            stream,
        })
}

pub(super) fn recorded() -> impl Strategy<Value = RecordedEvent> {
    (position(), time(), option::of(revision()), event()).prop_map(
        |(position, recorded_at, revision, event)| RecordedEvent { position, recorded_at, revision, event },
    )
}

fn item() -> impl Strategy<Value = QueryItem> {
    let within = prop_oneof![
        stream().prop_map(StreamFilter::Id),
        text().prop_map(|text| StreamFilter::Category(Category::new(text).expect("a category"))),
    ];
    (vec(event_type(), 0..4), tags(), option::of(within)).prop_map(|(types, tags, stream)| QueryItem {
        types,
        tags,
        stream,
    })
}

pub(super) fn query() -> impl Strategy<Value = Query> {
    prop_oneof![Just(Query::All), vec(item(), 0..4).prop_map(Query::AnyOf)]
}

pub(super) fn expected() -> impl Strategy<Value = ExpectedRevision> {
    prop_oneof![
        Just(ExpectedRevision::Any),
        Just(ExpectedRevision::NoStream),
        Just(ExpectedRevision::Exists),
        revision().prop_map(ExpectedRevision::At),
    ]
}

fn condition() -> impl Strategy<Value = AppendCondition> {
    prop_oneof![
        (stream(), expected()).prop_map(|(stream, expected)| AppendCondition::Revision { stream, expected }),
        (query(), option::of(position()))
            .prop_map(|(query, after)| AppendCondition::NoneMatch { query, after }),
    ]
}

pub(super) fn tracking() -> impl Strategy<Value = Tracking> {
    (text(), position()).prop_map(|(source, position)| Tracking {
        source: TrackingSource::new(source).expect("a source"),
        position,
    })
}

pub(super) fn append() -> impl Strategy<Value = Append> {
    (vec(event(), 0..4), vec(condition(), 0..4), option::of(tracking()))
        .prop_map(|(events, conditions, tracking)| Append { events, conditions, tracking })
}

pub(super) fn appended() -> impl Strategy<Value = Appended> {
    let place = (stream(), revision()).prop_map(|(stream, revision)| StreamRevision { stream, revision });
    (position(), position(), vec(place, 0..4), any::<bool>())
        .prop_map(|(first, last, revisions, deduplicated)| Appended { first, last, revisions, deduplicated })
}

fn failed() -> impl Strategy<Value = FailedCondition> {
    let index = || 0..1_000_usize;
    prop_oneof![
        (index(), stream(), expected(), option::of(revision())).prop_map(
            |(index, stream, expected, actual)| {
                FailedCondition::Revision { index, stream, expected, actual }
            }
        ),
        (index(), position()).prop_map(|(index, position)| FailedCondition::NoneMatch { index, position }),
        (tracking(), position()).prop_map(|(stale, recorded)| FailedCondition::Tracking { stale, recorded }),
    ]
}

pub(super) fn conflict() -> impl Strategy<Value = Conflict> {
    vec(failed(), 1..4).prop_map(|failed| Conflict { failed })
}
