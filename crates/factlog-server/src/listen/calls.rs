//! The calls of one connection: each told who asks, with a body that must arrive in time, and counted until its answer has
//! been sent.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use factlog_core::Error;
use futures_util::future::BoxFuture;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::activity::{Activity, Call};
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
}

impl Service<Request<Incoming>> for Calls {
    type Response = Response<Counted>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let call = self.activity.begin();
        let time = (request.uri().path() != SESSION).then_some(self.body);
        let mut request = request.map(|body| match time {
            Some(time) if !body.is_end_stream() => Body::new(Timed { body, time, clock: None }),
            _ => Body::new(body),
        });
        request.extensions_mut().insert(self.address);
        if let Some(name) = &self.name {
            request.extensions_mut().insert(name.clone());
        }
        let answer = self.routes.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Counted { body, _call: call })) })
    }
}

/// A body that must arrive in time. The time is that of `mod_reqtimeout` of Apache: some to begin with, and more for
/// what has come.
#[derive(Debug)]
struct Timed {
    body: Incoming,
    time: Duration,
    /// Runs from the first time that nothing was there.
    clock: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let time = self.time;
            let clock = self.clock.get_or_insert_with(|| Box::pin(sleep(time)));
            ready!(clock.as_mut().poll(context));
            let late: Status = refuse(Error::unavailable(
                "the request was too slow to arrive, nothing was written; send it again faster, or in parts",
            ));
            return Poll::Ready(Some(Err(late.into())));
        };
        if let (Some(Ok(frame)), Some(clock)) = (&frame, &mut self.clock) {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            let more = Duration::from_micros(bytes * 1_000_000 / Limits::BODY_RATE);
            let deadline = clock.deadline() + more;
            clock.as_mut().reset(deadline);
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

/// The body of an answer, and its call, which has ended when this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    body: Body,
    _call: Call,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
