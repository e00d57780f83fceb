//! `GET /health/projections`: read models that run beside the server, as their program tells of them.
//!
//! They never make the server unready: a lagging read model is no reason to restart what serves the log.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use factlog_core::{BoxFuture, Position};
use serde_json::{Value, json};

use super::answer;
use crate::http::{Api, Params, Problem};

/// How long they may take to say how they are.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program's projections.
pub trait ProjectionsHealth: Debug + Send + Sync + 'static {
    /// How each of them is now.
    fn projections(&self) -> BoxFuture<'_, Vec<ProjectionHealth>>;
}

/// How one projection is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProjectionHealth {
    /// Its name: one of a few that the program has.
    pub name: String,
    /// What it is doing, in a word or two, such as `live`.
    pub state: String,
    /// Every event up to here is in it.
    pub applied: Option<Position>,
    /// Positions between that and the head.
    pub lag_events: u64,
    /// How long the first event that is not in it has been recorded.
    pub lag: Duration,
    /// Keys that stand still because one of their events failed.
    pub parked: u64,
    /// Why it does not do what it should, if so.
    pub problem: Option<String>,
}

impl ProjectionHealth {
    /// One that has applied everything.
    pub fn new(name: impl Into<String>, state: impl Into<String>) -> Self {
        let (name, state) = (name.into(), state.into());
        Self { name, state, applied: None, lag_events: 0, lag: Duration::ZERO, parked: 0, problem: None }
    }

    /// Whether it does what it should and is not further behind than that.
    fn is_well(&self, max_lag: Duration) -> bool {
        self.problem.is_none() && self.lag <= max_lag
    }

    fn json(&self, max_lag: Duration) -> Value {
        json!({
            "name": self.name, "state": self.state, "well": self.is_well(max_lag),
            "applied": self.applied.map(Position::get), "lag_events": self.lag_events,
            "lag_seconds": self.lag.as_secs_f64(), "parked": self.parked, "problem": self.problem,
        })
    }
}

/// Who is asked, and how far behind a projection may be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Projections {
    pub(crate) asked: Option<Arc<dyn ProjectionsHealth>>,
    pub(crate) max_lag: Duration,
}

impl Projections {
    /// How they are; none where there is nobody to ask.
    pub(crate) async fn ask(&self) -> Vec<ProjectionHealth> {
        match &self.asked {
            Some(asked) => asked.projections().await,
            None => Vec::new(),
        }
    }
}

/// `GET /health/projections`
pub(crate) async fn projections(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let params = Params::parse(request.uri().query(), &["max_lag_seconds"])?;
    let max_lag = params.parsed::<u32>("max_lag_seconds")?;
    let max_lag = max_lag.map_or(api.projections.max_lag, |seconds| Duration::from_secs(seconds.into()));
    let Ok(all) = tokio::time::timeout(PATIENCE, api.projections.ask()).await else {
        return Ok(answer(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({ "status": "no answer", "projections": [] }),
        ));
    };
    let well = all.iter().all(|one| one.is_well(max_lag));
    let (status, word) =
        if well { (StatusCode::OK, "well") } else { (StatusCode::SERVICE_UNAVAILABLE, "not well") };
    let all: Vec<Value> = all.iter().map(|one| one.json(max_lag)).collect();
    Ok(answer(status, &json!({ "status": word, "max_lag_seconds": max_lag.as_secs(), "projections": all })))
}
