//! A store behind a server of its own, and a client of it.

use std::net::SocketAddr;
use std::sync::Arc;

use factlog_client::RemoteStore;
use factlog_core::Administration;
use factlog_server::Server;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A runtime for servers and clients.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A server that runs.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
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
        Self::start_server_at(address, Server::administered(store)).await
    }

    /// Runs this server on a free port.
    pub(crate) async fn start_server(server: Server) -> Self {
        Self::start_server_at("127.0.0.1:0".parse().expect("an address"), server).await
    }

    async fn start_server_at(address: SocketAddr, server: Server) -> Self {
        let listener = TcpListener::bind(address).await.expect("bind");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(server.serve(listener, shutdown));
        Self { address, stop, serving }
    }

    /// A client of it.
    pub(crate) fn client(&self, parameters: &str) -> RemoteStore {
        client(self.address, parameters)
    }

    /// Stops it and waits until it has stopped.
    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.serving.await.expect("no panic").expect("it ends in order");
    }
}

/// A client of whatever listens there.
pub(crate) fn client(address: SocketAddr, parameters: &str) -> RemoteStore {
    RemoteStore::open(&format!("factlog://{address}{parameters}")).expect("a connection string")
}
