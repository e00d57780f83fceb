//! Callers that are gone before the store has answered.

use std::sync::Arc;
use std::time::Duration;

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, EventStore, EventStream, Head, MemoryStore, Position, Query,
    ReadOptions, Result, StartFrom, Subscription, Timestamp,
};
use factlog_proto::v1;
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use factlog_server::Server;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::ages::numbered;
use crate::served::{Served, runtime};
use crate::web::get;

const PATIENCE: Duration = Duration::from_secs(60);

/// A store that answers no append, and no question for a tracking, until it is told to.
#[derive(Debug)]
pub(crate) struct Silent {
    store: MemoryStore,
    told: watch::Receiver<bool>,
}

impl Silent {
    /// The store, and what tells it.
    pub(crate) fn new() -> (Arc<Self>, watch::Sender<bool>) {
        let (tell, told) = watch::channel(false);
        (Arc::new(Self { store: MemoryStore::new(), told }), tell)
    }

    async fn silence(&self) {
        // Whoever could tell it may be gone; then it may as well answer.
        let _ = self.told.clone().wait_for(|told| *told).await;
    }
}

impl EventStore for Silent {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            self.silence().await;
            self.store.append(append).await
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        self.store.read(query, options)
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        self.store.subscribe(query, from)
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.store.head()
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        let source = source.to_owned();
        Box::pin(async move {
            self.silence().await;
            self.store.tracking(&source).await
        })
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.store.position_at(time)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.store.close()
    }
}

/// A number that the server tells.
async fn metric(served: &Served, name: &str) -> u64 {
    let metrics = get(served.address, "/metrics").await.body;
    let told = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    told.expect("the metric").parse().expect("a number")
}

async fn until(served: &Served, name: &str, wanted: fn(u64) -> bool) {
    let reached = async {
        while !wanted(metric(served, name).await) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("in time");
}

/// Would fail if an append that a session had begun were given up with its caller: of two that were sent in order, the
/// second could be there without the first.
#[test]
fn what_a_session_has_begun_is_finished_without_its_caller() {
    runtime().block_on(async {
        let (store, tell) = Silent::new();
        let served = Served::start_server(Server::new(store)).await;
        let mut grpc =
            EventStoreServiceClient::connect(format!("http://{}", served.address)).await.expect("connect");
        let (requests, mut outgoing) = tokio::sync::mpsc::channel(1);
        let outgoing = futures_util::stream::poll_fn(move |context| outgoing.poll_recv(context));
        let answers = grpc.append_session(outgoing).await.expect("a session").into_inner();
        let append = Some(numbered(0).into());
        requests
            .send(v1::AppendSessionRequest { number: 1, append, writer: None })
            .await
            .expect("it is open");
        until(&served, "factlog_requests_held_bytes", |held| 0 < held).await;
        drop((requests, answers, grpc));
        until(&served, "factlog_connections", |open| open == 1).await;
        tell.send(true).expect("the store listens");
        until(&served, "factlog_requests_held_bytes", |held| held == 0).await;
        assert_eq!(metric(&served, "factlog_log_head_position").await, 1, "it is written");
        served.stop().await;
    });
}

/// Would fail if an append whose caller has given it up were counted nowhere: no alert would tell of a store that does not
/// answer, as long as its callers are less patient than it is slow.
#[test]
fn an_append_that_is_given_up_counts_as_indeterminate() {
    const INDETERMINATE: &str = "factlog_append_events_total{result=\"indeterminate\"}";
    runtime().block_on(async {
        let (store, tell) = Silent::new();
        let served = Served::start_server(Server::new(store)).await;
        let mut grpc =
            EventStoreServiceClient::connect(format!("http://{}", served.address)).await.expect("connect");
        let mut impatient = tonic::Request::new(v1::AppendRequest::from(numbered(0)));
        impatient.set_timeout(Duration::from_millis(50));
        grpc.append(impatient).await.expect_err("its deadline passes");
        until(&served, INDETERMINATE, |events| events == 1).await;

        let mut caller = TcpStream::connect(served.address).await.expect("connect");
        let body = r#"[{"type":"a"},{"type":"b"}]"#;
        let head = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length:";
        caller.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.expect("send");
        let begun = async {
            // An append that waits listens for itself.
            while tell.receiver_count() < 2 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, begun).await.expect("it comes to the store");
        assert_eq!(metric(&served, INDETERMINATE).await, 1, "it waits");
        drop(caller);
        until(&served, INDETERMINATE, |events| events == 3).await;
        assert_eq!(metric(&served, "factlog_append_duration_seconds_count").await, 2);
        served.stop().await;
    });
}
