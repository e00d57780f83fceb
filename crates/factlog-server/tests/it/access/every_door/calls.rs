//! Every call of gRPC: what is asked, what it answers without the right grant, and with it.

use factlog_core::{Append, AppendCondition, Query, QueryItem, Tags};
use factlog_proto::v1;
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

use super::super::event;
use super::house::{CANARY, Ids, STREAM, TRACKED};

/// What is to come without the right grant.
pub(super) enum Closed {
    /// This code, and no message.
    Refused(Code),
    /// Messages that hold nothing but what this principal may know.
    Tells(fn(&[Vec<u8>], &str) -> bool),
}

/// One request.
pub(super) struct Row {
    /// Its service and its name.
    pub(super) call: &'static str,
    pub(super) message: Vec<u8>,
    pub(super) closed: Closed,
    /// By which of the grants it is answered in full.
    pub(super) opened_by: &'static [&'static str],
    /// Whether it was: this shows that the request does ask for what is kept.
    pub(super) open: fn(&[Vec<u8>]) -> bool,
}

impl Row {
    fn new(call: &'static str, message: &impl Message, closed: Closed) -> Self {
        Self { call, message: message.encode_to_vec(), closed, opened_by: &[], open: |_| false }
    }

    fn opened_by(mut self, grants: &'static [&'static str], open: fn(&[Vec<u8>]) -> bool) -> Self {
        (self.opened_by, self.open) = (grants, open);
        self
    }
}

/// Every call there is, by the description that is in the server.
pub(super) fn described() -> Vec<String> {
    let files = FileDescriptorSet::decode(factlog_proto::DESCRIPTORS).expect("descriptions").file;
    let mut calls = Vec::new();
    for file in &files {
        for service in &file.service {
            let of = |method: &prost_types::MethodDescriptorProto| {
                assert_eq!(file.package(), "factlog.v1");
                format!("{}/{}", service.name(), method.name())
            };
            calls.extend(service.method.iter().map(of));
        }
    }
    calls
}

/// Messages of one kind.
fn all<M: Message + Default>(messages: &[Vec<u8>]) -> Vec<M> {
    messages.iter().map(|message| M::decode(&**message).expect("a message of the call")).collect()
}

/// The only one.
fn one<M: Message + Default>(messages: &[Vec<u8>]) -> M {
    let mut messages = all(messages);
    assert_eq!(messages.len(), 1, "one answer");
    messages.remove(0)
}

/// Whether what is kept is told.
fn shown(messages: &[Vec<u8>]) -> bool {
    messages.iter().any(|message| message.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()))
}

fn answered(messages: &[Vec<u8>]) -> bool {
    messages.len() == 1
}

/// Whether this is the last message of a subscription that is looked at.
pub(super) fn caught_up(message: &[u8]) -> bool {
    let message = v1::SubscribeResponse::decode(message).expect("a message of the call");
    message.deliveries.iter().any(|one| matches!(one.delivery, Some(v1::delivery::Delivery::CaughtUp(_))))
}

fn nothing_read(messages: &[Vec<u8>], _: &str) -> bool {
    let read: v1::ReadResponse = one(messages);
    read.events.is_empty() && read.snapshot.is_some()
}

fn nothing_followed(messages: &[Vec<u8>], _: &str) -> bool {
    let deliveries =
        all::<v1::SubscribeResponse>(messages).into_iter().flat_map(|message| message.deliveries);
    let events = |one: v1::Delivery| !matches!(one.delivery, Some(v1::delivery::Delivery::CaughtUp(_)));
    !deliveries.into_iter().any(events)
}

fn read(query: Query, limit: Option<u64>) -> v1::ReadRequest {
    v1::ReadRequest { query: Some(query.into()), limit, ..Default::default() }
}

fn with_the_tag() -> Query {
    Query::any_of([QueryItem::tagged(Tags::new(["canary:1"]).expect("a tag"))]).expect("a query")
}

/// The requests. What they say themselves has no canary in it, but for what is asked for by name.
pub(super) fn rows(ids: &Ids) -> Vec<Row> {
    [of_events(), of_the_log(), of_lists(), of_keys(ids)].into_iter().flatten().collect()
}

fn of_events() -> Vec<Row> {
    let placed = || Append::new([event(Some("vault-2"), &[], "placed")]);
    let elsewhere = || Append::new([event(Some("other-1"), &["other:1"], "other")]);
    let probe = AppendCondition::none_match(with_the_tag(), None);
    let in_session = v1::AppendSessionRequest { number: 1, append: Some(placed().into()), writer: None };
    let denied = || Closed::Refused(Code::PermissionDenied);
    let follow = v1::SubscribeRequest {
        query: Some(Query::All.into()),
        from: Some(v1::subscribe_request::From::Beginning(())),
    };
    vec![
        Row::new("EventStoreService/Append", &v1::AppendRequest::from(placed()), denied())
            .opened_by(&["append"], answered),
        // Whether it conflicted would tell whether there is such an event.
        Row::new("EventStoreService/Append", &v1::AppendRequest::from(elsewhere().when(probe)), denied()),
        Row::new("EventStoreService/AppendSession", &in_session, Closed::Tells(session_denied)).opened_by(
            &["append"],
            |messages| {
                let answer: v1::AppendSessionResponse = one(messages);
                matches!(answer.outcome, Some(v1::append_session_response::Outcome::Appended(_)))
            },
        ),
        Row::new("EventStoreService/Read", &read(Query::All, None), Closed::Tells(nothing_read))
            .opened_by(&["read"], shown),
        Row::new("EventStoreService/Read", &read(with_the_tag(), Some(1)), Closed::Tells(nothing_read))
            .opened_by(&["read"], shown),
        Row::new("EventStoreService/Subscribe", &follow, Closed::Tells(nothing_followed))
            .opened_by(&["read"], shown),
    ]
}

