//! `ListProjections` over a socket: what the program says of its projections, as `GET /health/projections` tells it.

use std::sync::Arc;
use std::time::Duration;

use factlog_core::{BoxFuture, ErrorKind, MemoryStore, Position, ProjectionInfo, Timestamp};
use factlog_server::{Access, ProjectionHealth, ProjectionsHealth, Server};
use serde_json::{Value, json};

use crate::served::{Served, runtime};
use crate::web::{get, send};

#[derive(Debug)]
struct Told(Vec<ProjectionHealth>);

impl ProjectionsHealth for Told {
    fn projections(&self) -> BoxFuture<'_, Vec<ProjectionHealth>> {
        Box::pin(std::future::ready(self.0.clone()))
    }
}

/// One that is well, one that is behind and one that has failed, in this order.
fn told() -> Arc<Told> {
    let mut late = ProjectionHealth::new("orders", "catching up");
    (late.lag_events, late.lag) = (70, Duration::from_millis(45_250));
    (late.applied, late.parked) = (Position::new(5), 2);
    late.advanced_at = Some(Timestamp::from_micros(1_700_000_000_500_000));
    let mut failed = ProjectionHealth::new("stock", "failed");
    failed.problem = Some("the file is gone".to_owned());
    Arc::new(Told(vec![ProjectionHealth::new("calm", "live"), late, failed]))
}

/// What HTTP says of this one.
fn as_json(info: &ProjectionInfo) -> Value {
    json!({
        "name": info.name, "state": info.state, "well": info.well, "applied": info.applied.map(Position::get),
        "advanced_at": info.advanced_at.map(|time| time.to_string()), "lag_events": info.lag_events,
        "lag_seconds": info.lag.as_secs_f64(), "parked": info.parked, "problem": info.problem,
    })
}

fn wells(told: &[ProjectionInfo]) -> Vec<bool> {
    told.iter().map(|info| info.well).collect()
}

/// Would fail if one who asks over gRPC learned something else than one who asks over HTTP, or a bound were not heeded.
#[test]
fn both_ways_tell_the_same_of_every_projection() {
    runtime().block_on(async {
        // A store without lists and numbers: this call needs none.
        let server = Server::new(Arc::new(MemoryStore::new())).projections(told(), Duration::from_secs(30));
        let served = Served::start_server(server).await;
        let client = served.client("");
        let all = client.projections(None).await.expect("it is told");
        assert_eq!(wells(&all), [true, false, false]);
        assert_eq!(all[1].applied, Position::new(5));
        assert_eq!(all[1].lag, Duration::from_millis(45_250));
        assert_eq!(all[1].advanced_at, Some(Timestamp::from_micros(1_700_000_000_500_000)));
        assert_eq!(all[2].problem.as_deref(), Some("the file is gone"));
        let over_http = get(served.address, "/health/projections").await;
        assert_eq!(over_http.json()["projections"], Value::from_iter(all.iter().map(as_json)));
        assert_eq!(over_http.json()["projections"][1]["advanced_at"], "2023-11-14T22:13:20.5Z");
        for (max_lag, well) in [(45_250, true), (45_249, false), (0, false)] {
            let all = client.projections(Some(Duration::from_millis(max_lag))).await.expect("it is told");
            assert_eq!(wells(&all), [true, well, false], "{max_lag} ms");
        }
        served.stop().await;
    });
}

/// Would fail if a server without projections looked like one that does not know.
#[test]
fn a_server_without_projections_answers_that_there_are_none() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        assert_eq!(served.client("").projections(None).await.expect("known"), []);
        served.stop().await;
    });
}

/// Would fail if somebody unknown were told anything, or one without grants less than over HTTP.
#[test]
fn whoever_shows_a_good_key_is_told_and_nobody_else() {
    runtime().block_on(async {
        let store = Arc::new(MemoryStore::new());
        let access = Access::open(store.clone()).await.expect("open");
        let owner = access.clone().as_owner();
        let key = async |name: &str| {
            let principal = name.parse().expect("a name");
            let grants = Some(factlog_core::access::Grants::parse([]).expect("no grants"));
            let new = factlog_core::access::NewKey { principal, grants, expires_at: None };
            owner.create_key(new).await.expect("a key")
        };
        let (nobody, gone) = (key("nobody").await, key("gone").await);
        owner.revoke_key(&gone.info.id).await.expect("revoke");
        let served = Served::start_with(store, |server| {
            server.authenticated(access.clone()).projections(told(), Duration::from_secs(30))
        })
        .await;
        let without = served.client("").projections(None).await.expect_err("refused");
        assert_eq!(without.kind(), ErrorKind::Unauthenticated, "{without}");
        let revoked = served.client_with(&gone.secret).projections(None).await.expect_err("refused");
        assert_eq!(revoked.kind(), ErrorKind::Unauthenticated, "{revoked}");
        for error in [without, revoked] {
            assert!(!error.to_string().contains("orders"), "{error}");
        }
        let all = served.client_with(&nobody.secret).projections(None).await.expect("it is told");
        let bearer = format!("authorization: Bearer {}", nobody.secret);
        let over_http = send(served.address, "GET /health/projections", &[&bearer], "").await;
        assert_eq!(over_http.json()["projections"], Value::from_iter(all.iter().map(as_json)));
        assert_eq!(all.len(), 3);
        served.stop().await;
    });
}
