//! Whether the server is well: alive, ready to append and read, and how its projections are.
//!
//! * Ready means tried: an append goes through the store's writer under a condition that cannot hold, so that nothing is
//!   written, and whatever would refuse a real one refuses it.
//! * Who is not known learns the status only. Why it is not ready stands in the log.

pub(crate) mod projections;
pub(crate) mod ready;

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use projections::Projections;
pub use projections::{ProjectionHealth, ProjectionsHealth};
pub(crate) use ready::Readiness;

use crate::http::json;
use crate::http::spec::refusals;

/// That the process answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Live {
    #[schema(value_type = String, pattern = "^live$")]
    status: &'static str,
}

/// Whether the process answers
#[utoipa::path(get, path = "/health/live", operation_id = "live", tag = "about", security(()), responses(
    (status = 200, description = "It does", body = Live), refusals::Open,
))]
pub(crate) async fn live() -> Response {
    json(&Live { status: "live" })
}
