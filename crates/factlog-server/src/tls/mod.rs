//! TLS: the server's certificate and key, the clients it trusts, and new files taken up while it runs.
//!
//! * TLS 1.3 only, with the primitives of aws-lc.
//! * A connection keeps what it was accepted with. New files are for new connections, and only once all of them together
//!   are in order.
//! * Nothing is resumed where clients show certificates: each connection is verified as of now.

mod files;
mod names;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use factlog_core::{Error, Result};
use parking_lot::{Mutex, RwLock};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use rustls::{RootCertStore, crypto, version};
use tokio_rustls::TlsAcceptor;

pub(crate) use files::authorities;
use files::{Stamp, certificates, key, stamp};
pub(crate) use names::{PeerName, expires};

/// Whether clients show certificates, and the file of the authorities that sign them.
///
/// Name a private authority: one that signs for everybody vouches for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked for one.
    Unasked,
    /// They may show one. Who shows one of another authority is refused.
    Optional(PathBuf),
    /// They must show one.
    Required(PathBuf),
}

/// A certificate and its key in files, as they were when last looked at.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    clients: ClientCertificates,
    config: RwLock<Arc<ServerConfig>>,
    /// When the server's certificate expires, in seconds since 1970; 0 where it does not say.
    expires: Arc<AtomicU64>,
    /// Of the files that `config` was made from.
    stamps: Mutex<Vec<Stamp>>,
}

impl Tls {
    /// Reads a chain of certificates (the server's own first) and its key, both in PEM.
    ///
    /// # Errors
    /// `Invalid` where a file cannot be read, is not what it should be, or the key is another's. It says which and what to do.
    pub fn open(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        clients: ClientCertificates,
    ) -> Result<Self> {
        let (certificate, key) = (certificate.into(), key.into());
        let stamps = stamps(&certificate, &key, &clients);
        let (config, expires) = config(&certificate, &key, &clients)?;
        let (config, expires) = (RwLock::new(Arc::new(config)), Arc::new(expires.into()));
        let stamps = Mutex::new(stamps);
        Ok(Self(Arc::new(Inner { certificate, key, clients, config, expires, stamps })))
    }

    /// What a new connection is secured with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.config.read().clone().into()
    }

    /// When the certificate in use expires, in seconds since 1970; 0 where it does not say.
    pub(crate) fn expires(&self) -> Arc<AtomicU64> {
        self.0.expires.clone()
    }

    /// Takes up the files if they have changed. Where they are not in order, what was read last stays.
    pub(crate) fn reload(&self) -> Result<()> {
        let Inner { certificate, key, clients, .. } = &*self.0;
        // Before they are read: what changes meanwhile is read again the next time.
        let found = stamps(certificate, key, clients);
        let mut known = self.0.stamps.lock();
        if *known == found {
            return Ok(());
        }
        let (fresh, expires) = config(certificate, key, clients)?;
        *self.0.config.write() = Arc::new(fresh);
        self.0.expires.store(expires, Ordering::Relaxed);
        *known = found;
        Ok(())
    }
}

impl ClientCertificates {
    fn authority(&self) -> Option<&Path> {
        match self {
            Self::Unasked => None,
            Self::Optional(path) | Self::Required(path) => Some(path),
        }
    }
}

fn stamps(certificate: &Path, key: &Path, clients: &ClientCertificates) -> Vec<Stamp> {
    [certificate, key].into_iter().chain(clients.authority()).map(stamp).collect()
}

/// What connections are secured with, and when its certificate expires.
fn config(certificate: &Path, key_path: &Path, clients: &ClientCertificates) -> Result<(ServerConfig, u64)> {
    let chain = certificates(certificate)?;
    let expires = chain.first().and_then(expires).unwrap_or(0);
    let key = key(key_path)?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| Error::invalid("TLS 1.3 is not to be had").because(error))?;
    let builder = match clients.authority() {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            authorities(path, &mut roots)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match clients {
                ClientCertificates::Optional(_) => verifier.allow_unauthenticated(),
                ClientCertificates::Unasked | ClientCertificates::Required(_) => verifier,
            };
            let verifier = verifier.build().map_err(|error| {
                Error::invalid(format!("{} cannot verify clients", path.display())).because(error)
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        let [certificate, key] = [certificate.display(), key_path.display()];
        Error::invalid(format!(
            "the key in {key} and the certificate in {certificate} do not go together: {error}"
        ))
        .because(error)
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if clients.authority().is_some() {
        config.send_tls13_tickets = 0;
    }
    Ok((config, expires))
}
