//! What goes through to a caller, and when it ends.

use factlog_core::access::{AccessControl as _, Grants};
use factlog_core::{
    Append, AppendCondition, AppendError, Delivery, ErrorKind, EventStore as _, EventStoreExt as _,
    ExpectedRevision, Position, Query, QueryItem, ReadOptions, StartFrom, StreamId, Tags, Tracking,
    TrackingSource,
};

use super::{Kept, event};

fn stream(id: &str) -> StreamId {
    StreamId::new(id).expect("a stream")
}

/// Would fail if an open stream went on after its key was revoked.
#[tokio::test]
async fn a_revoked_key_ends_open_streams_and_sessions() {
    let kept = Kept::start().await;
    let (key, id) = kept.key("ada", &["read,append"]).await;
    let ada = kept.served.client_with(&key);
    let mut following = ada.subscribe(Query::All, StartFrom::Beginning);
    while !matches!(following.next().await, Some(Ok(Delivery::CaughtUp(_)))) {}
    ada.append_one(event(Some("a-1"), &[], "placed")).await.expect("it may");
    assert!(following.next_event().await.expect("it is open").is_ok());
    kept.served.client_with(&kept.first).revoke_key(&id).await.expect("revoke");
    let error = following.next_event().await.expect("a reason").expect_err("it is revoked");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert!(error.to_string().contains("revoked"), "{error}");
    let error = ada.append_one(event(Some("a-1"), &[], "placed")).await.expect_err("it is revoked");
    assert_eq!(error.failed().map(factlog_core::Error::kind), Some(ErrorKind::Unauthenticated), "{error}");
    kept.served.stop().await;
}

/// Would fail if a subscription went on with the grants it began with, or were lost with them.
#[tokio::test]
async fn an_open_subscription_goes_on_with_new_grants() {
    let kept = Kept::start().await;
    let ada = kept.client("ada", &["read stream:a-"]).await;
    let mut following = ada.subscribe(Query::All, StartFrom::Beginning);
    for id in ["a-1", "b-1", "a-1"] {
        kept.store.append_one(event(Some(id), &[], "placed")).await.expect("append");
    }
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(following.next_event().await.expect("open").expect("an event"));
    }
    kept.owner()
        .set_grants(&"ada".parse().expect("a name"), Grants::parse(["read stream:b-"]).expect("grants"))
        .await
        .expect("set");
    for id in ["a-1", "b-2"] {
        kept.store.append_one(event(Some(id), &[], "placed")).await.expect("append");
    }
    seen.push(following.next_event().await.expect("open").expect("an event"));
    let seen: Vec<_> =
        seen.iter().map(|event| event.event.stream.as_ref().expect("a stream").as_str()).collect();
    assert_eq!(seen, ["a-1", "a-1", "b-2"]);
    kept.served.stop().await;
}

/// Would fail if what is left out counted, so that a page were empty where there is more.
#[tokio::test]
async fn a_limit_counts_what_may_be_read() {
    let kept = Kept::start().await;
    for n in 0..600 {
        let id = if n % 60 == 0 { "a-1" } else { "b-1" };
        kept.store.append_one(event(Some(id), &["t:1"], "placed")).await.expect("append");
    }
    let ada = kept.client("ada", &["read stream:a-"]).await;
    let query = Query::any_of([QueryItem::tagged(Tags::new(["t:1"]).expect("tags"))]).expect("a query");
    for options in [ReadOptions::default(), ReadOptions::default().backwards()] {
        let read = ada.read(query.clone(), options.limit(7)).collect().await.expect("read");
        assert_eq!(read.events.len(), 7);
        assert!(read.events.iter().all(|event| event.event.stream == Some(stream("a-1"))));
    }
    assert_eq!(ada.read(query, ReadOptions::default()).collect().await.expect("read").events.len(), 10);
    kept.served.stop().await;
}

/// Would fail if a condition told of events that may not be read, or a tracking of another's could be moved.
#[tokio::test]
async fn conditions_and_trackings_are_for_those_who_may_know() {
    let kept = Kept::start().await;
    kept.store.append_one(event(Some("b-1"), &["tenant:b"], "placed")).await.expect("append");
    let ada = kept.client("ada", &["read,append tag:tenant:a", "append stream:a-"]).await;
    let own = || event(None, &["tenant:a"], "placed");
    let tagged =
        |tag: &str| Query::any_of([QueryItem::tagged(Tags::new([tag]).expect("tags"))]).expect("a query");
    let no_stream = |id: &str| AppendCondition::revision(stream(id), ExpectedRevision::NoStream);
    let source = |source: &str| {
        Append::new([own()]).tracking(Tracking {
            source: TrackingSource::new(source).expect("a source"),
            position: Position::new(7).expect("a position"),
        })
    };
    for (append, may) in [
        (Append::new([own()]).when(AppendCondition::none_match(tagged("tenant:a"), Position::new(9))), true),
        (Append::new([own()]).when(AppendCondition::none_match(tagged("tenant:b"), None)), false),
        (Append::new([own()]).when(AppendCondition::none_match(Query::All, None)), false),
        (Append::new([own()]).when(no_stream("a-1")), true),
        (Append::new([own()]).when(no_stream("b-1")), false),
        (Append::new([own(), event(Some("a-2"), &[], "placed")]).when(no_stream("a-2")), true),
        (source("a-source"), true),
        (source("b-source"), false),
        (Append::new([own(), event(None, &["tenant:b"], "placed")]), false),
        (Append::new([event(None, &["tenant:a", "tenant:b"], "placed")]), false),
    ] {
        let shown = format!("{append:?}");
        match (ada.append(append).await, may) {
            (Ok(_), true) => {}
            (Err(AppendError::Failed(error)), false) => {
                assert_eq!(error.kind(), ErrorKind::Denied, "{shown}: {error}");
            }
            (outcome, _) => panic!("{shown}: {outcome:?}"),
        }
    }
    assert_eq!(ada.tracking("a-source").await.expect("it may"), Position::new(7));
    kept.served.stop().await;
}

/// Would fail if anybody could write, or the unprivileged read, what the server records.
#[tokio::test]
async fn the_servers_own_streams_are_its_own() {
    let kept = Kept::start().await;
    let admin = kept.served.client_with(&kept.first);
    let ada = kept.client("ada", &["read,append"]).await;
    for id in ["$server-access", "$server-audit", "$server-x"] {
        let error = admin.append_one(event(Some(id), &[], "placed")).await.expect_err(id);
        assert_eq!(error.failed().map(factlog_core::Error::kind), Some(ErrorKind::Denied), "{error}");
        assert!(ada.read_stream(stream(id)).await.expect("an empty stream").events.is_empty(), "{id}");
    }
    assert!(ada.append_one(event(Some("$process-x"), &[], "placed")).await.is_err(), "no grant names it");
    admin.append_one(event(Some("$process-x"), &[], "placed")).await.expect("admin's grants name it");
    assert_eq!(ada.read(Query::All, ReadOptions::default()).collect().await.expect("read").events.len(), 1);
    assert!(!admin.read_stream(stream("$server-access")).await.expect("read").events.is_empty());
    kept.served.stop().await;
    let audit = kept.store.read_stream(stream("$server-audit")).await.expect("read");
    let told: Vec<_> =
        audit.events.iter().map(|event| String::from_utf8_lossy(&event.event.data).into_owned()).collect();
    assert!(
        told.iter().any(|one| one.contains("append placed to stream $process-x") && one.contains("\"ada\"")),
        "{told:?}"
    );
}
