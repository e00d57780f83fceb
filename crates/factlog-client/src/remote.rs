//! [`RemoteStore`]: the contract, each operation handed to what does it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use factlog_core::{
    Append, AppendError, Appended, BoxFuture, Error, EventStore, EventStream, Head, Position, Query,
    ReadOptions, Result, StartFrom, Subscription, Timestamp,
};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::transport::Endpoint;

use crate::bearer::{Bearer, Channel};

use crate::batches::Batches;
use crate::calls;
use crate::connect::Connector;
use crate::follow::Following;
use crate::pipeline::Pipeline;
use crate::queue::{Queue, closed};
use crate::reading::Reading;
use crate::retry::from_now;
use crate::target::Target;

/// Bytes that a stream may have fetched and not looked at. The connection as a whole has no bound of its own: one
/// stream that is not read must not hold up the others.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = i32::MAX as u32;
/// How often a silent connection is asked whether its peer is alive, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// A store on another machine. See the crate's documentation for what it promises.
#[derive(Debug)]
pub struct RemoteStore {
    shared: Arc<Shared>,
    queue: Queue,
    finished: watch::Receiver<bool>,
}

/// What its tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) channel: Channel,
    pub(crate) bearer: Bearer,
    pub(crate) target: Target,
    runtime: Handle,
    closed: watch::Sender<bool>,
    resumed: AtomicU64,
}

impl Shared {
    /// Tells when the client is closed.
    pub(crate) fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    pub(crate) fn count_resumed(&self) {
        self.resumed.fetch_add(1, Ordering::Relaxed);
    }
}

impl RemoteStore {
    /// A store at `factlog://host:port`, with `?deadline=10s&resume=5m` where those defaults do not fit: how long a call
    /// may take with all its retries, and how long a subscription tries to resume. `key-file=FILE` names the file with the key
    /// or the token to show; one that takes its place is shown from then on. It connects with the first call.
    ///
    /// With `factlogs://` over TLS: `ca=FILE` names the authorities to trust in place of the system's, `cert=FILE` and
    /// `cert-key=FILE` the certificate to show. The files are PEM, read anew for each connection; `%26` is an ampersand.
    ///
    /// # Errors
    /// `Invalid` for what is no connection string, for files that are not in order, where a key would travel in the open to
    /// another machine, and outside of a tokio runtime.
    pub fn open(connection: &str) -> Result<Self> {
        let target = Target::parse(connection)?;
        let bearer = target.key_file.as_deref().map(Bearer::from_file).transpose()?;
        Self::connect(connection, target, bearer.unwrap_or_default())
    }

    /// The same, showing this key, for programs that keep it elsewhere than in a file.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with_key(connection: &str, key: &str) -> Result<Self> {
        Self::connect(connection, Target::parse(connection)?, Bearer::new(key)?)
    }

    /// The same, showing the key or the token in this file.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_with_key_file(connection: &str, file: &Path) -> Result<Self> {
        Self::connect(connection, Target::parse(connection)?, Bearer::from_file(file)?)
    }

    fn connect(connection: &str, target: Target, bearer: Bearer) -> Result<Self> {
        if bearer.is_some() && !target.keeps_secrets() {
            return Err(Error::invalid(format!(
                "{connection:?} would send the key to another machine for everybody on the way to read; use TLS"
            )));
        }
        let runtime = Handle::try_current().map_err(|error| {
            Error::invalid("a remote store needs a tokio runtime; open it inside of one").because(error)
        })?;
        let endpoint = Endpoint::from_shared(format!("http://{}", target.authority))
            .map_err(|error| Error::invalid(format!("{connection:?} names no server")).because(error))?
            .connect_timeout(target.deadline)
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true);
        let channel = match &target.tls {
            None => endpoint.connect_lazy(),
            Some(files) => {
                let origin = format!("https://{}", target.authority).parse().map_err(|error| {
                    Error::invalid(format!("{connection:?} names no server")).because(error)
                })?;
                endpoint.origin(origin).connect_with_connector_lazy(Connector::new(&target, files)?)
            }
        };
        let channel = Channel::new(channel, bearer.clone());
        let (queue, items) = Queue::new();
        let (finish, finished) = watch::channel(false);
        runtime.spawn(Pipeline::new(channel.clone(), bearer.clone(), items).run(finish));
        let closed = watch::channel(false).0;
        let shared = Shared { channel, bearer, target, runtime, closed, resumed: AtomicU64::new(0) };
        Ok(Self { shared: Arc::new(shared), queue, finished })
    }

    /// How often a subscription of this client has resumed, or tried to.
    pub fn resumed(&self) -> u64 {
        self.shared.resumed.load(Ordering::Relaxed)
    }

    /// Does a call that changes nothing on the runtime, within its deadline.
    pub(crate) fn call<'a, T: Send + 'static>(
        &'a self,
        call: impl FnOnce(Channel, tokio::time::Instant) -> BoxFuture<'static, Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        Box::pin(async move {
            if *self.shared.closed.borrow() {
                return Err(closed());
            }
            let calling = call(self.shared.channel.clone(), from_now(self.shared.target.deadline));
            let called = self.shared.runtime.spawn(calling).await;
            called.unwrap_or_else(|error| {
                Err(Error::unavailable("the runtime of this client is gone").because(error))
            })
        })
    }
}

