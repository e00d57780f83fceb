//! Read models that run beside the server, as their program tells of them: `GET /health/projections`, and over gRPC
//! `ListProjections`.
//!
//! They never make the server unready: a lagging read model is no reason to restart what serves the log.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use factlog_core::{BoxFuture, Position, ProjectionInfo, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::spec::{names, params, refusals};
use crate::http::{Api, Params, Problem, json};

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
    /// When that last moved, or was seen to be the head; `None` where it is not known.
    pub advanced_at: Option<Timestamp>,
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
        let lag = Duration::ZERO;
        Self { name, state, applied: None, advanced_at: None, lag_events: 0, lag, parked: 0, problem: None }
    }

    fn told(self, max_lag: Duration) -> ProjectionInfo {
        ProjectionInfo {
            well: self.problem.is_none() && self.lag <= max_lag,
            name: self.name,
            state: self.state,
            applied: self.applied,
            advanced_at: self.advanced_at,
            lag_events: self.lag_events,
            lag: self.lag,
            parked: self.parked,
            problem: self.problem,
        }
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

    /// How they are if one may be so far behind, by default as far as the program says; `None` where it says nothing in time.
    pub(crate) async fn told(&self, max_lag: Option<Duration>) -> (Duration, Option<Vec<ProjectionInfo>>) {
        let max_lag = max_lag.unwrap_or(self.max_lag);
        let told = tokio::time::timeout(PATIENCE, self.ask()).await.ok();
        (max_lag, told.map(|all| all.into_iter().map(|one| one.told(max_lag)).collect()))
    }
}

/// How all of them are.
#[derive(Serialize, ToSchema)]
pub(crate) struct AllProjections {
    /// `no answer`: their program has not said how they are
    #[schema(value_type = String, pattern = "^(well|not well|no answer)$")]
    status: &'static str,
    /// How far behind one may be
    max_lag_seconds: u64,
    projections: Vec<Projection>,
}

/// A read model.
#[derive(Serialize, ToSchema)]
pub(crate) struct Projection {
    name: String,
    /// What it is doing
    state: String,
    /// Whether it does what it should and is not too far behind
    well: bool,
    /// Every event up to here is in it
    #[schema(value_type = Option<names::Position>, required = true)]
    applied: Option<u64>,
    /// When that last moved, or was seen to be the head; `null` where it is not known
    #[schema(value_type = Option<names::Time>, required = true)]
    advanced_at: Option<String>,
    /// Positions between that and the head
    lag_events: u64,
    /// How long the first event that is not in it has been recorded
    lag_seconds: f64,
    /// Keys that stand still because one of their events failed
    parked: u64,
    /// Why it does not do what it should
    #[schema(required = true)]
    problem: Option<String>,
}

impl From<ProjectionInfo> for Projection {
    fn from(info: ProjectionInfo) -> Self {
        Self {
            name: info.name,
            state: info.state,
            well: info.well,
            applied: info.applied.map(Position::get),
            advanced_at: info.advanced_at.map(|time| time.to_string()),
            lag_events: info.lag_events,
            lag_seconds: info.lag.as_secs_f64(),
            parked: info.parked,
            problem: info.problem,
        }
    }
}

/// How the projections beside this server are
#[utoipa::path(get, path = "/health/projections", operation_id = "projections", tag = "about", params(params::Lagging),
    responses(
        (status = 200, description = "All do what they should, none is too far behind", body = AllProjections),
        refusals::Seen,
        (status = 503, description = "One does not, is too far behind, or nobody says", body = AllProjections),
    ))]
pub(crate) async fn projections(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let params = Params::parse(request.uri().query(), &["max_lag_seconds"])?;
    let max_lag = params.parsed::<u32>("max_lag_seconds")?;
    let max_lag = max_lag.map(|seconds| Duration::from_secs(seconds.into()));
    let (max_lag, told) = api.projections.told(max_lag).await;
    let well = told.as_ref().map(|all| all.iter().all(|one| one.well));
    let (code, status) = match well {
        Some(true) => (StatusCode::OK, "well"),
        Some(false) => (StatusCode::SERVICE_UNAVAILABLE, "not well"),
        None => (StatusCode::SERVICE_UNAVAILABLE, "no answer"),
    };
    let projections = told.into_iter().flatten().map(Into::into).collect();
    let all = AllProjections { status, max_lag_seconds: max_lag.as_secs(), projections };
    Ok((code, json(&all)).into_response())
}
