//! `factlog serve`: the store in a data directory behind a socket, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use factlog_core::EventStore as _;
use factlog_engine::{Compression, Engine};
use factlog_server::{ClientCertificates, Limits, Server, Tls};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::context::{Context, close, open_with};
use crate::descriptors;
use crate::failure::{Failure, Kind, Outcome, say};
use crate::interrupt;
use crate::output::answer;
use crate::settings::{self, Flags, Resolved};
use crate::supervisor::Supervisor;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog serve --data bank.db
  factlog serve --listen 127.0.0.1:0 --data bank.db --json
  factlog serve --config bank.toml
  factlog serve --data bank.db --tls-cert server.pem --tls-key server.key";

/// Serve the store over gRPC and HTTP, on this machine only
///
/// Programs reach it as factlog://127.0.0.1:4270, and over HTTP and JSON as http://127.0.0.1:4270/v1/events; with
/// --tls-cert and --tls-key as factlogs:// and https:// only. There is no authentication yet, so an address that other
/// machines can reach is refused. Interrupted or terminated, it ends every stream with a reason, answers what it has begun,
/// closes the store and ends with 0; a second interrupt ends it at once, which loses nothing that was acknowledged.
///
/// What no flag says is looked for in the environment and in files: `factlog config show --origin`. A service manager
/// that gives NOTIFY_SOCKET is told when it is ready, that it is alive, and when it stops.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let files = settings::files(arguments.flags.config.as_deref())?;
    let settings = settings::look(&arguments.flags, context, &files)?;
    for warning in settings::warnings(&settings, &files) {
        say(&format!("warning: {warning}"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", &error))?;
    runtime.block_on(serve(&settings, context))
}

async fn serve(settings: &Resolved, context: &Context) -> Outcome {
    let supervisor = Supervisor::find(|name| std::env::var_os(name), std::process::id())
        .map_err(|error| Failure::io("reach the service manager that NOTIFY_SOCKET names", &error))?;
    let stopped = stopped()?;
    let tls = tls(settings)?;
    let listen = settings.address("listen");
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::io(format_args!("listen on {listen}"), &error))?;
    let address = listener.local_addr().map_err(|error| Failure::io("name the address", &error))?;
    Server::check(address, tls.is_some(), false).map_err(|error| Failure::store("serve", &error))?;
    let directory = match settings.path(settings::DATA) {
        Some(directory) => directory,
        // It says why there is none.
        None => context.directory()?,
    };
    let store = open_with(directory, engine(settings))?;
    let directory = directory.display().to_string();
    let secure = if tls.is_some() { "s" } else { "" };
    let url = format!("factlog{secure}://{address}");
    let http = format!("http{secure}://{address}");
    answer(
        context.json,
        || json!({ "url": url, "http": http, "data": directory }),
        || format!("serving {directory} at {url} (gRPC) and {http} (HTTP and JSON)"),
    )?;
    let supervisor = Arc::new(supervisor);
    tell(supervisor.ready(&format!("serving at {url}")));
    let beating = supervisor.beat().map(|every| tokio::spawn(beat(supervisor.clone(), every, store.clone())));
    let stopped = async {
        stopped.await;
        tell(supervisor.stopping());
    };
    let defaults = Limits::default();
    let connections = descriptors::connections(defaults.connections);
    let mut server = Server::administered(Arc::new(store.clone()))
        .limits(Limits { connections, ..defaults })
        .reports(|error| say(&format!("warning: {error}")));
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    let served = server.serve(listener, stopped).await;
    if let Some(beating) = beating {
        beating.abort();
    }
    // The store is closed whatever became of the socket.
    let closed = close(&store);
    served.map_err(|error| Failure::store("serve", &error))?;
    closed
}

/// The settings of TLS, which are of no use one without the other.
fn tls(settings: &Resolved) -> Outcome<Option<Tls>> {
    let clients = match (settings.path("tls-client-ca"), settings.word("tls-client-auth")) {
        (None, _) => ClientCertificates::Unasked,
        (Some(authority), "optional") => ClientCertificates::Optional(authority.to_owned()),
        (Some(authority), _) => ClientCertificates::Required(authority.to_owned()),
    };
    let missing = match (settings.path("tls-cert"), settings.path("tls-key")) {
        (Some(certificate), Some(key)) => {
            let opened = Tls::open(certificate, key, clients);
            return opened.map(Some).map_err(|error| Failure::store("serve over TLS", &error));
        }
        (None, None) if settings.path("tls-client-ca").is_none() => return Ok(None),
        (None, None) => "--tls-client-ca is given without --tls-cert and --tls-key",
        (Some(_), None) => "--tls-cert is given without --tls-key",
        (None, Some(_)) => "--tls-key is given without --tls-cert",
    };
    Err(Failure::new(Kind::Usage, missing)
        .advise("give both files, or none; `factlog config show --origin` tells who said so"))
}

/// The settings of the engine.
fn engine(settings: &Resolved) -> factlog_engine::Settings {
    let compression = match settings.word("compression") {
        "none" => Compression::None,
        _ => Compression::Zstd,
    };
    factlog_engine::Settings {
        cache_bytes: settings.bytes("cache-bytes"),
        index_cache_bytes: settings.bytes("index-cache-bytes"),
        filter_bytes: settings.bytes("filter-bytes"),
        compression,
        ..factlog_engine::Settings::default()
    }
}

/// Shows, as often as wanted, that this runtime turns and that the store answers. What it answers does not matter: a
/// full disk is not mended by starting again.
async fn beat(supervisor: Arc<Supervisor>, every: Duration, store: Engine) {
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        let _ = store.head().await;
        tell(supervisor.alive());
    }
}

/// A manager that is gone is no reason to stop serving.
fn tell(told: std::io::Result<()>) {
    if let Err(error) = told {
        say(&format!("warning: the service manager cannot be told: {error}"));
    }
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
