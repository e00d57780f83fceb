//! The layer that every request passes: who asks?
//!
//! `authorization: Bearer KEY` says it, over gRPC as over HTTP. Only whether the server is well is told to everybody.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use factlog_core::Error;
use tonic::transport::server::TcpConnectInfo;

use super::caller::Caller;
use super::gate::Gate;
use crate::http::{Problem, is_grpc};

/// What everybody may ask.
const OPEN_PATHS: [&str; 4] =
    ["/health/live", "/health/ready", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];

/// Puts the caller into the request, or refuses it.
pub(crate) async fn authenticate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if OPEN_PATHS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match caller(&gate, request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(why) => {
            let peer = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
            gate.audit.unauthenticated(peer.map(|peer| peer.ip()), why);
            refuse(request.headers(), why)
        }
    }
}

fn caller(gate: &Gate, headers: &HeaderMap) -> Result<Caller, &'static str> {
    let Some(access) = &gate.access else { return Ok(Caller::anybody()) };
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let value = shown.next().ok_or("no key was shown; send `authorization: Bearer KEY`")?;
    if shown.next().is_some() {
        return Err("two credentials were shown; send one");
    }
    let text =
        value.to_str().ok().and_then(bearer).ok_or("the credential is none of the form `Bearer KEY`")?;
    Caller::with_key(access, text).ok_or("the key is not good: it is mistyped, unknown, expired or revoked")
}

/// The token of a value whose scheme is `Bearer` in whatever case (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refuse(headers: &HeaderMap, why: &'static str) -> Response {
    if is_grpc(headers) {
        return crate::answers::refuse(Error::unauthenticated(why)).into_http::<axum::body::Body>();
    }
    let mut response = Problem::from(Error::unauthenticated(why)).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
