//! Connections over TLS.
//!
//! * The files are read for each connection, so that a certificate that is renewed while the client runs is shown.
//! * In TLS 1.3 a server judges the client's certificate after the client has finished: what it says then breaks the
//!   connection, whoever uses it. It is kept, and is what the next attempt to connect fails with, which is at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use factlog_core::{BoxFuture, Error, Result};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::{Service, http::Uri};

use crate::refused::Refused;
use crate::retry::{from_now, now};
use crate::target::{Target, TlsFiles};
use crate::tls;

/// How long what a server said of a connection tells what the next one would come to.
const NEWS: Duration = Duration::from_secs(2);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects to one server.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Inner>);

struct Inner {
    authority: String,
    name: ServerName<'static>,
    files: TlsFiles,
    /// Made when the client was opened, and used where there are no files that could change.
    config: Arc<ClientConfig>,
    /// What the server said of the last connection, and until when that is news.
    last: Mutex<Option<(Instant, Error)>>,
}

impl Connector {
    /// # Errors
    /// `Invalid` where a file is not in order or the host is no name.
    pub(crate) fn new(target: &Target, files: &TlsFiles) -> Result<Self> {
        let name = ServerName::try_from(target.host().to_owned()).map_err(|error| {
            Error::invalid(format!("{:?} is no name a certificate can be for", target.host())).because(error)
        })?;
        let config = Arc::new(tls::config(files)?);
        let (authority, files) = (target.authority.clone(), files.clone());
        Ok(Self(Arc::new(Inner { authority, name, files, config, last: Mutex::default() })))
    }

    async fn connect(self) -> Result<TokioIo<Secured>, BoxError> {
        let Inner { authority, name, last, .. } = &*self.0;
        let said = last.lock().take();
        if let Some((_, error)) = said.filter(|(until, _)| now() < *until) {
            return Err(Refused(error).into());
        }
        let config = self.config().await?;
        let socket = TcpStream::connect(authority.as_str()).await;
        let socket = socket.map_err(|error| format!("cannot connect to {authority}: {error}"))?;
        socket.set_nodelay(true)?;
        let connected = TlsConnector::from(config).connect(name.clone(), socket).await;
        let stream = connected.map_err(|error| match self.judge(&error) {
            Some(error) => BoxError::from(Refused(error)),
            None => format!("TLS with {authority} failed: {error}").into(),
        })?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            let message = format!("{authority} speaks TLS and not HTTP/2; is it a server of factlog?");
            return Err(Refused(Error::invalid(message)).into());
        }
        Ok(TokioIo::new(Secured { stream, connector: self }))
    }

    async fn config(&self) -> Result<Arc<ClientConfig>, BoxError> {
        let files = self.0.files.clone();
        if files == TlsFiles::default() {
            return Ok(self.0.config.clone());
        }
        let read = tokio::task::spawn_blocking(move || tls::config(&files)).await?;
        Ok(Arc::new(read?))
    }

    fn judge(&self, error: &io::Error) -> Option<Error> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        tls::disagreement(error, &self.0.authority)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Secured>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// A connection that remembers why the server ended it.
pub(crate) struct Secured {
    stream: TlsStream<TcpStream>,
    connector: Connector,
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if let Some(why) = read.as_ref().err().and_then(|error| self.connector.judge(error)) {
            *self.connector.0.last.lock() = Some((from_now(NEWS), why));
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
