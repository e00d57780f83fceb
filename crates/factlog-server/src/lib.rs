//! Any event store behind a socket: the gRPC services of `factlog-proto` over an `Arc<dyn EventStore>`, and the same contract
//! over HTTP and JSON on the same port.
//!
//! * It adds no promise to the store's and takes none away: an answer is the store's answer.
//! * Memory per call is bounded: batches end at 64 KiB or with one larger event, and are made only as fast as the
//!   caller reads; a session has at most [`SESSION_APPENDS`] appends or [`SESSION_BYTES`] under way. A request is held
//!   whole, up to 160 MiB, over HTTP up to 96 MiB. [`Limits::request_bytes`] bounds all of them together,
//!   and so it does pages and events of more than 128 KiB that are not sent yet.
//! * Every stream ends with a reason. When the server stops, subscriptions and reads end at once with `UNAVAILABLE`,
//!   sessions answer what they have begun.
//!   Followers over HTTP are told with `event: end`.
//! * What one peer may cost has [`Limits`], and whoever is over one is refused or cut without a wait for the others.
//! * With [`Access`], every caller shows a key, a token or a certificate and may do what its grants say, event by event;
//!   without, whoever reaches it may do everything. It listens on addresses that other machines can reach with [`Access`] and [`Tls`] only.
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
mod deadline;
mod fences;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod http;
mod large;
mod listen;
mod metrics;
mod program;
mod seldom;
mod service;
mod session;
mod standard;
mod tls;
mod trace;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Administration, Error, EventStore, Result, SystemClock};
use factlog_proto::REQUEST_BYTES_MAX;
use factlog_proto::v1::access_service_server::AccessServiceServer;
use factlog_proto::v1::administration_service_server::AdministrationServiceServer;
use factlog_proto::v1::event_store_service_server::EventStoreServiceServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::service::Routes;

use access::{Audit, Gate, Places};
use health::{Projections, Readiness};
use listen::{Listening, Report};
use metrics::{Metrics, Observed};
use trace::Watch;

pub use access::{Access, FIRST_PRINCIPAL, TokenKeys, TokenSettings};
pub use health::{ProjectionHealth, ProjectionsHealth};
pub use http::Problem;
pub use listen::{DRAIN, Limits};
pub use metrics::{DurableWrites, Host, HostReport};
pub use program::{Answer, Call, Offer, OfferKind, Program};
pub use session::{SESSION_APPENDS, SESSION_BYTES};
pub use tls::{ClientCertificates, Tls};
pub use trace::Adopt;

/// A store to be served.
#[derive(Clone, Debug)]
pub struct Server {
    store: Arc<dyn EventStore>,
    administration: Option<Arc<dyn Administration>>,
    access: Option<Arc<Access>>,
    reflect: bool,
    tls: Option<Tls>,
    limits: Limits,
    report: Report,
    host: Option<Arc<dyn Host>>,
    projections: Projections,
    adopt: Option<Adopt>,
    programs: Vec<Arc<dyn Program>>,
}

