//! A store that a command uses, embedded or behind a server: the same contract, and one way to its identity.

use std::cell::OnceCell;
use std::net::{TcpStream, ToSocketAddrs};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use factlog_client::RemoteStore;
use factlog_core::{Administration, EventStore as _};
use factlog_engine::Engine;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::failure::{Failure, Kind, Outcome};
use crate::render::Format;

/// How long a machine may take to answer that something listens there.
const REACH: Duration = Duration::from_secs(5);

/// An open store.
pub(crate) struct Opened {
    store: Arc<dyn Administration>,
    /// Asked for once, and only if wanted: a server counts all it has for it.
    id: OnceCell<Uuid>,
    pub(crate) remote: Option<Remote>,
}

/// What a store behind a server has besides.
pub(crate) struct Remote {
    pub(crate) url: String,
    store: Arc<RemoteStore>,
    /// Does the work of the store; last, so that it outlives it.
    pub(crate) runtime: Runtime,
}

impl Opened {
    pub(crate) fn embedded(engine: Engine) -> Self {
        let id = OnceCell::from(engine.id());
        Self { store: Arc::new(engine), id, remote: None }
    }

    /// The store behind a server, which must be there: what waits for one that is not would look as if it hung.
    pub(crate) fn remote(url: &str) -> Outcome<Self> {
        let remote = Remote::reached(url)?;
        Ok(Self { store: remote.store.clone(), id: OnceCell::new(), remote: Some(remote) })
    }

    /// Which store it is.
    pub(crate) fn id(&self) -> Outcome<Uuid> {
        if let Some(id) = self.id.get() {
            return Ok(*id);
        }
        let stats = pollster::block_on(self.store.stats());
        let stats = stats.map_err(|error| Failure::store("ask which store it is", &error))?;
        let id = stats.store.ok_or_else(|| {
            Failure::new(Kind::Invalid, "the server does not tell which store it serves")
                .advise("it may be older than this program; upgrade it")
        })?;
        Ok(*self.id.get_or_init(|| id))
    }

    /// Which store it is, for a format that says so; nobody is asked for one that does not.
    pub(crate) fn id_for(&self, format: Format) -> Outcome<Uuid> {
        match format {
            Format::Table | Format::Ndjson => Ok(self.id.get().copied().unwrap_or_default()),
            Format::Cloudevents => self.id(),
        }
    }

    /// Finishes with it; a failure to do so is the command's failure.
    pub(crate) fn close(&self) -> Outcome {
        pollster::block_on(self.store.close()).map_err(|error| Failure::store("close the store", &error))
    }
}

impl Deref for Opened {
    type Target = dyn Administration;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl Remote {
    /// The store behind a server, if something listens there.
    pub(crate) fn reached(url: &str) -> Outcome<Self> {
        let remote = Self::new(url)?;
        reach(url)?;
        Ok(remote)
    }

    /// Whether the server takes requests now.
    pub(crate) fn ready(&self) -> factlog_core::Result<()> {
        pollster::block_on(self.store.ready())
    }

    fn new(url: &str) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::io("start the runtime", &error))?;
        let entered = runtime.enter();
        let store = RemoteStore::open(url).map_err(|error| {
            Failure::new(Kind::Usage, format!("{url:?} names no server")).because(error.to_string())
        })?;
        drop(entered);
        Ok(Self { url: url.to_owned(), store: Arc::new(store), runtime })
    }

    /// How often a subscription has tried to resume.
    pub(crate) fn resumed(&self) -> u64 {
        self.store.resumed()
    }
}

/// Refuses what is no connection string, without connecting.
pub(crate) fn check_url(url: &str) -> Outcome {
    Remote::new(url).map(drop)
}

/// Whether something listens where a connection string says, which is known to be one.
fn reach(url: &str) -> Outcome {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let authority = place.split(['/', '?']).next().unwrap_or(place);
    let mut why = "its name has no address".to_owned();
    match authority.to_socket_addrs() {
        Ok(addresses) => {
            for address in addresses {
                match TcpStream::connect_timeout(&address, REACH) {
                    Ok(_) => return Ok(()),
                    Err(error) => why = error.to_string(),
                }
            }
        }
        Err(error) => why = error.to_string(),
    }
    Err(Failure::new(Kind::Unavailable, format!("no server answers at {url}"))
        .because(why)
        .advise("is `factlog serve` running there? start it, or correct the address; nothing was written"))
}
