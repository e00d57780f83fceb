//! Every request, seen from outside: a span while it runs, and when it is over a line in the access log and a count.
//!
//! * Spans are of the target `factlog::request`, lines of `factlog::access`; attributes are OpenTelemetry's for HTTP and RPC.
//! * Neither holds a header, a query string, a body, or a path as it was sent: what callers make up stays out, and with it
//!   every secret. A route is told by its template.
//! * A request is over when its answer's body is, or when the caller has gone away.

mod finish;
mod method;
mod parent;
mod state;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use factlog_core::access::PrincipalName;
use tracing::{Instrument as _, Span, field::Empty};

use crate::listen::PeerAddress;
use crate::metrics::{Method, Metrics};
use finish::{Finish, Finishing};
pub(crate) use parent::TraceParent;

/// Makes a span the child of the caller's, which a valid `traceparent` names: for whoever exports spans.
pub type Adopt = fn(span: &Span, traceparent: &str);

/// What watching a request needs.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) adopt: Option<Adopt>,
}

/// Who asked, for the access log: authentication puts it into the extensions of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Principal(pub(crate) PrincipalName);

/// Watches one request from its beginning to its end.
pub(crate) async fn watch(State(watch): State<Watch>, request: Request, next: Next) -> Response {
    let method = Method::of(&request);
    let peer = peer(&request);
    let parent = TraceParent::of(request.headers());
    let span = span(&method, peer);
    if let (Some(adopt), Some(parent)) = (watch.adopt, &parent)
        && !span.is_disabled()
    {
        adopt(&span, parent.as_str());
    }
    let bytes = request_bytes(request.headers());
    let mut finish = Finish::new(watch.metrics, method, span.clone());
    finish.about(peer, parent, bytes);
    let response = next.run(request).instrument(span).await;
    finish.answered(&response);
    response.map(|body| Body::new(Finishing::new(body, finish)))
}

fn peer(request: &Request) -> Option<SocketAddr> {
    request.extensions().get::<PeerAddress>().map(|peer| peer.0)
}

/// What the caller says the body has.
fn request_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn span(method: &Method, peer: Option<SocketAddr>) -> Span {
    let client = peer.map(|peer| peer.ip().to_string());
    match method {
        Method::Grpc(name) => tracing::info_span!(
            target: "factlog::request",
            parent: None::<tracing::Id>,
            "rpc",
            otel.name = name,
            otel.kind = "server",
            otel.status_code = Empty,
            error.type = Empty,
            rpc.system.name = "grpc",
            rpc.method = name,
            rpc.response.status_code = Empty,
            client.address = client,
        ),
        Method::Http(verb, _) => tracing::info_span!(
            target: "factlog::request",
            parent: None::<tracing::Id>,
            "http",
            otel.name = %method,
            otel.kind = "server",
            otel.status_code = Empty,
            error.type = Empty,
            http.request.method = verb,
            http.route = method.template(),
            http.response.status_code = Empty,
            client.address = client,
        ),
    }
}
