//! What reads messages, as functions of bytes with what must hold of it; see `factlog-fuzz`.

use std::fmt::Debug;
use std::time::Duration;

use factlog_core::access::{Grants, MintedKey, NewKey, Principal};
use factlog_core::{
    Append, AppendCondition, AppendError, Appended, Delivery, Error, ErrorKind, Event, EventId, EventType,
    ExpectedRevision, Head, Position, ProjectionInfo, Query, QueryItem, ReadOptions, RecordedEvent, Revision,
    StartFrom, Stats, StreamId, Timestamp,
};
use prost::Message;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::codec::message;
use crate::{failure_of, status_of, v1};

/// A name, the function, and real encodings to begin with, each with a name.
pub type Row = (&'static str, fn(&[u8]), fn() -> Vec<(&'static str, Vec<u8>)>);

/// Every target of the wire.
pub const TARGETS: &[Row] =
    &[("grpc_message", grpc_message, grpc_message_seeds), ("grpc_status", grpc_status, grpc_status_seeds)];

/// What is taken for a value goes out as the same, and comes in again.
fn again<M, T>(bytes: &[u8])
where
    M: Message + Debug + Default + PartialEq + From<T> + 'static,
    T: TryFrom<M, Error = Error> + Clone + Debug,
{
    let Ok(read) = message::<M>(bytes.to_vec().into()) else { return };
    match T::try_from(read) {
        Ok(value) => {
            let out = M::from(value.clone());
            let read = message::<M>(out.encode_to_vec().into()).expect("what goes out is a message");
            let again = T::try_from(read).expect("what goes out comes in");
            assert_eq!(M::from(again), out, "it comes in as the same: {value:?}");
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{error}"),
    }
}

/// The first byte says which message, the others are it.
fn grpc_message(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 15 {
        0 => again::<v1::AppendRequest, Append>(bytes),
        1 => again::<v1::ReadRequest, (Query, ReadOptions)>(bytes),
        2 => again::<v1::SubscribeRequest, (Query, StartFrom)>(bytes),
        3 => again::<v1::CreateKeyRequest, NewKey>(bytes),
        4 => again::<v1::Principal, Principal>(bytes),
        5 => again::<v1::RecordedEvent, RecordedEvent>(bytes),
        6 => again::<v1::Delivery, Delivery>(bytes),
        7 => again::<v1::AppendResponse, Appended>(bytes),
        8 => again::<v1::Head, Head>(bytes),
        9 => again::<v1::Stats, Stats>(bytes),
        10 => session(bytes),
        11 => {
            let Ok(read) = message::<v1::SetGrantsRequest>(bytes.to_vec().into()) else { return };
            let Some(Ok(grants)) = read.grants.map(Grants::try_from) else { return };
            assert_eq!(Grants::try_from(v1::Grants::from(&grants)).ok(), Some(grants));
        }
        12 => {
            let Ok(read) = message::<v1::CreateKeyResponse>(bytes.to_vec().into()) else { return };
            let Ok(MintedKey { info, secret }) = crate::minted(read.key, read.secret) else { return };
            let back = v1::CreateKeyResponse::from(MintedKey { info: info.clone(), secret });
            assert_eq!(crate::minted(back.key, back.secret).ok().map(|key| key.info), Some(info));
        }
        13 => again::<v1::ProjectionInfo, ProjectionInfo>(bytes),
        _ => again::<v1::Query, Query>(bytes),
    }
}

/// A message of a session holds what an append by itself would be, and is refused where that is.
fn session(bytes: &[u8]) {
    let Ok(read) = message::<v1::AppendSessionRequest>(bytes.to_vec().into()) else { return };
    let Some(append) = read.append else { return };
    let alone = message::<v1::AppendRequest>(append.encode_to_vec().into()).expect("it can stand alone");
    assert_eq!(Append::try_from(alone).ok(), Append::try_from(append).ok());
}

/// The details of a status: whatever they are, the failure has a status of its own, which is the same failure.
fn grpc_status(bytes: &[u8]) {
    let (code, details) = bytes.split_first().map_or((0, bytes), |(code, details)| (*code, details));
    let code = Code::from(i32::from(code % 17));
    let failure = failure_of(&Status::with_details(code, "from somewhere", details.to_vec().into()));
    let status = status_of(&failure);
    // Sentences are cut to what headers take, and a conflict loses its last facts; what it is stays.
    let same = failure_of(&status);
    assert_eq!(same.conflict().is_some(), failure.conflict().is_some());
    assert_eq!(same.failed().map(Error::kind), failure.failed().map(Error::kind));
    assert_eq!(failure_of(&status_of(&same)).to_string(), same.to_string(), "what was cut is not cut again");
    assert!(status.message().len() <= 1 << 10 && status.details().len() <= 16 << 10, "it fits into headers");
}

fn seeds() -> (Append, Query, RecordedEvent) {
    let stream = StreamId::new("account-1").expect("a stream");
    let event = Event::new(EventType::new("account.opened").expect("a type"), r#"{"owner":"Ada"}"#)
        .in_stream(stream.clone())
        .with_metadata("{}")
        .tagged(factlog_core::Tags::new(["account:1", "new"]).expect("tags"))
        .with_id(EventId::from_bytes([7; 16]));
    let item = QueryItem::of_types([event.event_type.clone()]);
    let query = Query::any_of([item, QueryItem { tags: event.tags.clone(), ..QueryItem::default() }]);
    let query = query.expect("a query");
    let append = Append::new([event.clone()])
        .when(AppendCondition::revision(stream, ExpectedRevision::At(Revision::new(7))))
        .when(AppendCondition::none_match(query.clone(), Some(Position::FIRST)));
    let recorded_at = Timestamp::from_micros(1_700_000_000_000_000);
    let recorded =
        RecordedEvent { position: Position::FIRST, recorded_at, revision: Some(Revision::new(0)), event };
    (append, query, recorded)
}

fn projection() -> ProjectionInfo {
    ProjectionInfo {
        name: "orders".to_owned(),
        state: "failed".to_owned(),
        well: false,
        applied: Some(Position::FIRST),
        advanced_at: Some(Timestamp::from_micros(1_700_000_000_000_000)),
        lag_events: 7,
        lag: Duration::from_micros(1_500),
        parked: 1,
        problem: Some("the file is gone".to_owned()),
    }
}

fn grpc_message_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let (append, query, recorded) = seeds();
    let grants = Grants::parse(["read,append stream:orders- tag:a:1", "admin"]).expect("grants");
    let new = NewKey {
        principal: "orders".parse().expect("a principal"),
        grants: Some(grants.clone()),
        expires_at: Some(recorded.recorded_at),
    };
    let of = |which: u8, bytes: Vec<u8>| [vec![which], bytes].concat();
    let request = v1::AppendRequest::from(append);
    let session = v1::AppendSessionRequest { number: 7, append: Some(request.clone()), writer: None };
    let options = ReadOptions::default().after(Some(Position::FIRST)).limit(9).backwards();
    let set = v1::SetGrantsRequest { principal: "orders".to_owned(), grants: Some((&grants).into()) };
    vec![
        ("append", of(0, request.encode_to_vec())),
        ("read", of(1, v1::ReadRequest::from((query.clone(), options)).encode_to_vec())),
        (
            "subscribe",
            of(2, v1::SubscribeRequest::from((query, StartFrom::After(recorded.position))).encode_to_vec()),
        ),
        ("create-key", of(3, v1::CreateKeyRequest::from(new).encode_to_vec())),
        ("recorded", of(5, v1::RecordedEvent::from(recorded.clone()).encode_to_vec())),
        ("delivery", of(6, v1::Delivery::from(Delivery::Event(recorded)).encode_to_vec())),
        ("session", of(10, session.encode_to_vec())),
        ("set-grants", of(11, set.encode_to_vec())),
        ("projection", of(13, v1::ProjectionInfo::from(projection()).encode_to_vec())),
    ]
}

fn grpc_status_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let stream = StreamId::new("account-1").expect("a stream");
    let failed = vec![factlog_core::FailedCondition::Revision {
        index: 1,
        stream,
        expected: ExpectedRevision::NoStream,
        actual: Some(Revision::new(9)),
    }];
    let of = |error: AppendError| {
        let status = status_of(&error);
        let mut told = pb::Status::decode(status.details()).expect("a status");
        // The facts of the other detail stand in another order each time.
        told.details.retain(|detail| detail.type_url.ends_with("factlog.v1.Failure"));
        [vec![status.code() as u8], told.encode_to_vec()].concat()
    };
    vec![
        ("conflict", of(AppendError::Conflict(factlog_core::Conflict { failed }))),
        ("unavailable", of(AppendError::Failed(Error::unavailable("the server is stopping")))),
    ]
}
