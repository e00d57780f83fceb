//! Any event store behind a socket: the gRPC services of `factlog-proto` over an `Arc<dyn EventStore>`, and the same contract
//! over HTTP and JSON on the same port.
//!
//! * It adds no promise to the store's and takes none away: an answer is the store's answer.
//! * Memory per call is bounded: batches end at 256 KiB or with one larger event, and are made only as fast as the
//!   caller reads; a session has at most [`SESSION_APPENDS`] appends or [`SESSION_BYTES`] under way. A request is held
//!   whole, up to 160 MiB, over HTTP up to 96 MiB.
//! * Every stream ends with a reason. When the server stops, subscriptions and reads end at once with `UNAVAILABLE`,
//!   sessions answer what they have begun.
//!   Followers over HTTP are told with `event: end`.
//! * There is no authentication and no TLS yet. Therefore it listens on loopback addresses only.
//!
//! It knows no store's files. Reads of an embedded store do their I/O on the runtime's threads, a batch at a time.
//!
//! ```
//! use std::sync::Arc;
//! use factlog_core::MemoryStore;
//! use factlog_server::Server;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let server = Server::new(Arc::new(MemoryStore::new()));
//! server.serve(listener, async { /* until told to stop */ }).await?;
//! # Ok(()) }
//! ```

mod admin;
mod answers;
mod fences;
mod health;
mod http;
mod metrics;
mod service;
mod session;
mod trace;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Administration, Error, EventStore, Result, SystemClock};
use factlog_proto::REQUEST_BYTES_MAX;
use factlog_proto::v1::administration_service_server::AdministrationServiceServer;
use factlog_proto::v1::event_store_service_server::EventStoreServiceServer;
use futures_util::StreamExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;

use health::{Projections, Readiness};
use metrics::{Metrics, Observed, counted};
use trace::Watch;

pub use health::{ProjectionHealth, ProjectionsHealth};
pub use metrics::{DurableWrites, Host, HostReport};
pub use session::{SESSION_APPENDS, SESSION_BYTES};
pub use trace::Adopt;

/// Calls of one connection at a time. More wait until one has ended.
const CALLS_PER_CONNECTION: u32 = 4_096;
/// How often a silent connection is asked whether its peer is alive, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long calls under way may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// A store to be served.
#[derive(Clone, Debug)]
pub struct Server {
    store: Arc<dyn EventStore>,
    administration: Option<Arc<dyn Administration>>,
    host: Option<Arc<dyn Host>>,
    projections: Projections,
    adopt: Option<Adopt>,
}

impl Server {
    /// Serves this store.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, administration: None, host: None, projections: Projections::default(), adopt: None }
    }

    /// Serves this store and its lists of streams and types.
    pub fn administered(store: Arc<dyn Administration>) -> Self {
        Self { administration: Some(store.clone()), ..Self::new(store) }
    }

    /// The same with the machine that the store is on, for metrics and readiness.
    #[must_use]
    pub fn on(mut self, host: Arc<dyn Host>) -> Self {
        self.host = Some(host);
        self
    }

    /// The same with projections that run beside it: `GET /health/projections` answers 503 where one of them does not do
    /// what it should, or is further behind.
    #[must_use]
    pub fn projections(mut self, asked: Arc<dyn ProjectionsHealth>, max_lag: Duration) -> Self {
        self.projections = Projections { asked: Some(asked), max_lag };
        self
    }

    /// The same with the spans of requests made children of their callers' spans.
    #[must_use]
    pub fn traced(mut self, adopt: Adopt) -> Self {
        self.adopt = Some(adopt);
        self
    }

    /// Whether it would listen there.
    ///
    /// # Errors
    /// `Invalid` for an address that can be reached from another machine.
    pub fn check(address: SocketAddr) -> Result<()> {
        if address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "refusing to listen on {address}: other machines can reach it and there is no authentication yet; \
             listen on 127.0.0.1 or [::1]"
        )))
    }

    /// Serves until `shutdown` is ready and the calls under way have ended, ten seconds at most. The store stays
    /// open: it is the caller's to close.
    ///
    /// # Errors
    /// `Invalid` where the listener's address can be reached from another machine; `Unavailable` where the socket fails.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let address = listener
            .local_addr()
            .map_err(|error| Error::unavailable("the listener has no address").because(error))?;
        Self::check(address)?;
        let (stop, stopping) = watch::channel(false);
        let metrics =
            Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), self.host.clone(), Arc::new(SystemClock)));
        let readiness = Arc::new(Readiness::new(self.store.clone(), self.host, stopping.clone()));
        let store: Arc<dyn EventStore> = Arc::new(Observed::new(self.store, metrics.clone()));
        let service = service::Service::new(store.clone(), stopping.clone());
        let administration = admin::Service::new(self.administration.clone(), stopping.clone());
        let grpc =
            Routes::new(EventStoreServiceServer::new(service).max_decoding_message_size(REQUEST_BYTES_MAX))
                .add_service(AdministrationServiceServer::new(administration));
        let watch = Watch { metrics: metrics.clone(), adopt: self.adopt };
        let api = http::Api {
            store,
            administration: self.administration,
            stopping,
            metrics: metrics.clone(),
            readiness,
            projections: self.projections,
        };
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let incoming = incoming.map(move |stream| stream.map(|stream| counted(&metrics, stream)));
        let serving = tonic::transport::Server::builder()
            .max_concurrent_streams(CALLS_PER_CONNECTION)
            .http2_keepalive_interval(Some(PING_EVERY))
            .http2_keepalive_timeout(Some(PING_TIMEOUT))
            .accept_http1(true)
            .add_routes(http::beside(grpc, api, watch))
            .serve_with_incoming_shutdown(incoming, stopped(stop.subscribe()));
        let mut serving = std::pin::pin!(serving);
        let ended = tokio::select! {
            ended = &mut serving => ended,
            () = shutdown => {
                // Nobody listens any more only where serving has ended by itself.
                let _ = stop.send(true);
                // What has not ended by then hangs on a peer that does not read: its connection is left to itself.
                tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(()))
            }
        };
        ended.map_err(|error| Error::unavailable("the server's socket failed").because(error))
    }
}

/// Ready when the server stops, or is gone.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error says that the sender is gone, and the server with it.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
