//! Connections that are cut, delayed, held and repeated while appends, reads and subscriptions run: no event is lost
//! or doubled, what was refused is not there, and subscribers see all of it once, in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use factlog_client::RemoteStore;
use factlog_core::{
    Administration, Append, AppendCondition, AppendError, Delivery, Event, EventId, EventStore,
    EventStoreExt as _, EventType, ExpectedRevision, MemoryStore, Query, QueryItem, ReadOptions,
    RecordedEvent, Revision, StartFrom, StreamId, Tags,
};
use factlog_engine::{Engine, Settings};
use factlog_server::{Access, ClientCertificates};
use tokio::task::JoinSet;

use crate::certificates::Authority;
use crate::proxy::Proxy;
use crate::served::{Served, client_of, runtime};

const WRITERS: u64 = 4;

/// Appends of each of seven writers: 200, or as many as `FACTLOG_TORN_APPENDS` says, for a longer look.
fn appends() -> u64 {
    std::env::var("FACTLOG_TORN_APPENDS").map_or(200, |count| count.parse().expect("a number of appends"))
}

fn event(stream: &str, tag: &str) -> Event {
    Event::new(EventType::new("counted").expect("a type"), vec![b'.'; 1024])
        .in_stream(StreamId::new(stream).expect("a stream"))
        .tagged(Tags::new([tag]).expect("a tag"))
}

fn expect(stream: &str, expected: ExpectedRevision) -> AppendCondition {
    AppendCondition::revision(StreamId::new(stream).expect("a stream"), expected)
}

/// Appends to a stream of its own, each where the last one was; answers the ids.
async fn write_alone(store: RemoteStore, writer: u64) -> Vec<EventId> {
    let stream = format!("own-{writer}");
    let mut ids = Vec::new();
    for n in 0..appends() {
        let event = event(&stream, if n % 5 == 0 { "rare" } else { "usual" });
        ids.push(event.id);
        let expected = n
            .checked_sub(1)
            .map_or(ExpectedRevision::NoStream, |last| ExpectedRevision::At(Revision::new(last)));
        let appended = store.append(Append::new([event]).when(expect(&stream, expected))).await;
        let appended = appended.expect("nobody else writes to this stream, and retries bridge what is torn");
        assert_eq!(appended.revisions[0].revision, Revision::new(n));
    }
    store.close().await.expect("close");
    ids
}

/// Appends to a stream all write to; answers the ids that were acknowledged and those that lost.
async fn write_against_others(store: RemoteStore) -> (Vec<EventId>, Vec<EventId>) {
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    let mut expected = ExpectedRevision::NoStream;
    for _ in 0..appends() {
        let event = event("shared-1", "usual");
        let id = event.id;
        match store.append(Append::new([event]).when(expect("shared-1", expected))).await {
            Ok(appended) => {
                won.push(id);
                expected = ExpectedRevision::At(appended.revisions[0].revision);
            }
            Err(AppendError::Conflict(conflict)) => {
                lost.push(id);
                let factlog_core::FailedCondition::Revision { actual: Some(actual), .. } = conflict.failed[0]
                else {
                    panic!("{conflict}");
                };
                // One too high now and then: a late copy of this append could still succeed later.
                expected = ExpectedRevision::At(if id.as_bytes()[15].is_multiple_of(4) {
                    actual.next()
                } else {
                    actual
                });
            }
            Err(AppendError::Failed(error)) => panic!("retries bridge what is torn: {error}"),
        }
    }
    (won, lost)
}

/// Many appends under way at once, in the order of calls.
async fn write_many_at_once(store: RemoteStore) -> Vec<EventId> {
    let events: Vec<_> = (0..appends()).map(|_| event("many-1", "usual")).collect();
    let ids = events.iter().map(|event| event.id).collect();
    let appends = events.into_iter().map(|event| store.append(Append::new([event])));
    for outcome in futures_util::future::join_all(appends).await {
        outcome.expect("retries bridge what is torn");
    }
    ids
}

/// Follows until it has seen so many events.
async fn follow(url: String, query: Query, count: usize) -> (Vec<RecordedEvent>, u64) {
    let store = client_of(&url);
    let mut subscription = store.subscribe(query, StartFrom::Beginning);
    let mut seen = Vec::new();
    let mut caught_up = None;
    while seen.len() < count {
        match subscription.next().await.expect("it does not end").expect("it resumes") {
            Delivery::Event(event) => {
                assert!(
                    caught_up < Some(event.position),
                    "after CaughtUp({caught_up:?}): {}",
                    event.position
                );
                seen.push(event);
            }
            Delivery::CaughtUp(head) => {
                assert!(caught_up < head || head.is_none(), "{head:?} after {caught_up:?}");
                caught_up = head;
            }
        }
    }
    (seen, store.resumed())
}

