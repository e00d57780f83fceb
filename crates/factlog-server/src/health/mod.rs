//! Whether the server is well: alive, ready to append and read, and how its projections are.
//!
//! * Ready means tried: an append goes through the store's writer under a condition that cannot hold, so that nothing is
//!   written, and whatever would refuse a real one refuses it.
//! * Who is not known learns the status only. Why it is not ready stands in the log.

mod projections;
mod ready;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

pub use projections::{ProjectionHealth, ProjectionsHealth};
pub(crate) use projections::{Projections, projections};
pub(crate) use ready::{Readiness, ready};

use crate::http::json_type;

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, json_type(), body.to_string()).into_response()
}

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> Response {
    answer(StatusCode::OK, &json!({ "status": "live" }))
}
