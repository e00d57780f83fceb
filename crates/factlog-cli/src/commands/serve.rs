//! `factlog serve`: the store in a data directory behind a socket, until it is told to stop.

mod tokens;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use factlog_core::EventStore as _;
use factlog_engine::{Compression, Engine};
use factlog_server::{Access, ClientCertificates, FIRST_PRINCIPAL, Limits, Server, Tls};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::auth::Written;
use crate::context::{Context, close, open_with};
use crate::descriptors;
use crate::failure::{Failure, Kind, Outcome};
use crate::host::Machine;
use crate::interrupt;
use crate::opened::key_in;
use crate::output::answer;
use crate::settings::{self, Flags, Resolved};
use crate::stopwatch::Stopwatch;
use crate::supervisor::Supervisor;
use crate::telemetry::{self, Telemetry, warn};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog serve --admin-key-file admin.key --data bank.db
  factlog serve --listen 127.0.0.1:0 --data bank.db --json
  factlog serve --config bank.toml
  factlog serve --insecure --data bank.db
  factlog serve --data bank.db --tls-cert server.pem --tls-key server.key";

/// Serve the store over gRPC and HTTP, to those who show a key or a token
///
/// Programs reach it as factlog://127.0.0.1:4270, and over HTTP and JSON as http://127.0.0.1:4270/v1/events; with
/// --tls-cert and --tls-key as factlogs:// and https:// only. They show a key; the first start of a store makes one that allows
/// everything and shows it once, `factlog auth` makes others. With --jwt-issuer, tokens of that issuer count as well. An address that other machines can reach is refused without TLS and
/// keys. Interrupted or terminated, it ends every stream with a reason, answers what it has begun,
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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", &error))?;
    runtime.block_on(async {
        let telemetry = telemetry::start(&settings)?;
        for warning in settings::warnings(&settings, &files) {
            warn(&warning);
        }
        let served = serve(&settings, &telemetry, context).await;
        telemetry.end();
        served
    })
}

async fn serve(settings: &Resolved, telemetry: &Telemetry, context: &Context) -> Outcome {
    let supervisor = Supervisor::find(|name| std::env::var_os(name), std::process::id())
        .map_err(|error| Failure::io("reach the service manager that NOTIFY_SOCKET names", &error))?;
    let stopped = stopped()?;
    let tls = tls(settings)?;
    let tokens = tokens::settings(settings)?;
    let listen = settings.address("listen");
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::io(format_args!("listen on {listen}"), &error))?;
    let address = listener.local_addr().map_err(|error| Failure::io("name the address", &error))?;
    let insecure = settings.switch("insecure");
    Server::check(address, tls.is_some(), !insecure).map_err(|error| Failure::store("serve", &error))?;
    let machine = open(settings, context)?;
    let (store, directory) = (machine.engine.clone(), machine.directory.display().to_string());
    let secure = if tls.is_some() { "s" } else { "" };
    let url = format!("factlog{secure}://{address}");
    let http = format!("http{secure}://{address}");
    let (access, first_key) = access(settings, &store).await?;
    if let (Some(access), Some(tokens)) = (&access, &tokens) {
        access.take_tokens(tokens).map_err(|error| Failure::store("take tokens", &error))?;
    }
    answer(
        context.json,
        || json!({ "url": url, "http": http, "data": directory, "admin_key": first_key }),
        || {
            let served = format!("serving {directory} at {url} (gRPC) and {http} (HTTP and JSON)");
            match &first_key {
                Some(key) => {
                    format!("{served}\nThe key of the principal {FIRST_PRINCIPAL}, shown this once:\n{key}")
                }
                None => served,
            }
        },
    )?;
    drop(first_key);
    tracing::info!(target: "factlog::serve", version = env!("CARGO_PKG_VERSION"), address = %address, "serving");
    let supervisor = Arc::new(supervisor);
    tell(supervisor.ready(&format!("serving at {url}")));
    let beating = supervisor.beat().map(|every| tokio::spawn(beat(supervisor.clone(), every, store.clone())));
    let stopped = async {
        stopped.await;
        tell(supervisor.stopping());
    };
    let server = telemetry.of(server(settings, machine, tls, access));
    let served = server.serve(listener, stopped).await;
    tracing::info!(target: "factlog::serve", "stopped");
    if let Some(beating) = beating {
        beating.abort();
    }
    // The store is closed whatever became of the socket.
    let closed = close(&store);
    served.map_err(|error| Failure::store("serve", &error))?;
    closed
}

/// Opens the store, and keeps how long that took.
fn open(settings: &Resolved, context: &Context) -> Outcome<Machine> {
    let directory = match settings.path(settings::DATA) {
        Some(directory) => directory,
        // It says why there is none.
        None => context.directory()?,
    };
    let opening = Stopwatch::start();
    let engine = open_with(directory, engine(settings))?;
    Ok(Machine { engine, directory: directory.to_owned(), recovery: opening.elapsed() })
}

/// The server of what is open.
fn server(settings: &Resolved, machine: Machine, tls: Option<Tls>, access: Option<Arc<Access>>) -> Server {
    let defaults = Limits::default();
    let connections = descriptors::connections(defaults.connections);
    let request_bytes = usize::try_from(settings.bytes("request-bytes")).unwrap_or(usize::MAX);
    let mut server = Server::administered(Arc::new(machine.engine.clone()))
        .on(Arc::new(machine))
        .limits(Limits { connections, request_bytes, age: settings.time("tls-client-age"), ..defaults })
        .reflect(settings.switch("reflection"))
        .reports(|error| warn(&error.to_string()));
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    if let Some(access) = access {
        server = server.authenticated(access);
    }
    server
}

/// Who is let in: nobody without a key, unless it is said that all of this machine are. With the first key of a store, where it
/// is to be shown.
async fn access(settings: &Resolved, store: &Engine) -> Outcome<(Option<Arc<Access>>, Option<String>)> {
    if settings.switch("insecure") {
        warn("no key is asked for: every program on this machine may read and append everything");
        return Ok((None, None));
    }
    let opened = Access::open(Arc::new(store.clone())).await;
    let access = opened.map_err(|error| Failure::store("read the keys and grants", &error))?;
    let failed = |error| Failure::store("make the first key", &error);
    let shown = match settings.path("admin-key-file") {
        _ if access.has_keys() => None,
        None => access.first_key().await.map_err(failed)?.map(|minted| minted.secret),
        Some(file) if file.exists() => {
            access.first_key_is(&key_in(file)?).await.map_err(failed)?;
            None
        }
        Some(file) => {
            let written = Written::begin(file)?;
            if let Some(minted) = access.first_key().await.map_err(failed)? {
                written.keep(&minted.secret)?;
            }
            None
        }
    };
    Ok((Some(access), shown))
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
        warn(&format!("the service manager cannot be told: {error}"));
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
