//! `factlog serve`: the store in a data directory behind a socket, until it is told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use factlog_server::{Access, FIRST_PRINCIPAL, Server};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::auth::Written;
use crate::context::{Context, close};
use crate::failure::{Failure, Kind, Outcome, say};
use crate::interrupt;
use crate::output::answer;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog serve --admin-key-file admin.key --data bank.db
  factlog serve --listen 127.0.0.1:0 --data bank.db --json
  factlog serve --insecure --data bank.db";

/// Serve the store over gRPC and HTTP, to those who show a key
///
/// Programs reach it as factlog://127.0.0.1:4270, and over HTTP and JSON as http://127.0.0.1:4270/v1/events. They show a key; the
/// first start of a store makes one that allows everything and shows it once, `factlog auth` makes others. An address that other
/// machines can reach is refused, because there is no TLS yet. Interrupted or terminated, it ends every stream with a reason, answers what it has begun,
/// closes the store and ends with 0; a second interrupt ends it at once, which loses nothing that was acknowledged.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4270")]
    listen: SocketAddr,
    /// A new file for the key that the first start makes, instead of showing it
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    admin_key_file: Option<PathBuf>,
    /// Ask for no key: whoever can reach the port on this machine may do everything
    #[arg(long)]
    insecure: bool,
    /// Describe the services to tools such as grpcurl (gRPC reflection)
    #[arg(long)]
    reflection: bool,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", &error))?;
    runtime.block_on(serve(arguments, context))
}

async fn serve(arguments: &Arguments, context: &Context) -> Outcome {
    let listen = arguments.listen;
    let stopped = stopped()?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::io(format_args!("listen on {listen}"), &error))?;
    let address = listener.local_addr().map_err(|error| Failure::io("name the address", &error))?;
    Server::check(address).map_err(|error| Failure::store("serve", &error))?;
    let store = context.store()?;
    let directory = context.directory()?.display().to_string();
    let url = format!("factlog://{address}");
    let http = format!("http://{address}");
    let mut server = Server::administered(Arc::new(store.clone())).reflect(arguments.reflection);
    let mut first_key = None;
    if arguments.insecure {
        say("warning: no key is asked for: every program on this machine may read and append everything");
    } else {
        let opened = Access::open(Arc::new(store.clone())).await;
        let access = opened.map_err(|error| Failure::store("read the keys and grants", &error))?;
        first_key = first(&access, arguments.admin_key_file.as_deref()).await?;
        server = server.authenticated(access);
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
    let served = server.serve(listener, stopped).await;
    // The store is closed whatever became of the socket.
    let closed = close(&store);
    served.map_err(|error| Failure::store("serve", &error))?;
    closed
}

/// Makes the first key of a store that has none; it is returned unless it stands in the file.
async fn first(access: &Access, file: Option<&Path>) -> Outcome<Option<String>> {
    let failed = |error| Failure::store("make the first key", &error);
    let Some(file) = file else {
        return Ok(access.first_key().await.map_err(failed)?.map(|minted| minted.secret));
    };
    if access.has_keys() {
        return Ok(None);
    }
    let written = Written::begin(file)?;
    if let Some(minted) = access.first_key().await.map_err(failed)? {
        written.keep(&minted.secret)?;
    }
    Ok(None)
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
