//! One connection, from its first byte to its end.
//!
//! It is cut when the TLS handshake or the headers of a request take too long, and told to end (GOAWAY over HTTP/2) when it
//! is idle for too long, the certificate of its client was verified too long ago, or the server stops. It is cut as well when
//! its peer takes nothing of a large answer.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use factlog_core::{Clock as _, SystemClock};
use factlog_proto::BATCH_BYTES;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, Phase, Watched};
use super::calls::{Calls, PeerAddress};
use super::held::{Room, Rooms};
use super::limits::Limits;
use super::plain;
use super::taking::Taking;
use crate::stopped;
use crate::tls::{PeerName, expires};

/// How often a silent connection is asked whether its peer is alive, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Calls that were reset before they were looked at; one more ends the connection (rapid reset, CVE-2023-44487).
const PENDING_RESETS: usize = 20;
/// Calls that were reset because the peer broke the protocol; one more ends the connection.
const FAULTY_RESETS: usize = 1_024;
/// How long a connection that was told to end for being idle may take to do so.
const LEAVING: Duration = Duration::from_secs(5);

/// Bytes of the answers of one call that wait to be written: two batches, so that one is made while the other is sent.
const SEND_BUFFER: usize = 2 * BATCH_BYTES;

/// What a connection needs.
pub(super) struct Connection {
    pub(super) address: PeerAddress,
    pub(super) routes: TowerToHyperService<Router>,
    pub(super) limits: Arc<Limits>,
    /// For what requests hold, and large answers, of all connections.
    pub(super) rooms: [Arc<Room>; 2],
    pub(super) stopping: watch::Receiver<bool>,
}

impl Connection {
    /// Serves it to its end.
    pub(super) async fn serve(self, socket: TcpStream, acceptor: Option<TlsAcceptor>) {
        // Without it small answers wait for acknowledgements; a socket that refuses is broken and will say so.
        let _ = socket.set_nodelay(true);
        let Some(acceptor) = acceptor else { return self.converse(socket, None, None).await };
        let secured = async {
            if !plain::is_tls(&socket).await {
                plain::explain(socket).await;
                return None;
            }
            match acceptor.accept(socket).into_fallible().await {
                Ok(stream) => Some(stream),
                // It was told by an alert.
                Err((_, socket)) => {
                    plain::linger(socket).await;
                    None
                }
            }
        };
        let stop = stopped(self.stopping.clone());
        let stream = tokio::select! {
            stream = timeout(self.limits.handshake, secured) => stream,
            () = stop => return,
        };
        let Ok(Some(stream)) = stream else { return };
        let chain = stream.get_ref().1.peer_certificates();
        let (name, age) =
            (chain.and_then(|chain| PeerName::of(chain)), chain.and_then(|chain| self.age(chain)));
        self.converse(stream, name, age).await;
    }

    /// How long a client with this certificate may stay.
    fn age(&self, chain: &[CertificateDer<'_>]) -> Option<Duration> {
        let now = SystemClock.now().as_micros() / 1_000_000;
        let left = chain.first().and_then(expires).and_then(|end| i64::try_from(end).ok());
        let left = left.map(|end| Duration::from_secs(end.saturating_sub(now).try_into().unwrap_or(0)));
        let most = Some(self.limits.age).filter(|most| !most.is_zero()).map(|most| {
            // Without random bytes all come again at once, which is no reason to let nobody in.
            let chance = getrandom::u32().unwrap_or(0) / 10;
            most.mul_f64(1.0 - f64::from(chance) / f64::from(u32::MAX))
        });
        most.into_iter().chain(left).min()
    }

    async fn converse<S>(self, stream: S, name: Option<PeerName>, age: Option<Duration>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::<Activity>::default();
        let [requests, answers] = self.rooms;
        let rooms = Rooms::new(self.limits.connection_bytes, requests, answers);
        let mut taking = Taking::new(rooms.clone(), self.limits.taking);
        let calls = Calls {
            routes: self.routes,
            address: self.address,
            name,
            activity: activity.clone(),
            body: self.limits.body,
            rooms,
        };
        let builder = builder(&self.limits);
        let socket = TokioIo::new(Watched::new(stream, activity.clone()));
        let mut connection = pin!(builder.serve_connection(socket, calls));
        let mut watching = Watching::new(activity, &self.limits, age);
        let mut stop = pin!(stopped(self.stopping));
        let mut told = false;
        poll_fn(|context| {
            let mut tell = !told && stop.as_mut().poll(context).is_ready();
            loop {
                if tell {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                }
                if connection.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                if taking.is_over(context) {
                    return Poll::Ready(());
                }
                match watching.poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Verdict::Cut) => return Poll::Ready(()),
                    // Polled again, so that it says so at once.
                    Poll::Ready(Verdict::Leave) => tell = !told,
                }
            }
        })
        .await;
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Its clock also runs between requests; `Watching` has one that does not.
        .header_read_timeout(None)
        // It holds the headers, and hyper wants 8 KiB at the least.
        .max_buf_size((limits.header_bytes as usize).max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(limits.calls)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(FAULTY_RESETS);
    builder
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is told to end.
    Leave,
    /// It is closed.
    Cut,
}

/// The clock of a connection.
struct Watching {
    activity: Arc<Activity>,
    phase: Phase,
    headers: Duration,
    idle: Duration,
    leaving: bool,
    clock: Pin<Box<Sleep>>,
    /// Runs until the certificate is to be verified anew, and then until the calls under way must have ended.
    age: Option<Pin<Box<Sleep>>>,
    old: bool,
    last: Duration,
}

impl Watching {
    fn new(activity: Arc<Activity>, limits: &Limits, age: Option<Duration>) -> Self {
        let clock = Box::pin(sleep(limits.idle));
        let age = age.map(|age| Box::pin(sleep(age)));
        let phase = Phase::Idle(0);
        let Limits { headers, idle, leaving: last, .. } = *limits;
        Self { activity, phase, headers, idle, leaving: false, clock, age, old: false, last }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Verdict> {
        if self.age.as_mut().is_some_and(|age| age.as_mut().poll(context).is_ready()) {
            self.age = (!self.old).then(|| Box::pin(sleep(self.last)));
            let verdict = if self.old { Verdict::Cut } else { Verdict::Leave };
            self.old = true;
            return Poll::Ready(verdict);
        }
        let phase = self.activity.phase();
        if phase != self.phase && !self.leaving {
            self.phase = phase;
            self.run(match phase {
                Phase::Heading(_) => self.headers,
                // Looked at again after as long; there may be nobody to say that the call has ended.
                Phase::Busy | Phase::Idle(_) => self.idle,
            });
        }
        while self.clock.as_mut().poll(context).is_ready() {
            match self.phase {
                Phase::Busy => self.run(self.idle),
                Phase::Heading(_) => return Poll::Ready(Verdict::Cut),
                // A call that had begun before the peer knew is answered first.
                Phase::Idle(_) if self.leaving && phase == Phase::Busy => self.run(LEAVING),
                Phase::Idle(_) if self.leaving => return Poll::Ready(Verdict::Cut),
                Phase::Idle(_) => {
                    self.leaving = true;
                    self.run(LEAVING);
                    return Poll::Ready(Verdict::Leave);
                }
            }
        }
        Poll::Pending
    }

    fn run(&mut self, time: Duration) {
        #[expect(clippy::disallowed_methods, reason = "the edge of the system: a peer may never do anything")]
        let deadline = Instant::now() + time;
        self.clock.as_mut().reset(deadline);
    }
}
