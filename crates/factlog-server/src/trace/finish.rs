//! The end of a request: when its answer's body has ended, or nobody waits for it any more.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::response::Response;
use factlog_core::access::PrincipalName;
use http_body::{Body as _, Frame, SizeHint};
use tracing::Span;

use super::{Principal, TraceParent};
use crate::metrics::{Code, Labels, Method, Metrics, Stopwatch};

/// What is known of a request so far. Dropping it says so: that is its end.
#[derive(Debug)]
pub(super) struct Finish {
    metrics: Arc<Metrics>,
    method: Method,
    span: Span,
    started: Stopwatch,
    peer: Option<SocketAddr>,
    parent: Option<TraceParent>,
    principal: Option<PrincipalName>,
    request_bytes: Option<u64>,
    response_bytes: u64,
    code: Code,
    /// Whether all of the answer was taken.
    whole: bool,
}

impl Finish {
    pub(super) fn new(metrics: Arc<Metrics>, method: Method, span: Span) -> Self {
        let (peer, parent, principal) = (None, None, None);
        let (request_bytes, response_bytes) = (None, 0);
        let (code, whole) = (Code::Cancelled, false);
        let started = Stopwatch::start();
        Self {
            metrics,
            method,
            span,
            started,
            peer,
            parent,
            principal,
            request_bytes,
            response_bytes,
            code,
            whole,
        }
    }

    pub(super) fn about(
        &mut self,
        peer: Option<SocketAddr>,
        parent: Option<TraceParent>,
        bytes: Option<u64>,
    ) {
        (self.peer, self.parent, self.request_bytes) = (peer, parent, bytes);
    }

    /// The answer's head is there.
    pub(super) fn answered(&mut self, response: &Response) {
        self.principal = response.extensions().get::<Principal>().map(|principal| principal.0.clone());
        match self.method {
            Method::Http(..) => self.code = Code::Http(response.status().as_u16()),
            Method::Grpc(_) => self.status(response.headers()),
        }
    }

    /// The status of gRPC, which stands in the head or in the trailers.
    fn status(&mut self, headers: &HeaderMap) {
        let status = headers.get("grpc-status").and_then(|status| status.to_str().ok()?.parse().ok());
        self.code = status.map_or(self.code, Code::Grpc);
    }

    fn record(&self) {
        let logged = tracing::enabled!(target: "factlog::access", tracing::Level::INFO);
        if self.span.is_disabled() && !logged {
            return;
        }
        let code = self.code.to_string();
        let failed = match self.code {
            Code::Http(status) => 500 <= status,
            // Of OpenTelemetry's list for servers: what is the server's fault.
            Code::Grpc(code) => matches!(code, 2 | 4 | 12 | 13 | 14 | 15),
            Code::Cancelled => false,
        };
        if failed {
            self.span.record("otel.status_code", "ERROR");
            self.span.record("error.type", code.as_str());
        }
        match self.code {
            Code::Http(status) => self.span.record("http.response.status_code", i64::from(status)),
            Code::Grpc(_) | Code::Cancelled => self.span.record("rpc.response.status_code", code.as_str()),
        };
        tracing::info!(
            target: "factlog::access",
            parent: None::<tracing::Id>,
            protocol = self.method.protocol(),
            method = Some(self.method.verb()).filter(|verb| !verb.is_empty()),
            route = self.method.template(),
            code,
            whole = self.whole,
            seconds = self.started.elapsed().as_secs_f64(),
            request_bytes = self.request_bytes,
            response_bytes = self.response_bytes,
            peer = self.peer.map(tracing::field::display),
            principal = self.principal.as_ref().map(PrincipalName::as_str),
            trace_id = self.parent.as_ref().map(TraceParent::trace_id),
        );
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        self.record();
        let labels =
            Labels { protocol: self.method.protocol(), method: self.method.clone(), code: self.code };
        self.metrics.requested(&labels);
    }
}

/// An answer's body, watched to its end.
#[derive(Debug)]
pub(super) struct Finishing {
    body: Body,
    finish: Finish,
}

impl Finishing {
    pub(super) fn new(body: Body, finish: Finish) -> Self {
        Self { body, finish }
    }
}

impl http_body::Body for Finishing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    self.finish.response_bytes += bytes.len() as u64;
                }
                if let Some(trailers) = frame.trailers_ref() {
                    self.finish.status(trailers);
                    self.finish.whole = true;
                }
            }
            Poll::Ready(None) => self.finish.whole = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        // Whoever sends it does not ask again where it says that there is no more.
        self.finish.whole |= self.body.is_end_stream();
    }
}
