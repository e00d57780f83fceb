//! The calls of one connection: each told who asks, with a body that must arrive in time and find room, and counted until its
//! answer has been sent.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use factlog_core::Error;
use futures_util::future::BoxFuture;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::activity::{Activity, Call};
use super::held::{Held, Rooms};
use super::limits::Limits;
use crate::answers::refuse;
use crate::tls::PeerName;

/// The one call whose request has no end.
const SESSION: &str = "/factlog.v1.EventStoreService/AppendSession";

/// Where a request comes from, in its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeerAddress(pub(crate) SocketAddr);

/// What every call of a connection is given.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) routes: TowerToHyperService<Router>,
    pub(super) address: PeerAddress,
    pub(super) name: Option<PeerName>,
    pub(super) activity: Arc<Activity>,
    pub(super) body: Duration,
    /// For what requests and answers hold.
    pub(super) rooms: Arc<Rooms>,
}

impl Service<Request<Incoming>> for Calls {
    type Response = Response<Counted>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let call = self.activity.begin();
        let lasts = request.uri().path() == SESSION;
        let held = Arc::new(Held::nothing(&self.rooms));
        let mut request = request.map(|body| {
            if body.is_end_stream() {
                return Body::new(body);
            }
            let time = (!lasts).then_some(self.body);
            Body::new(Arriving { body, time, clock: None, held: held.clone() })
        });
        request.extensions_mut().insert(held.clone());
        request.extensions_mut().insert(self.address);
        if let Some(name) = &self.name {
            request.extensions_mut().insert(name.clone());
        }
        let answer = self.routes.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            drop(held);
            let held = answer.extensions_mut().remove();
            Ok(answer.map(|body| Counted { body, rest: Bytes::new(), came: false, held, _call: call }))
        })
    }
}

/// Why a body is not taken whole: the status over gRPC, and that over HTTP.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) status: Status,
    pub(crate) http: StatusCode,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.status.message())
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.status)
    }
}

/// A body that must arrive in time and find room. The time is that of `mod_reqtimeout` of Apache: some to begin with, and
/// more for what has come.
#[derive(Debug)]
struct Arriving {
    body: Incoming,
    /// `None` for a body that may last.
    time: Option<Duration>,
    /// Runs from the first time that nothing was there.
    clock: Option<Pin<Box<Sleep>>>,
    held: Arc<Held>,
}

impl Arriving {
    /// Ready with the refusal once it is late.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        let Some(time) = self.time else { return Poll::Pending };
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(clock.as_mut().poll(context));
        let late = Error::unavailable(
            "the request was too slow to arrive, nothing was written; send it again faster, or in parts",
        );
        Poll::Ready(Broken { status: refuse(late), http: StatusCode::REQUEST_TIMEOUT })
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            return self.poll_late(context).map(|late| Some(Err(late.into())));
        };
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().map(Bytes::len));
        if let Some(bytes) = bytes {
            if let Err(error) = self.held.take(bytes) {
                let full = Broken { status: refuse(error), http: StatusCode::SERVICE_UNAVAILABLE };
                return Poll::Ready(Some(Err(full.into())));
            }
            if let Some(clock) = &mut self.clock {
                let more = Duration::from_micros(bytes as u64 * 1_000_000 / Limits::BODY_RATE);
                let deadline = clock.deadline() + more;
                clock.as_mut().reset(deadline);
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer that are handed on at a time: what was handed on is not known to be sent.
const PIECE: usize = 64 << 10;

/// The body of an answer, what it holds, and its call, which has ended when this is dropped: when all has been handed on.
#[derive(Debug)]
pub(super) struct Counted {
    body: Body,
    /// What came of the body in one piece and is not handed on yet.
    rest: Bytes,
    /// Whether something came of the body and is not known to be handed on.
    came: bool,
    held: Option<Arc<Held>>,
    _call: Call,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            // All that came has been handed on.
            if std::mem::take(&mut self.came) {
                self.held.iter().for_each(|held| held.give_back());
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            match frame.into_data() {
                Ok(data) => (self.rest, self.came) = (data, true),
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        }
        self.held.iter().for_each(|held| held.moved());
        let piece = PIECE.min(self.rest.len());
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