impl EventStore for RemoteStore {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            append.validate()?;
            let answer = self.queue.append(append, from_now(self.shared.target.deadline))?;
            answer.await.unwrap_or_else(|_| {
                let message = "the runtime of this client is gone; the append may have been written";
                Err(AppendError::Failed(Error::indeterminate(message)))
            })
        })
    }

    fn read(&self, query: Query, options: ReadOptions) -> EventStream {
        if *self.shared.closed.borrow() {
            return EventStream::failed(closed());
        }
        if let Err(error) = options.validate(&query) {
            return EventStream::failed(error);
        }
        let (fetched, steps) = Batches::new();
        let (channel, patience) = (self.shared.channel.clone(), self.shared.target.deadline);
        let reading = Reading { channel, patience, query, options, begun: false };
        self.shared.runtime.spawn(reading.run(fetched));
        EventStream::new(steps)
    }

    fn subscribe(&self, query: Query, from: StartFrom) -> Subscription {
        if *self.shared.closed.borrow() {
            return Subscription::failed(closed());
        }
        if let Err(error) = query.validate() {
            return Subscription::failed(error);
        }
        let (checkpoint, mark) = match from {
            StartFrom::Beginning => (None, None),
            StartFrom::After(position) => (Some(position), None),
            StartFrom::End => match self.queue.mark(from_now(self.shared.target.deadline)) {
                Ok(mark) => (None, Some(mark)),
                Err(error) => return Subscription::failed(error),
            },
        };
        let (fetched, deliveries) = Batches::new();
        let shared = self.shared.clone();
        let mut following = Following { shared, query, checkpoint, caught_up: None };
        self.shared.runtime.spawn(async move {
            if let Some(mark) = mark {
                match mark.await.unwrap_or_else(|_| Err(closed())) {
                    Ok(head) => following.checkpoint = head,
                    Err(error) => {
                        // Whoever follows may be gone.
                        let _ = fetched.send(Err(error)).await;
                        return;
                    }
                }
            }
            following.run(fetched).await;
        });
        Subscription::new(deliveries)
    }

    fn head(&self) -> BoxFuture<'_, Result<Head>> {
        self.call(|channel, deadline| Box::pin(calls::head(channel, deadline)))
    }

    fn tracking(&self, source: &str) -> BoxFuture<'_, Result<Option<Position>>> {
        let source = source.to_owned();
        self.call(|channel, deadline| Box::pin(calls::tracking(channel, deadline, source)))
    }

    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Option<Position>>> {
        self.call(move |channel, deadline| Box::pin(calls::position_at(channel, deadline, time)))
    }

    /// Closes this client; the store behind the server stays open.
    fn close(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.queue.close();
            self.shared.closed.send_replace(true);
            // An error says that the runtime is gone, and with it everything that could be finished.
            let _ = self.finished.clone().wait_for(|finished| *finished).await;
            Ok(())
        })
    }
}
