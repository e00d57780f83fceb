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
//! * With [`Access`], every caller shows a key and may do what its grants say, event by event; without, whoever reaches it may do
//!   everything. There is no TLS yet. Therefore it listens on loopback addresses only.
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

mod access;
mod admin;
mod answers;
mod fences;
mod http;
mod service;
mod session;
mod standard;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Administration, Error, EventStore, Result};
use factlog_proto::REQUEST_BYTES_MAX;
use factlog_proto::v1::access_service_server::AccessServiceServer;
use factlog_proto::v1::administration_service_server::AdministrationServiceServer;
use factlog_proto::v1::event_store_service_server::EventStoreServiceServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;

use access::{Audit, Gate};

pub use access::{Access, FIRST_PRINCIPAL};
pub use session::{SESSION_APPENDS, SESSION_BYTES};

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
    reflect: bool,
    access: Option<Arc<Access>>,
}

impl Server {
    /// Serves this store.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self { store, administration: None, access: None, reflect: false }
    }

    /// Serves this store and its lists of streams and types.
    pub fn administered(store: Arc<dyn Administration>) -> Self {
        Self { store: store.clone(), administration: Some(store), access: None, reflect: false }
    }

    /// Whether it describes its services to gRPC tools (reflection). It does not unless told to.
    #[must_use]
    pub fn reflect(mut self, reflect: bool) -> Self {
        self.reflect = reflect;
        self
    }

    /// The same, for callers that show a key of these only, and as far as its grants go.
    #[must_use]
    pub fn authenticated(mut self, access: Arc<Access>) -> Self {
        self.access = Some(access);
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
        let audit = Audit::default();
        let gate = Gate::new(self.store.clone(), self.administration, self.access.clone(), audit.clone());
        let service = service::Service::new(gate.clone(), stopping.clone());
        let administration = admin::Service::new(gate.clone(), stopping.clone());
        let access = access::Service::new(gate.clone());
        let grpc =
            Routes::new(EventStoreServiceServer::new(service).max_decoding_message_size(REQUEST_BYTES_MAX))
                .add_service(AdministrationServiceServer::new(administration))
                .add_service(AccessServiceServer::new(access));
        let grpc = standard::beside(grpc, stopping.clone(), self.reflect)?;
        let api = http::Api { gate, stopping };
        let serving = tonic::transport::Server::builder()
            .max_concurrent_streams(CALLS_PER_CONNECTION)
            .http2_keepalive_interval(Some(PING_EVERY))
            .http2_keepalive_timeout(Some(PING_TIMEOUT))
            .accept_http1(true)
            .add_routes(http::beside(grpc, api))
            .serve_with_incoming_shutdown(
                TcpIncoming::from(listener).with_nodelay(Some(true)),
                stopped(stop.subscribe()),
            );
        let mut serving = std::pin::pin!(serving);
        let recording = tokio::spawn({
            let (audit, store) = (audit.clone(), self.store.clone());
            async move { audit.record(&*store).await }
        });
        let ended = tokio::select! {
            ended = &mut serving => ended,
            error = following(self.access.as_deref()) => return Err(error),
            () = shutdown => {
                // Nobody listens any more only where serving has ended by itself.
                let _ = stop.send(true);
                // What has not ended by then hangs on a peer that does not read: its connection is left to itself.
                tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(()))
            }
        };
        recording.abort();
        audit.flush(&*self.store).await;
        ended.map_err(|error| Error::unavailable("the server's socket failed").because(error))
    }
}

/// Ready when what is recorded of keys cannot be followed any more: on a guess nobody is let in.
async fn following(access: Option<&Access>) -> Error {
    match access {
        Some(access) => access.follow().await,
        None => std::future::pending().await,
    }
}

/// Ready when the server stops, or is gone.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error says that the sender is gone, and the server with it.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