async fn torn(behind: Arc<dyn Administration>, served: Served, seed: u64) {
    // A few appends of 1 KiB each pass over one connection; or two batches of 64 KiB.
    let proxy = Proxy::start(served.address, 40_000, seed).await;
    let wider = Proxy::start(served.address, 150_000, seed).await;
    let remote = || client_of(&served.url(proxy.address, "?deadline=540s"));
    let wide = || served.url(wider.address, "?deadline=540s");

    let rare = Query::any_of([QueryItem::tagged(Tags::new(["rare"]).expect("a tag"))]).expect("a query");
    let rare_count = (WRITERS * appends().div_ceil(5)) as usize;
    let follow_rare = tokio::spawn(follow(wide(), rare.clone(), rare_count));
    let own = Query::category(factlog_core::Category::new("own").expect("a category"));
    let follow_own = tokio::spawn(follow(wide(), own.clone(), (WRITERS * appends()) as usize));

    let mut alone = JoinSet::new();
    (0..WRITERS).for_each(|writer| drop(alone.spawn(write_alone(remote(), writer))));
    let mut racing = JoinSet::new();
    (0..2).for_each(|_| drop(racing.spawn(write_against_others(remote()))));
    let many = tokio::spawn(write_many_at_once(remote()));

    let mut acknowledged = many.await.expect("no panic");
    let in_order = acknowledged.clone();
    acknowledged.extend(alone.join_all().await.into_iter().flatten());
    let (won, lost): (Vec<_>, Vec<_>) = racing.join_all().await.into_iter().unzip();
    acknowledged.extend(won.into_iter().flatten());

    let (followed_own, resumed) = follow_own.await.expect("no panic");
    let (followed_rare, _) = follow_rare.await.expect("no panic");
    assert!(0 < resumed, "no subscription was torn");

    // What the proxy still holds or repeats comes before this: it is bounded by some 60 ms.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let recorded = behind.read(Query::All, ReadOptions::default()).collect().await.expect("read").events;
    let mut ids: Vec<_> = recorded.iter().map(|recorded| recorded.event.id).collect();
    let many: Vec<_> = ids.iter().filter(|id| in_order.contains(id)).copied().collect();
    assert_eq!(many, in_order, "in the order of calls");
    ids.sort_unstable();
    acknowledged.sort_unstable();
    assert!(
        lost.iter().flatten().all(|lost| ids.binary_search(lost).is_err()),
        "a lost race was written after all"
    );
    assert!(ids == acknowledged, "{} recorded, {} acknowledged", ids.len(), acknowledged.len());

    let direct = |query| behind.read(query, ReadOptions::default()).collect();
    assert_eq!(followed_own, direct(own).await.expect("read").events);
    assert_eq!(followed_rare, direct(rare).await.expect("read").events);
    // From the beginning, so that connections break between batches of events and not only at the head.
    let (followed, resumed) = follow(wide(), Query::All, recorded.len()).await;
    assert!(followed == recorded, "{} followed, {} recorded", followed.len(), recorded.len());
    assert!(0 < resumed, "the late subscription was not torn");
    let remote = client_of(&wide());
    for options in [
        ReadOptions::default(),
        ReadOptions::default().backwards(),
        ReadOptions::default().limit(appends() * 7 / 2),
    ] {
        let torn = remote.read(Query::All, options).collect().await.expect("it goes on where it was");
        assert_eq!(torn, behind.read(Query::All, options).collect().await.expect("read"));
    }
    let done = &proxy.done;
    for (what, count) in
        [("cut", &done.cut), ("answers", &done.answers_lost), ("late", &done.late), ("again", &done.again)]
    {
        assert!(3 < count.load(Ordering::Relaxed), "the proxy did too little: {what}");
    }
    assert!(remote.last_revision(StreamId::new("own-0").expect("a stream")).await.expect("read").is_some());
    served.stop().await;
}

#[test]
fn torn_connections_lose_and_double_nothing_in_memory() {
    runtime().block_on(async {
        let behind = Arc::new(MemoryStore::new());
        torn(behind.clone(), Served::start(behind).await, 7).await;
    });
}

#[test]
fn torn_connections_lose_and_double_nothing_on_the_engine() {
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::open(dir.path(), Settings::default()).expect("open");
    runtime().block_on(async {
        let behind = Arc::new(engine);
        torn(behind.clone(), Served::start(behind).await, 8).await;
    });
}

/// Would fail if TLS hid from a client that its connection was cut, or let what is sent a second time in; or if a key
/// were shown with the first connection only.
#[test]
fn torn_connections_lose_and_double_nothing_with_tls_and_keys() {
    runtime().block_on(async {
        let (behind, authority) = (Arc::new(MemoryStore::new()), Authority::new());
        let certificate = authority.server();
        let identity = (&certificate, ClientCertificates::Unasked);
        let access = Access::open(Arc::new(MemoryStore::new())).await.expect("open");
        let key = access.first_key().await.expect("a key").expect("the first").secret;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, key).expect("write");
        let secured =
            Served::secured(behind.clone(), &authority, identity, |server| server.authenticated(access));
        let mut served = secured.await;
        served.key_file = Some(file.path().to_owned());
        torn(behind, served, 9).await;
    });
}
