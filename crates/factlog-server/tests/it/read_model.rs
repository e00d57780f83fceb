//! A read model of the framework beside the server: what `/health/projections` tells of a real one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use factlog::projection::{Operations, ProjectionState};
use factlog::{App, Event, OnTimeout, Position, Projection, Recorded};
use factlog_core::{BoxFuture, MemoryStore};
use factlog_server::{ProjectionHealth, ProjectionsHealth, Server};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::served::{Served, runtime};
use crate::web::{get, post};

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "counter.raised", tags(counter = counter))]
struct Raised {
    counter: u64,
}

struct Counters;

impl Projection for Counters {
    type Event = Raised;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "counters";

    fn keys(&self, event: &Recorded<Raised>) -> Vec<u64> {
        vec![event.event.counter]
    }

    fn apply(&self, _: &u64, count: Option<u64>, _: &Recorded<Raised>) -> Option<u64> {
        Some(count.unwrap_or(0) + 1)
    }
}

/// What a program writes to tell of its projections.
struct Watched(Vec<Operations>);

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|one| one.status().name)).finish()
    }
}

impl ProjectionsHealth for Watched {
    fn projections(&self) -> BoxFuture<'_, Vec<ProjectionHealth>> {
        Box::pin(async {
            let mut all = Vec::new();
            for operations in &self.0 {
                let (status, lag) = (operations.status(), operations.lag().await);
                let (state, problem) = match &status.state {
                    ProjectionState::Failed(error) => ("failed", Some(error.to_string())),
                    ProjectionState::Stopped => ("stopped", Some("it was stopped".to_owned())),
                    ProjectionState::Stalled { since } => ("stalled", Some(format!("since {since}"))),
                    ProjectionState::Waiting(error) => ("waiting", Some(error.to_string())),
                    ProjectionState::Paused => ("paused", None),
                    _ => ("running", None),
                };
                let mut health = ProjectionHealth::new(status.name, state);
                (health.applied, health.parked, health.problem) = (status.applied, status.parked, problem);
                health.advanced_at = status.advanced_at;
                match lag {
                    Ok(lag) => (health.lag_events, health.lag) = (lag.events, lag.time),
                    Err(error) => health.problem = Some(error.to_string()),
                }
                all.push(health);
            }
            all
        })
    }
}

/// Would fail if what the framework knows of a read model could not be told, or a standing one passed for a live one.
#[test]
fn a_read_model_is_told_as_it_is() {
    runtime().block_on(async {
        let store = Arc::new(MemoryStore::new());
        let app = App::new(store.clone());
        let counters = app.project(Counters).in_memory().start().expect("start");
        let watched = Watched(vec![counters.operations().clone()]);
        let server = Server::new(store).projections(Arc::new(watched), Duration::from_secs(3_600));
        let served = Served::start_server(server).await;
        let raise = async || {
            let raised = r#"{"type":"counter.raised","tags":["counter:1"],"data":{"counter":1}}"#;
            assert_eq!(post(served.address, "/v1/events", &[], raised).await.status, 201);
        };
        let reached = async |position| {
            let wanted = Position::new(position).expect("above 0");
            counters.at_least(wanted, Duration::from_secs(20), OnTimeout::Error).await.expect("it is live");
        };
        let told = async |query: &str| {
            let answer = get(served.address, &format!("/health/projections{query}")).await;
            (answer.status, answer.json()["projections"][0].clone())
        };
        raise().await;
        reached(1).await;
        let (status, first) = told("?max_lag_seconds=0").await;
        assert_eq!((status, &first["name"], &first["applied"]), (200, &json!("counters"), &json!(1)));
        let advanced = async || {
            let text = get(served.address, "/metrics").await.body;
            let line = text.lines().find(|line| line.starts_with("factlog_projection_last_advance"));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        };
        let looked = async {
            while advanced().await.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), looked)
            .await
            .expect("it looks at the log every second");
        assert!(advanced().await.is_some_and(|time| 1.7e9 < time), "seconds since 1970");
        counters.operations().pause().await.expect("pause");
        raise().await;
        let (status, paused) = told("").await;
        assert_eq!((status, &paused["state"], &paused["lag_events"]), (200, &json!("paused"), &json!(1)));
        assert_eq!(told("?max_lag_seconds=0").await.0, 503, "it has waited for longer than no time");
        counters.operations().resume().await.expect("resume");
        reached(2).await;
        assert_eq!(told("?max_lag_seconds=0").await.0, 200);
        counters.stop().await.expect("stop");
        let (status, stopped) = told("").await;
        assert_eq!((status, &stopped["state"]), (503, &json!("stopped")));
        assert_ne!(stopped["problem"], Value::Null);
        served.stop().await;
    });
}
