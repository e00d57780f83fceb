//! `factlog serve`: the store in a data directory behind a socket, until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use factlog_server::Server;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::context::{Context, close};
use crate::failure::{Failure, Kind, Outcome};
use crate::host::Machine;
use crate::interrupt;
use crate::output::answer;
use crate::stopwatch::Stopwatch;
use crate::telemetry::{self, Telemetry};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog serve --data bank.db
  factlog serve --listen 127.0.0.1:0 --data bank.db --json";

/// Serve the store over gRPC and HTTP, on this machine only
///
/// Programs reach it as factlog://127.0.0.1:4270, and over HTTP and JSON as http://127.0.0.1:4270/v1/events. There is no authentication yet, so an address that other machines
/// can reach is refused. Interrupted or terminated, it ends every stream with a reason, answers what it has begun,
/// closes the store and ends with 0; a second interrupt ends it at once, which loses nothing that was acknowledged.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4270")]
    listen: SocketAddr,
    #[command(flatten)]
    telemetry: telemetry::Logging,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", &error))?;
    runtime.block_on(async {
        let telemetry = telemetry::start(&arguments.telemetry)?;
        let served = serve(arguments.listen, &telemetry, context).await;
        telemetry.end();
        served
    })
}

async fn serve(listen: SocketAddr, telemetry: &Telemetry, context: &Context) -> Outcome {
    let stopped = stopped()?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::io(format_args!("listen on {listen}"), &error))?;
    let address = listener.local_addr().map_err(|error| Failure::io("name the address", &error))?;
    Server::check(address).map_err(|error| Failure::store("serve", &error))?;
    let opening = Stopwatch::start();
    let store = context.store()?;
    let recovery = opening.elapsed();
    let directory = context.directory()?;
    let machine = Machine { engine: store.clone(), directory: directory.to_owned(), recovery };
    let directory = directory.display().to_string();
    let url = format!("factlog://{address}");
    let http = format!("http://{address}");
    answer(
        context.json,
        || json!({ "url": url, "http": http, "data": directory }),
        || format!("serving {directory} at {url} (gRPC) and {http} (HTTP and JSON)"),
    )?;
    tracing::info!(target: "factlog::serve", version = env!("CARGO_PKG_VERSION"), address = %address, "serving");
    let server = Server::administered(Arc::new(store.clone())).on(Arc::new(machine));
    let served = telemetry.of(server).serve(listener, stopped).await;
    tracing::info!(target: "factlog::serve", "stopped");
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
