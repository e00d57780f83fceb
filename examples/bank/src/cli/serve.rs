//! `bank serve`: the bank as a service over HTTP, until it is told to stop.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use factlog::Engine;
use factlog::service::{Access, Server, health};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::Serve;
use super::calls::bank;
use super::say;
use crate::ledger::Ledger;

/// How far behind a read model may be before `/health/projections` says so.
const LAG: Duration = Duration::from_secs(60);

pub(super) async fn run(data: &Path, args: &Serve, json: bool) -> anyhow::Result<()> {
    let stops = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("{} cannot be listened on", args.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    let ledger = Ledger::open_or_create(data)?;
    let models = ledger.read_models().await?;
    let (access, key) = access(&ledger.engine, args.key_file.as_deref()).await?;
    let server = Server::administered(Arc::new(ledger.engine.clone()))
        .authenticated(access)
        .projections(health([models.balances.operations(), models.months.operations()]), LAG)
        .mount(bank(&ledger.app, &models));
    let text = match &key {
        Some(key) => format!(
            "serving the bank at {url}/app/bank\nThe key that may do everything, shown this once:\n{key}"
        ),
        None => format!("serving the bank at {url}/app/bank"),
    };
    say(&if json { format!("{}\n", json!({ "http": url, "key": key })) } else { format!("{text}\n") })?;
    let served = server.serve(listener, stopped(stops)).await;
    // The ledger is closed whatever became of the socket.
    ledger.close(Some(models)).await?;
    Ok(served?)
}

/// The keys of the ledger, and the first of them where it is to be shown.
async fn access(engine: &Engine, file: Option<&Path>) -> anyhow::Result<(Arc<Access>, Option<String>)> {
    let access = Access::open(Arc::new(engine.clone())).await?;
    let shown = match file {
        _ if access.has_keys() => None,
        None => access.first_key().await?.map(|minted| minted.secret),
        Some(file) if file.exists() => {
            access.first_key_is(fs::read_to_string(file)?.trim()).await?;
            None
        }
        Some(file) => {
            let writing = || format!("the key cannot be written to {}", file.display());
            // Before there is a key: one that cannot be kept would be lost.
            let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
            let mut opened = opened.with_context(writing)?;
            if let Some(minted) = access.first_key().await? {
                writeln!(opened, "{}", minted.secret)
                    .and_then(|()| opened.sync_all())
                    .with_context(writing)?;
            }
            None
        }
    };
    Ok((access, shown))
}

/// Ready when the process is interrupted or told to terminate.
async fn stopped([mut interrupt, mut terminate]: [Signal; 2]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
