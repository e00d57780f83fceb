//! What is no message, or a message that means nothing, is refused with what to do; no bytes cause a panic.

use factlog_core::{
    Append, Appended, Conflict, Delivery, ErrorKind, Event, ProjectionInfo, Query, ReadOptions,
    RecordedEvent, Result, StartFrom, limits,
};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::values;
use crate::codec::message;
use crate::v1;

/// What there is to say of a value that was refused.
fn refused<T: std::fmt::Debug>(taken: Result<T>) -> String {
    let error = taken.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

/// Takes the bytes for a message of every kind.
fn take(bytes: &[u8]) {
    fn take_as<M: Message + Default, T>(bytes: &[u8], convert: impl Fn(M) -> Result<T>) {
        if let Ok(message) = M::decode(bytes)
            && let Err(error) = convert(message)
        {
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
    take_as(bytes, |message: v1::AppendRequest| Append::try_from(message));
    take_as(bytes, |message: v1::AppendResponse| Appended::try_from(message));
    take_as(bytes, |message: v1::ReadRequest| <(Query, ReadOptions)>::try_from(message));
    take_as(bytes, |message: v1::SubscribeRequest| <(Query, StartFrom)>::try_from(message));
    take_as(bytes, |message: v1::RecordedEvent| RecordedEvent::try_from(message));
    take_as(bytes, |message: v1::Delivery| Delivery::try_from(message));
    take_as(bytes, |message: v1::Conflict| Conflict::try_from(message));
    take_as(bytes, |message: v1::ProjectionInfo| ProjectionInfo::try_from(message));
    take_as(bytes, |message: v1::Failure| Ok(factlog_core::AppendError::from(message)));
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        take(&bytes);
    }

    /// Bytes that are nearly a message reach deeper than random ones.
    #[test]
    fn no_damaged_append_causes_a_panic(append in values::append(), at in any::<usize>(), to in any::<u8>()) {
        let mut bytes = v1::AppendRequest::from(append).encode_to_vec();
        if !bytes.is_empty() {
            let at = at % bytes.len();
            bytes[at] = to;
        }
        take(&bytes);
    }
}

#[test]
fn what_is_missing_is_named() {
    let nothing = refused(Append::try_from(v1::AppendRequest {
        conditions: vec![v1::AppendCondition::default()],
        ..Default::default()
    }));
    assert_eq!(nothing, "the kind of a condition (`revision` or `none_match`) is missing; give one");
    let nothing = refused(<(Query, ReadOptions)>::try_from(v1::ReadRequest::default()));
    assert_eq!(nothing, "the query of a read is missing; give one");
    let nothing = refused(Query::try_from(v1::Query::default()));
    assert_eq!(nothing, "the kind of a query (`all` or `any_of`) is missing; give one");
    let nothing = refused(<(Query, StartFrom)>::try_from(v1::SubscribeRequest::default()));
    assert_eq!(nothing, "where to begin (`beginning`, `after` or `end`) is missing; give one");
}

#[test]
fn an_event_id_of_another_length_and_a_position_of_zero_are_refused() {
    let short = v1::Event { id: vec![1, 2, 3].into(), event_type: "a".to_owned(), ..Default::default() };
    assert_eq!(refused(Event::try_from(short)), "event id has 3 bytes; give the 16 bytes of a UUID");
    let all = v1::Query::from(Query::All);
    let zero = v1::ReadRequest { query: Some(all.clone()), after: Some(0), ..Default::default() };
    let said = refused(<(Query, ReadOptions)>::try_from(zero));
    assert_eq!(said, "`after` of a read is 0; leave it out for nothing, or give 1, 2, 3, ...");
    let askew = v1::ReadRequest { query: Some(all), direction: 3, ..Default::default() };
    let said = refused(<(Query, ReadOptions)>::try_from(askew));
    assert_eq!(said, "3 is no direction; give 1 or 2, or leave it out");
}

/// Would fail if a list beyond its bound were converted before it is counted.
#[test]
fn what_is_too_much_is_refused_before_anything_is_made_of_it() {
    let nameless = v1::Event::default();
    let events = vec![nameless; limits::APPEND_EVENTS_MAX + 1];
    let said = refused(Append::try_from(v1::AppendRequest { events, ..Default::default() }));
    assert_eq!(said, "100001 events in one append; at most 100000 are allowed");
    let types = vec![String::new(); limits::QUERY_TYPES_MAX + 1];
    let item = v1::QueryItem { types, ..Default::default() };
    let said = refused(factlog_core::QueryItem::try_from(item));
    assert_eq!(said, "1001 types in a query item; at most 1000 are allowed");
}

/// Would fail if a request of few bytes took the memory of millions of events before anything counted them.
#[test]
fn what_is_too_much_is_refused_before_memory_is_taken_for_it() {
    let read = |bytes: Vec<u8>| refused(message::<v1::AppendRequest>(bytes.into()));
    let events = |count| [0x0a, 0x00].repeat(count);
    assert_eq!(read(events(limits::APPEND_EVENTS_MAX + 1)), "more than 100000 events in one append");
    let read_whole = message::<v1::AppendRequest>(events(limits::APPEND_EVENTS_MAX).into());
    assert_eq!(read_whole.expect("as many as may be").events.len(), limits::APPEND_EVENTS_MAX);
    let within = |number: u8, inner: Vec<u8>| {
        let mut outer = vec![number << 3 | 2];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        [outer, inner].concat()
    };
    let tags = within(1, [0x1a, 0x00].repeat(limits::TAGS_MAX + 1));
    assert_eq!(read(tags), "more than 64 tags of an event");
    let item = |types| within(1, [0x0a, 0x00].repeat(types));
    let condition = |items: Vec<u8>| within(2, within(2, within(1, within(2, items))));
    assert_eq!(read(condition(item(1_001))), "more than 1000 types in a query item");
    let many = condition(item(999).repeat(100));
    assert!(message::<v1::AppendRequest>(many.clone().into()).is_ok());
    let said = read([many, condition(item(0))].concat());
    assert_eq!(said, "more than 100000 items, types and tags in the conditions of one append");
    let session = within(2, events(limits::APPEND_EVENTS_MAX)).repeat(2);
    assert_eq!(
        refused(message::<v1::AppendSessionRequest>(session.into())),
        "more than 1 appends in one message"
    );
    for wrong in [&[0x0b][..], &[0x0a, 0x05, 0x00], &[0xff; 11]] {
        read(wrong.to_vec());
    }
}
