//! Connections: accepted, secured, bounded, and told to end.
//!
//! * Nothing that a peer does stops the others from being accepted or served: whoever is slow is waited for in a task of
//!   their own, and cut after a time; whoever is one too many is closed.
//! * Nothing that the machine does, such as running out of file descriptors, ends the server.
//! * When the server stops, nobody is accepted any more, and those who are there have [`DRAIN`] to end.

mod accept;
mod activity;
mod calls;
mod connection;
mod held;
mod limits;
mod plain;
mod taking;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use factlog_core::Error;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub(crate) use calls::{Broken, PeerAddress};
pub(crate) use held::{Held, LARGE};
pub use limits::Limits;

use crate::metrics::{Metrics, Open};
use crate::stopped;
use crate::tls::Tls;
use accept::Accepting;
use connection::Connection;
use held::Room;

/// How long calls under way may take to end when the server stops.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Who is told of what an operator should know and no caller can be told.
#[derive(Clone)]
pub(crate) struct Report(pub(crate) Arc<dyn Fn(&Error) + Send + Sync>);

impl std::fmt::Debug for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Report")
    }
}

/// What serves every connection.
pub(crate) struct Listening {
    pub(crate) routes: Router,
    pub(crate) tls: Option<Tls>,
    pub(crate) limits: Limits,
    pub(crate) report: Report,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Listening {
    /// Accepts and serves until the server stops, and then until all connections have ended, ten seconds at most.
    pub(crate) async fn run(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        let mut reloading = JoinSet::new();
        if let Some(tls) = &self.tls {
            reloading.spawn(reload(tls.clone(), self.limits.reload, self.report.clone()));
        }
        self.accept(listener, &mut connections).await;
        // What has not ended by then hangs on a peer that does not read: its connection is cut with the set.
        let _ = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    }

    /// Ends, and with it the listener, when the server stops.
    async fn accept(&self, listener: TcpListener, connections: &mut JoinSet<()>) {
        let routes = TowerToHyperService::new(self.routes.clone());
        let limits = Arc::new(self.limits.clone());
        let held = [&self.metrics.requests_held, &self.metrics.answers_held];
        let rooms = held.map(|held| Room::new(limits.request_bytes, held.clone()));
        let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        let mut accepting = Accepting::new(self.report.clone());
        let mut stop = Box::pin(stopped(self.stopping.clone()));
        loop {
            let accepted = tokio::select! {
                () = &mut stop => return,
                accepted = accepting.next(|| listener.accept()) => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let (socket, address) = accepted;
            // One too many is closed: to answer it, it would have to be listened to first.
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let connection = Connection {
                address: PeerAddress(address),
                routes: routes.clone(),
                limits: limits.clone(),
                rooms: rooms.clone(),
                stopping: self.stopping.clone(),
            };
            let acceptor = self.tls.as_ref().map(Tls::acceptor);
            let open = Open::count(&self.metrics);
            connections.spawn(async move {
                connection.serve(socket, acceptor).await;
                drop((open, place));
            });
        }
    }
}

/// Takes up new certificates for as long as the server runs. The same trouble is reported once.
async fn reload(tls: Tls, every: Duration, report: Report) {
    let mut last = None;
    loop {
        sleep(every).await;
        let files = tls.clone();
        let Ok(reloaded) = tokio::task::spawn_blocking(move || files.reload()).await else { return };
        let trouble = reloaded.err().map(|error| error.to_string());
        if let Some(text) = trouble.as_ref().filter(|text| last.as_ref() != Some(*text)) {
            let message = format!("the new certificates are not taken up, the old ones stay: {text}");
            (report.0)(&Error::unavailable(message));
        }
        last = trouble;
    }
}

/// Whether a server may listen there: an address that other machines can reach needs TLS and authentication.
pub(crate) fn check(address: SocketAddr, tls: bool, authenticated: bool) -> factlog_core::Result<()> {
    if address.ip().to_canonical().is_loopback() || (tls && authenticated) {
        return Ok(());
    }
    let missing = match (tls, authenticated) {
        (false, false) => "TLS and authentication",
        (false, true) => "TLS",
        (true, _) => "authentication",
    };
    Err(Error::invalid(format!(
        "refusing to listen on {address}: other machines can reach it and there is no {missing}; \
         listen on 127.0.0.1 or [::1]"
    )))
}

#[cfg(test)]
mod tests;
