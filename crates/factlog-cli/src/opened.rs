//! A store that a command uses, embedded or behind a server: the same contract, and one way to its identity.

use std::cell::OnceCell;
use std::net::{TcpStream, ToSocketAddrs};
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use factlog_client::RemoteStore;
use factlog_core::access::AccessControl;
use factlog_core::{Administration, EventStore as _, ProjectionInfo};
use factlog_engine::Engine;
use factlog_server::Access;
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
    pub(crate) fn remote(url: &str, key_file: Option<&Path>) -> Outcome<Self> {
        let remote = Remote::reached(url, key_file)?;
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

    /// Its keys and grants: as the owner of the files, or as the key that the server is shown allows.
    pub(crate) fn access(&self) -> factlog_core::Result<Arc<dyn AccessControl>> {
        match &self.remote {
            Some(remote) => Ok(remote.store.clone()),
            None => Ok(pollster::block_on(Access::open(self.store.clone()))?.as_owner()),
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
    pub(crate) fn reached(url: &str, key_file: Option<&Path>) -> Outcome<Self> {
        let remote = Self::new(url, key_file)?;
        reach(url)?;
        Ok(remote)
    }

    /// Whether the server takes requests now.
    pub(crate) fn ready(&self) -> factlog_core::Result<()> {
        pollster::block_on(self.store.ready())
    }

    /// How the projections beside the server are.
    pub(crate) fn projections(&self) -> factlog_core::Result<Vec<ProjectionInfo>> {
        pollster::block_on(self.store.projections(None))
    }

    fn new(url: &str, key_file: Option<&Path>) -> Outcome<Self> {
        let key = key_file.map(key_in).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::io("start the runtime", &error))?;
        let entered = runtime.enter();
        let store = match (key_file, &key) {
            // What is a pipe can be read once only; a file may be renewed while the command runs.
            (Some(file), Some(_)) if file.is_file() => RemoteStore::open_with_key_file(url, file),
            (_, Some(key)) => RemoteStore::open_with_key(url, key),
            (_, None) => RemoteStore::open(url),
        };
        let store = store.map_err(|error| {
            Failure::new(Kind::Usage, format!("{url:?} cannot be used as a server"))
                .because(error.to_string())
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
    Remote::new(url, None).map(drop)
}

/// The key in a file: its first line.
pub(crate) fn key_in(path: &Path) -> Outcome<String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::io(format_args!("read the key in {}", path.display()), &error))?;
    let key = text.lines().next().unwrap_or_default().trim();
    if key.is_empty() {
        return Err(Failure::new(Kind::Usage, format!("there is no key in {}", path.display()))
            .advise("its first line is the key, as `factlog auth keys create --output FILE` writes it"));
    }
    Ok(key.to_owned())
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
