//! Read models of this program, as `GET /health/projections` and `ListProjections` tell of them.

use std::fmt;
use std::sync::Arc;

use factlog_app::projection::{Operations, ProjectionState};
use factlog_core::BoxFuture;
use factlog_server::{ProjectionHealth, ProjectionsHealth};

/// How these read models are, for [`Server::projections`](factlog_server::Server::projections).
pub fn health<'a>(models: impl IntoIterator<Item = &'a Operations>) -> Arc<dyn ProjectionsHealth> {
    Arc::new(Models(models.into_iter().cloned().collect()))
}

struct Models(Vec<Operations>);

impl ProjectionsHealth for Models {
    fn projections(&self) -> BoxFuture<'_, Vec<ProjectionHealth>> {
        Box::pin(async {
            let mut all = Vec::new();
            for model in &self.0 {
                all.push(told(model).await);
            }
            all
        })
    }
}

async fn told(model: &Operations) -> ProjectionHealth {
    let status = model.status();
    let (state, problem) = match &status.state {
        ProjectionState::CatchingUp => ("catching up", None),
        ProjectionState::Live => ("live", None),
        ProjectionState::Rebuilding => ("rebuilding", None),
        ProjectionState::Paused => ("paused", None),
        ProjectionState::Stalled { since } => {
            ("stalled", Some(format!("it has passed no event since {since}")))
        }
        ProjectionState::Waiting(error) => ("waiting", Some(error.to_string())),
        ProjectionState::Failed(error) => ("failed", Some(error.to_string())),
        ProjectionState::Stopped => ("stopped", Some("it was stopped".to_owned())),
        other => ("unknown", Some(format!("{other:?}"))),
    };
    let mut health = ProjectionHealth::new(status.name, state);
    (health.applied, health.parked, health.problem) = (status.applied, status.parked, problem);
    health.advanced_at = status.advanced_at;
    match model.lag().await {
        Ok(lag) => (health.lag_events, health.lag) = (lag.events, lag.time),
        Err(error) => health.problem = Some(error.to_string()),
    }
    health
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|model| model.status().name)).finish()
    }
}