impl Server {
    /// Serves this store.
    pub fn new(store: Arc<dyn EventStore>) -> Self {
        Self {
            store,
            administration: None,
            access: None,
            reflect: false,
            tls: None,
            limits: Limits::default(),
            report: Report(Arc::new(|_| {})),
            host: None,
            projections: Projections::default(),
            adopt: None,
            programs: Vec::new(),
        }
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

    /// The same with projections that run beside it: `GET /health/projections` and `ListProjections` tell of them, the first
    /// with 503 where one of them does not do what it should, or is further behind.
    #[must_use]
    pub fn projections(mut self, asked: Arc<dyn ProjectionsHealth>, max_lag: Duration) -> Self {
        self.projections = Projections { asked: Some(asked), max_lag };
        self
    }

    /// The same with a program whose commands and queries are called under `/app/`, by those whose grants say `call`.
    #[must_use]
    pub fn mount(mut self, program: impl Program) -> Self {
        self.programs.push(Arc::new(program));
        self
    }

    /// The same with the spans of requests made children of their callers' spans.
    #[must_use]
    pub fn traced(mut self, adopt: Adopt) -> Self {
        self.adopt = Some(adopt);
        self
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

    /// The same over TLS only.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same with other bounds on connections.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same, telling this of what an operator should know: the listener is in trouble, new certificates are not in
    /// order.
    #[must_use]
    pub fn reports(mut self, report: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.report = Report(Arc::new(report));
        self
    }

    /// Whether it would listen there, with or without TLS and authentication.
    ///
    /// # Errors
    /// `Invalid` for an address that can be reached from another machine, unless there are both.
    pub fn check(address: SocketAddr, tls: bool, authenticated: bool) -> Result<()> {
        listen::check(address, tls, authenticated)
    }

    /// Serves until `shutdown` is ready and the calls under way have ended, ten seconds at most. The store stays
    /// open: it is the caller's to close.
    ///
    /// # Errors
    /// `Invalid` where the listener's address can be reached from another machine and there is no TLS or no authentication, or where
    /// the names of programs are not in order;
    /// `Unavailable` where it has none; why keys and grants cannot be followed any more. A listener in trouble is reported and
    /// asked again.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) -> Result<()> {
        let address = listener
            .local_addr()
            .map_err(|error| Error::unavailable("the listener has no address").because(error))?;
        Self::check(address, self.tls.is_some(), self.access.is_some())?;
        program::check(&self.programs)?;
        let (stop, stopping) = watch::channel(false);
        let expires = self.tls.as_ref().map(Tls::expires).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        let metrics = Arc::new(Metrics::new(version, self.host.clone(), Arc::new(SystemClock), expires));
        let audit = Audit::default();
        let routes = self.routes(&metrics, audit.clone(), &stopping)?.prepare().into_axum_router();
        let Self { store, access, tls, limits, report, .. } = self;
        let told = (report.clone(), metrics.clone());
        let listening = Listening { routes, tls, limits, report, stopping, metrics };
        let mut serving = std::pin::pin!(listening.run(listener));
        let ended = tokio::select! {
            () = &mut serving => Ok(()),
            never = audit.record(&*store) => match never {},
            error = following(access.as_deref(), &told) => Err(error),
            () = shutdown => Ok(()),
        };
        // Nobody listens any more only where serving has ended by itself.
        let _ = stop.send(true);
        serving.await;
        audit.flush(&*store).await;
        ended
    }

    /// Everything that is answered, behind its guards.
    fn routes(
        &self,
        metrics: &Arc<Metrics>,
        audit: Audit,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Routes> {
        let readiness = Arc::new(Readiness::new(self.store.clone(), self.host.clone(), stopping.clone()));
        let observed: Arc<dyn EventStore> = Arc::new(Observed::new(self.store.clone(), metrics.clone()));
        let (administration, access) = (self.administration.clone(), self.access.clone());
        let places = Places::new(self.limits.reads);
        let gate = Gate::new(observed, administration, access, audit, places, metrics.clone());
        let service = service::Service::new(gate.clone(), stopping.clone());
        let administration = admin::Service::new(gate.clone(), self.projections.clone(), stopping.clone());
        let keys = access::Service::new(gate.clone());
        let grpc =
            Routes::new(EventStoreServiceServer::new(service).max_decoding_message_size(REQUEST_BYTES_MAX))
                .add_service(AdministrationServiceServer::new(administration))
                .add_service(AccessServiceServer::new(keys));
        let grpc = standard::beside(grpc, stopping.clone(), self.reflect)?;
        let api = http::Api {
            gate,
            stopping: stopping.clone(),
            metrics: metrics.clone(),
            readiness,
            projections: self.projections.clone(),
            programs: self.programs.clone().into(),
        };
        Ok(http::beside(grpc, api, Watch { metrics: metrics.clone(), adopt: self.adopt }))
    }
}

/// Ready when what is recorded of keys cannot be followed any more: on a guess nobody is let in.
async fn following(access: Option<&Access>, (report, metrics): &(Report, Arc<Metrics>)) -> Error {
    let Some(access) = access else { return std::future::pending().await };
    tokio::select! {
        error = access.follow() => error,
        never = access.keep_tokens(|good| metrics.token_keys_fetched(good), |error| (report.0)(error)) => match never {},
    }
}

/// Ready when the server stops, or is gone.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error says that the sender is gone, and the server with it.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
