//! `factlog serve`: the store in a data directory behind a socket, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use factlog_server::{ClientCertificates, Limits, Server, Tls};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::context::{Context, close};
use crate::descriptors;
use crate::failure::{Failure, Kind, Outcome, say};
use crate::interrupt;
use crate::output::answer;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog serve --data bank.db
  factlog serve --listen 127.0.0.1:0 --data bank.db --json
  factlog serve --data bank.db --tls-cert server.pem --tls-key server.key";

/// Serve the store over gRPC and HTTP, on this machine only
///
/// Programs reach it as factlog://127.0.0.1:4270, and over HTTP and JSON as http://127.0.0.1:4270/v1/events; with
/// --tls-cert and --tls-key as factlogs:// and https:// only. There is no authentication yet, so an address that other
/// machines can reach is refused. Interrupted or terminated, it ends every stream with a reason, answers what it has begun,
/// closes the store and ends with 0; a second interrupt ends it at once, which loses nothing that was acknowledged.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4270")]
    listen: SocketAddr,

    #[command(flatten)]
    secured: Secured,
}

/// TLS. All files are PEM; they may be replaced while it serves.
#[derive(Args, Debug)]
struct Secured {
    /// Speak TLS only, with the certificate in this file, followed by those of its authorities
    #[arg(long, value_name = "FILE", env = "FACTLOG_TLS_CERT", hide_env = true, requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The key of that certificate
    #[arg(long, value_name = "FILE", env = "FACTLOG_TLS_KEY", hide_env = true, requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Clients must show a certificate that an authority in this file has signed
    #[arg(long, value_name = "FILE", env = "FACTLOG_TLS_CLIENT_CA", hide_env = true, requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,

    /// Whether they must show one, or only may
    #[arg(long, value_name = "WHETHER", default_value = "required", requires = "tls_client_ca")]
    tls_client_auth: Demand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Demand {
    Required,
    Optional,
}

impl Secured {
    fn tls(&self) -> Outcome<Option<Tls>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        let clients = match (&self.tls_client_ca, self.tls_client_auth) {
            (None, _) => ClientCertificates::Unasked,
            (Some(authority), Demand::Required) => ClientCertificates::Required(authority.clone()),
            (Some(authority), Demand::Optional) => ClientCertificates::Optional(authority.clone()),
        };
        let opened = Tls::open(certificate, key, clients);
        opened.map(Some).map_err(|error| Failure::store("serve over TLS", &error))
    }
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", &error))?;
    runtime.block_on(serve(arguments, context))
}

async fn serve(arguments: &Arguments, context: &Context) -> Outcome {
    let stopped = stopped()?;
    let tls = arguments.secured.tls()?;
    let listen = arguments.listen;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::io(format_args!("listen on {listen}"), &error))?;
    let address = listener.local_addr().map_err(|error| Failure::io("name the address", &error))?;
    Server::check(address, tls.is_some(), false).map_err(|error| Failure::store("serve", &error))?;
    let store = context.store()?;
    let directory = context.directory()?.display().to_string();
    let secure = if tls.is_some() { "s" } else { "" };
    let url = format!("factlog{secure}://{address}");
    let http = format!("http{secure}://{address}");
    answer(
        context.json,
        || json!({ "url": url, "http": http, "data": directory }),
        || format!("serving {directory} at {url} (gRPC) and {http} (HTTP and JSON)"),
    )?;
    let defaults = Limits::default();
    let connections = descriptors::connections(defaults.connections);
    let mut server = Server::administered(Arc::new(store.clone()))
        .limits(Limits { connections, ..defaults })
        .reports(|error| say(&format!("warning: {error}")));
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    let served = server.serve(listener, stopped).await;
    // The store is closed whatever became of the socket.
    let closed = close(&store);
    served.map_err(|error| Failure::store("serve", &error))?;
    closed
}

/// Ready at the first interrupt, and when the process is told to terminate.
fn stopped() -> Outcome<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| {
        Failure::new(Kind::Failure, "cannot listen for signals").because(error.to_string())
    })?;
    let (stop, interrupted) = oneshot::channel();
    interrupt::instead_of_ending(move || {
        // Whoever no longer waits has stopped already.
        let _ = stop.send(());
    });
    Ok(async move {
        tokio::select! {
            _ = interrupted => {}
            _ = terminate.recv() => {}
        }
    })
}
