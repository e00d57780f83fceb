//! One document over HTTP, from a server that the operator has named: `GET`, and nothing else.
//!
//! * Over TLS 1.3; in the open only from this machine.
//! * It ends after [`TIME`] and [`BYTES_MAX`], whatever the other side does. It follows no redirect and uses no proxy: what is
//!   fetched is what was named.

use std::convert::Infallible;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, Uri, header};
use factlog_core::{Error, Result};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, crypto, version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls::authorities;

/// How long one document may take, connecting included.
pub(super) const TIME: Duration = Duration::from_secs(5);
/// Bytes of one document; those of large providers have a few thousand.
const BYTES_MAX: usize = 256 << 10;

/// Where a document is.
#[derive(Clone, Debug)]
pub(super) struct Address {
    uri: Uri,
    host: String,
    port: u16,
    pub(super) secure: bool,
}

impl Address {
    /// # Errors
    /// `Invalid` for what is no URL of HTTPS, or of HTTP on this machine.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::invalid(format!("{text:?} is no URL that keys can come from: {why}"));
        let uri: Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("it does not begin with https://"))?;
        if authority.as_str().contains('@') || text.contains('#') {
            return Err(wrong("it has a user or a fragment in it"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if loopback => false,
            Some("http") => return Err(wrong("whoever is on the way could change the keys; use https://")),
            Some(_) | None => return Err(wrong("it does not begin with https://")),
        };
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { uri, host, port, secure })
    }
}

/// What connections are secured with.
pub(super) fn tls(trusted: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    match trusted {
        Some(path) => authorities(path, &mut roots)?,
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            if roots.add_parsable_certificates(found).0 == 0 {
                return Err(Error::invalid(
                    "this system has no list of trusted authorities to fetch keys with; install its CA certificates, or \
                     name a file of authorities",
                ));
            }
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| Error::invalid("TLS 1.3 is not to be had").because(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The document there.
///
/// # Errors
/// Why there is none.
pub(super) async fn get(
    from: &Address,
    tls: Option<&Arc<ClientConfig>>,
) -> std::result::Result<Vec<u8>, String> {
    let fetching = async {
        let socket = TcpStream::connect((from.host.as_str(), from.port)).await;
        let socket = socket.map_err(|error| format!("cannot connect: {error}"))?;
        if !from.secure {
            return exchange(socket, from).await;
        }
        let config = tls.ok_or("TLS is not set up")?.clone();
        let name =
            ServerName::try_from(from.host.clone()).map_err(|error| format!("no certificate: {error}"))?;
        let secured = TlsConnector::from(config).connect(name, socket).await;
        exchange(secured.map_err(|error| format!("TLS failed: {error}"))?, from).await
    };
    let fetched = timeout(TIME, fetching).await;
    let fetched = fetched.unwrap_or_else(|_| Err(format!("no whole answer within {} s", TIME.as_secs())));
    fetched.map_err(|why| format!("{}: {why}", from.uri))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    from: &Address,
) -> std::result::Result<Vec<u8>, String> {
    let broken = |error: hyper::Error| format!("HTTP failed: {error}");
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(64 << 10).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let authority = from.uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(from.uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("factlog/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Body::empty())
        .map_err(|error| format!("no request: {error}"))?;
    let answering = async move {
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = to_bytes(Body::new(answer.into_body()), BYTES_MAX).await;
        body.map(Vec::from)
            .map_err(|error| format!("its answer breaks off or has more than {BYTES_MAX} bytes: {error}"))
    };
    // It only carries the answer, which says by itself that it broke off.
    let carrying = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = answering => answer,
        never = carrying => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if keys were fetched where others could change them on the way.
    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for (text, host, port, secure) in [
            ("https://login.example", "login.example", 443, true),
            ("https://[::1]:9/a?b", "::1", 9, true),
            ("http://127.0.0.1:8080/keys", "127.0.0.1", 8080, false),
            ("http://localhost/keys", "localhost", 80, false),
            ("http://[::1]", "::1", 80, false),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!((address.host.as_str(), address.port, address.secure), (host, port, secure));
        }
        for text in [
            "http://login.example/keys",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "ftp://127.0.0.1/",
            "https://user@login.example/",
            "https://login.example/#a",
            "login.example",
            "/keys",
            "file:///etc/passwd",
            "",
        ] {
            Address::parse(text).expect_err(text);
        }
    }
}
