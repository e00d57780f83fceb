//! A store behind a server of its own, and a client of it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use factlog_client::RemoteStore;
use factlog_core::Administration;
use factlog_server::{Access, ClientCertificates, Server, Tls};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::certificates::{Authority, Issued};

/// A runtime for servers and clients.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A server that runs.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    /// The authority of its certificate, where it has one.
    authority: Option<PathBuf>,
    /// The file with the key that its clients show.
    pub(crate) key_file: Option<PathBuf>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<factlog_core::Result<()>>,
}

impl Served {
    /// Serves a store on a free port.
    pub(crate) async fn start(store: Arc<dyn Administration>) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), store).await
    }

    /// Serves a store at this address.
    pub(crate) async fn start_at(address: SocketAddr, store: Arc<dyn Administration>) -> Self {
        Self::run(address, Server::administered(store), None).await
    }

    /// Runs this server on a free port.
    pub(crate) async fn start_server(server: Server) -> Self {
        Self::run("127.0.0.1:0".parse().expect("an address"), server, None).await
    }

    /// Serves a store on a free port as `change` says, without TLS.
    pub(crate) async fn start_with(
        store: Arc<dyn Administration>,
        change: impl FnOnce(Server) -> Server,
    ) -> Self {
        let address = "127.0.0.1:0".parse().expect("an address");
        Self::run(address, change(Server::administered(store)), None).await
    }

    /// Serves a store whose callers show keys.
    pub(crate) async fn start_authenticated(store: Arc<dyn Administration>, access: Arc<Access>) -> Self {
        Self::start_with(store, |server| server.authenticated(access)).await
    }

    /// The same over TLS, with a certificate of this authority.
    pub(crate) async fn secured(
        store: Arc<dyn Administration>,
        authority: &Authority,
        (certificate, clients): (&Issued, ClientCertificates),
        change: impl FnOnce(Server) -> Server,
    ) -> Self {
        let tls = Tls::open(&certificate.certificate, &certificate.key, clients).expect("in order");
        let server = change(Server::administered(store).tls(tls));
        Self::run("127.0.0.1:0".parse().expect("an address"), server, Some(authority.file())).await
    }

    async fn run(address: SocketAddr, server: Server, authority: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind(address).await.expect("bind");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(server.serve(listener, shutdown));
        Self { address, authority, key_file: None, stop, serving }
    }

    /// A client of it.
    pub(crate) fn client(&self, parameters: &str) -> RemoteStore {
        client_of(&self.url(self.address, parameters))
    }

    /// Where it is, for one who reaches it by way of this address.
    pub(crate) fn url(&self, address: SocketAddr, parameters: &str) -> String {
        let Some(authority) = &self.authority else { return format!("factlog://{address}{parameters}") };
        let more = parameters.replacen('?', "&", 1);
        let key =
            self.key_file.as_ref().map_or(String::new(), |file| format!("&key-file={}", file.display()));
        format!("factlogs://{address}?ca={}{key}{more}", authority.display())
    }

    /// A client of it that shows this key.
    pub(crate) fn client_with(&self, key: &str) -> RemoteStore {
        RemoteStore::open_with_key(&self.url(self.address, "?deadline=60s"), key)
            .expect("a connection string")
    }

    /// Stops it and waits until it has stopped.
    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.serving.await.expect("no panic").expect("it ends in order");
    }
}

/// A client of whatever listens there.
pub(crate) fn client(address: SocketAddr, parameters: &str) -> RemoteStore {
    client_of(&format!("factlog://{address}{parameters}"))
}

/// A client with this connection string.
pub(crate) fn client_of(url: &str) -> RemoteStore {
    RemoteStore::open(url).expect("a connection string")
}
