//! The contract over HTTP and JSON, on the port of gRPC: for browsers, scripts and languages without stubs.
//!
//! * It adds no promise and takes none away: an append is the store's, a page is from one snapshot, a subscription goes on
//!   after the last id.
//! * A body is read whole, 96 MiB at most; a page ends after 1,000 events or 4 MiB; a follower costs 64 KiB or one event.
//! * Whatever is wrong with a request is a problem of RFC 9457 from the table of errors; nothing is passed over in silence.
//! * Only requests of this machine that name it are answered, while there is no authentication (`guard`).
//!
//! `docs/http.md` is its reference, decision 0018 says why it is so.

mod app;
mod append;
mod body;
mod conditions;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod grants;
mod guard;
mod ids;
mod json;
mod keys;
mod known;
mod lists;
mod params;
mod problem;
mod read;
pub(crate) mod spec;
mod subscribe;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::watch;
use tonic::Status;
use tonic::service::Routes;
use utoipa_axum::routes;

pub(crate) use append::json;
pub(crate) use guard::is_grpc;
pub(crate) use ids::namespace;
pub(crate) use params::Params;
pub use problem::Problem;
use spec::Table;

use crate::access::{Gate, authenticate};
use crate::deadline;
use crate::health::{self, Projections, Readiness};
use crate::metrics::{Metrics, scrape};
use crate::program::Program;
use crate::trace::{self, Watch};

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) gate: Gate,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) projections: Projections,
    /// What runs beside the store.
    pub(crate) programs: Arc<[Arc<dyn Program>]>,
}

/// Every route there is, with its description.
fn table() -> Table {
    Table::new()
        .with(routes!(append::to_log, read::of_log))
        .with(routes!(append::to_stream, read::of_stream))
        .with(routes!(lists::streams))
        .with(routes!(lists::types))
        .with(routes!(lists::head))
        .with(routes!(subscribe::subscribe))
        .with(routes!(keys::list, keys::create))
        .with(routes!(keys::revoke))
        .with(routes!(keys::rotate))
        .with(routes!(grants::list))
        .with(routes!(grants::set))
        .with(routes!(grants::whoami))
        .with(routes!(grants::can_i))
        .with(routes!(spec::openapi))
        .with(routes!(health::live))
        .with(routes!(health::ready::ready))
        .with(routes!(health::projections::projections))
        .with(routes!(scrape::metrics))
}

/// The routes of gRPC and these, behind one guard.
pub(crate) fn beside(grpc: Routes, api: Api, watch: Watch) -> Routes {
    let authenticated = api.gate.authenticates();
    let authentication = from_fn_with_state(api.gate.clone(), authenticate);
    let mut routes = table().router();
    if !api.programs.is_empty() {
        routes = routes.merge(app::table().router());
    }
    let http =
        routes.method_not_allowed_fallback(wrong_method).layer(map_response(for_browsers)).with_state(api);
    let routes = grpc.into_axum_router().merge(http).fallback(nothing_here).layer(authentication);
    let routes = routes.layer(from_fn_with_state(authenticated, guard::guard)).layer(from_fn(deadline::hold));
    // Outermost, so that what is refused is seen as well.
    routes.layer(from_fn_with_state(watch, trace::watch)).into()
}

/// Logs grow, so that an answer of a moment ago is not to be given again by a cache; and an event is no script.
async fn for_browsers(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn wrong_method(request: Request) -> Problem {
    let what = format!("{} is not what {} takes", request.method(), request.uri().path());
    Problem::invalid(what).status(StatusCode::METHOD_NOT_ALLOWED)
}

async fn nothing_here(request: Request) -> Response {
    if is_grpc(request.headers()) {
        return Status::unimplemented("").into_http::<axum::body::Body>();
    }
    no_such_path(request.uri().path()).into_response()
}

fn no_such_path(path: &str) -> Problem {
    Problem::not_found(format!("there is nothing at {path}; docs/http.md lists what there is"))
}
