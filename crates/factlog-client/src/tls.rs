//! Whom this client trusts and what it shows, and what it says when the two do not agree with the server.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use factlog_core::{Error, Result};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, InvalidMessage, RootCertStore, crypto, version,
};

use crate::target::TlsFiles;

/// Reads the files and makes of them what connections are secured with. Without files it asks the system.
pub(crate) fn config(files: &TlsFiles) -> Result<ClientConfig> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(|error| Error::invalid("TLS 1.3 is not to be had").because(error))?
        .with_root_certificates(roots(files.authorities.as_deref())?);
    let mut config = match &files.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key_path)) => {
            let (chain, key) = (certificates(certificate)?, key(key_path)?);
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                let [certificate, key] = [certificate.display(), key_path.display()];
                let message = format!("cert={certificate} and cert-key={key} do not go together: {error}");
                Error::invalid(message).because(error)
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn roots(authorities: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(path) = authorities else {
        let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if added == 0 {
            return Err(Error::invalid(
                "this system has no list of trusted authorities; install its CA certificates, or give ?ca=FILE",
            ));
        }
        return Ok(roots);
    };
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| {
            let message = format!("a certificate in {} is no authority's: {error}", path.display());
            Error::invalid(message).because(error)
        })?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(path)?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| {
        Error::invalid(format!(
            "there are no certificates in {}; give a PEM file with -----BEGIN CERTIFICATE-----",
            path.display()
        ))
    })
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| {
        Error::invalid(format!(
            "there is no private key in {} that can be read: {error}; give a PEM file with -----BEGIN PRIVATE KEY-----",
            path.display()
        ))
        .because(error)
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| Error::invalid(format!("cannot read {}: {error}", path.display())).because(error))
}

/// Why this client and the server at `authority` will not agree, however often they try; `None` where they may.
pub(crate) fn disagreement(error: &rustls::Error, authority: &str) -> Option<Error> {
    let ours = |what: &str| Error::invalid(format!("the certificate of {authority} {what}"));
    let theirs = |what: &str| Error::denied(format!("{authority} {what}"));
    Some(match error {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            // A bad signature is that of another authority of the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => ours(
                "is signed by nobody this client trusts; give ?ca=FILE with the certificate of the authority that signed it",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                ours(&format!(
                    "is for another name; connect by a name it is for, or have it signed for this one too ({wrong})"
                ))
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ours(&format!("has expired; renew it, a server of factlog takes it up by itself ({wrong})"))
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ours(&format!("is not valid yet; compare the clocks of both machines ({wrong})"))
            }
            other => ours(&format!("is not accepted: {other}")),
        },
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Error::invalid(format!(
            "{authority} answers without TLS; give factlog:// in place of factlogs://, or start the server with \
             --tls-cert and --tls-key"
        )),
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => {
                theirs("wants this client to show a certificate; give ?cert=FILE&cert-key=FILE")
            }
            // The latter where another authority of the same name has signed it.
            AlertDescription::UnknownCA | AlertDescription::DecryptError => theirs(
                "does not know the authority that signed this client's certificate; show one of the authority that its \
                 --tls-client-ca names",
            ),
            AlertDescription::CertificateExpired => {
                theirs("says that this client's certificate has expired; renew it")
            }
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied => {
                theirs(&format!("does not accept this client's certificate: {alert:?}"))
            }
            AlertDescription::ProtocolVersion | AlertDescription::NoApplicationProtocol => {
                theirs(&format!("does not speak HTTP/2 over TLS 1.3: {alert:?}"))
            }
            _ => return None,
        },
        _ => return None,
    })
}
