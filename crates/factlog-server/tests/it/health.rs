//! Health: what a load balancer is told, and that it is true.

use std::sync::Arc;
use std::time::Duration;

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Error, EventStore, EventStream, Head, MemoryStore, Position,
    Query, ReadOptions, Result, StartFrom, Subscription, Timestamp,
};
use factlog_engine::{Engine, Settings};
use factlog_server::{Host, HostReport, ProjectionHealth, ProjectionsHealth, Server};
use serde_json::json;

use crate::served::{Served, runtime};
use crate::web::get;

/// A store that is read as ever, and whose appends take this long, or which takes none: as after a failed write, or with
/// damage.
#[derive(Debug)]
struct Ailing(MemoryStore, Option<Duration>);

impl EventStore for Ailing {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            let Some(time) = self.1 else { return Err(Error::closed("a write failed").into()) };
            tokio::time::sleep(time).await;
            self.0.append(append).await
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        self.0.read(query, options)
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        self.0.subscribe(query, from)
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.0.head()
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        self.0.tracking(source)
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.0.position_at(time)
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.0.close()
    }
}

#[derive(Debug)]
struct Disk(u64);

impl Host for Disk {
    fn report(&self) -> HostReport {
        let mut report = HostReport::default();
        report.disk_free_bytes = Some(self.0);
        report
    }
}

async fn readiness(server: Server) -> (u16, serde_json::Value) {
    let served = Served::start_server(server).await;
    let answer = get(served.address, "/health/ready").await;
    served.stop().await;
    (answer.status, answer.json())
}

/// Would fail if a load balancer sent appends to a server that can only refuse them, or if the head were told to anybody.
#[test]
fn ready_is_tried_and_tells_nothing_else() {
    runtime().block_on(async {
        let (ready, not_ready) = (json!({"status":"ready"}), json!({"status":"not ready"}));
        let dir = tempfile::tempdir().expect("a directory");
        let engine = Engine::open(dir.path(), Settings::default()).expect("open");
        let stores: [Arc<dyn EventStore>; 2] = [Arc::new(engine.clone()), Arc::new(MemoryStore::new())];
        for store in stores {
            assert_eq!(readiness(Server::new(store.clone())).await, (200, ready.clone()));
            let roomy = Server::new(store.clone()).on(Arc::new(Disk(1 << 30)));
            assert_eq!(readiness(roomy).await, (200, ready.clone()));
            let full = Server::new(store.clone()).on(Arc::new(Disk(1 << 20)));
            assert_eq!(readiness(full).await, (503, not_ready.clone()));
            assert_eq!(store.head().await.expect("a head").position, None, "a trial has written something");
        }
        let read_only = Server::new(Arc::new(Ailing(MemoryStore::new(), None)));
        assert_eq!(readiness(read_only).await, (503, not_ready.clone()));
        engine.close().await.expect("close");
        assert_eq!(readiness(Server::new(Arc::new(engine))).await, (503, not_ready));
    });
}

/// Would fail if many who ask at once, as anybody may, kept a load balancer waiting until it took the server out.
#[test]
fn a_flood_of_questions_shares_its_trials() {
    runtime().block_on(async {
        // A hundred trials one after the other would take twice as long as any of them waits.
        let slow = Ailing(MemoryStore::new(), Some(Duration::from_millis(100)));
        let served = Served::start_server(Server::new(Arc::new(slow))).await;
        let address = served.address;
        let asked: Vec<_> = (0..100).map(|_| tokio::spawn(get(address, "/health/ready"))).collect();
        for answer in asked {
            assert_eq!(answer.await.expect("no panic").status, 200);
        }
        served.stop().await;
    });
}

#[derive(Debug)]
struct Told(Vec<ProjectionHealth>);

impl ProjectionsHealth for Told {
    fn projections(&self) -> BoxFuture<'_, Vec<ProjectionHealth>> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

/// Would fail if a projection that has stopped, or hangs behind, went unnoticed, or took the server with it.
#[test]
fn projections_are_well_within_their_bound_and_never_make_the_server_unready() {
    runtime().block_on(async {
        let store = || Server::new(Arc::new(MemoryStore::new()));
        let served = Served::start_server(store()).await;
        let none = get(served.address, "/health/projections").await;
        assert_eq!((none.status, &none.json()["projections"]), (200, &json!([])));
        served.stop().await;
        let mut late = ProjectionHealth::new("orders", "catching up");
        (late.lag_events, late.lag, late.applied) = (70, Duration::from_secs(60), Position::new(5));
        let mut failed = ProjectionHealth::new("stock", "failed");
        failed.problem = Some("the file is gone".to_owned());
        for (told, query, status) in [
            (vec![late.clone()], "", 503),
            (vec![late.clone()], "?max_lag_seconds=60", 200),
            (vec![late.clone()], "?max_lag_seconds=59", 503),
            (vec![late.clone()], "?max_lag=59", 400),
            (vec![ProjectionHealth::new("calm", "live")], "", 200),
            (vec![ProjectionHealth::new("calm", "live"), failed], "?max_lag_seconds=60", 503),
        ] {
            let server = store().projections(Arc::new(Told(told.clone())), Duration::from_secs(30));
            let served = Served::start_server(server).await;
            let answer = get(served.address, &format!("/health/projections{query}")).await;
            assert_eq!(answer.status, status, "{query} {answer:?}");
            if status != 400 {
                let first = &answer.json()["projections"][0];
                assert_eq!(
                    (&first["name"], &first["lag_events"]),
                    (&json!(told[0].name), &json!(told[0].lag_events))
                );
            }
            let told_lag = format!("factlog_projection_lag_events{{projection=\"{}\"}}", told[0].name);
            assert!(get(served.address, "/metrics").await.body.contains(&told_lag));
            assert_eq!(get(served.address, "/health/ready").await.status, 200);
            served.stop().await;
        }
    });
}