fn session_denied(messages: &[Vec<u8>], _: &str) -> bool {
    let answer: v1::AppendSessionResponse = one(messages);
    let Some(v1::append_session_response::Outcome::Failure(failure)) = answer.outcome else { return false };
    failure.kind() == v1::FailureKind::Denied && failure.definite
}

/// How far the log is, any good key may know: the numbers of positions that it may not read tell it anyway.
fn of_the_log() -> Vec<Row> {
    let tracking = v1::GetTrackingRequest { source: "canary-source".to_owned() };
    vec![
        Row::new(
            "EventStoreService/GetHead",
            &v1::GetHeadRequest {},
            Closed::Tells(|messages, _| one::<v1::GetHeadResponse>(messages).head.is_some()),
        ),
        Row::new(
            "EventStoreService/GetPositionAt",
            &v1::GetPositionAtRequest { time_micros: i64::MAX },
            Closed::Tells(|messages, _| one::<v1::GetPositionAtResponse>(messages).position.is_some()),
        ),
        Row::new(
            "EventStoreService/GetTracking",
            &tracking,
            Closed::Tells(|messages, _| one::<v1::GetTrackingResponse>(messages).position.is_none()),
        )
        .opened_by(&["read", "append"], |messages| {
            one::<v1::GetTrackingResponse>(messages).position == Some(TRACKED)
        }),
    ]
}

fn of_lists() -> Vec<Row> {
    let streams = v1::ListStreamsRequest { limit: 100, ..Default::default() };
    let stream = v1::GetStreamRequest { stream: STREAM.to_owned() };
    vec![
        Row::new(
            "AdministrationService/ListStreams",
            &streams,
            Closed::Tells(|messages, _| one::<v1::ListStreamsResponse>(messages).streams.is_empty()),
        )
        .opened_by(&["read"], shown),
        Row::new(
            "AdministrationService/GetStream",
            &stream,
            Closed::Tells(|messages, _| one::<v1::GetStreamResponse>(messages).stream.is_none()),
        )
        .opened_by(&["read"], shown),
        Row::new(
            "AdministrationService/ListTypes",
            &v1::ListTypesRequest {},
            Closed::Tells(|messages, _| {
                all::<v1::ListTypesResponse>(messages).iter().all(|message| message.types.is_empty())
            }),
        )
        .opened_by(&["read"], shown),
        // Whoever is known may know how projections are; here are none.
        Row::new(
            "AdministrationService/ListProjections",
            &v1::ListProjectionsRequest::default(),
            Closed::Tells(|messages, _| one::<v1::ListProjectionsResponse>(messages).projections.is_empty()),
        ),
        Row::new(
            "AdministrationService/GetStats",
            &v1::GetStatsRequest {},
            Closed::Refused(Code::PermissionDenied),
        )
        .opened_by(&["read"], |messages| one::<v1::GetStatsResponse>(messages).stats.is_some()),
    ]
}

fn of_keys(ids: &Ids) -> Vec<Row> {
    let admin = || Some(v1::Grants { grants: vec!["admin".to_owned()] });
    let create =
        v1::CreateKeyRequest { principal: "eve".to_owned(), grants: admin(), expires_at_micros: None };
    let rotate = v1::RotateKeyRequest {
        id: ids.rotated.clone(),
        old_expires_at_micros: 4_000_000_000_000_000,
        new_expires_at_micros: None,
    };
    let set = v1::SetGrantsRequest { principal: "p-0".to_owned(), grants: admin() };
    let who = |messages: &[Vec<u8>], who: &str| {
        one::<v1::WhoAmIResponse>(messages).principal.is_some_and(|own| own.name == who)
    };
    let kept = |call, message: Vec<u8>| Row {
        call,
        message,
        closed: Closed::Refused(Code::PermissionDenied),
        opened_by: &["admin"],
        open: answered,
    };
    vec![
        kept("AccessService/CreateKey", create.encode_to_vec()),
        kept("AccessService/RotateKey", rotate.encode_to_vec()),
        kept("AccessService/RevokeKey", v1::RevokeKeyRequest { id: ids.revoked.clone() }.encode_to_vec()),
        Row { open: shown, ..kept("AccessService/ListKeys", Vec::new()) },
        kept("AccessService/SetGrants", set.encode_to_vec()),
        Row { open: shown, ..kept("AccessService/ListPrincipals", Vec::new()) },
        Row::new("AccessService/WhoAmI", &v1::WhoAmIRequest {}, Closed::Tells(who)),
    ]
}
