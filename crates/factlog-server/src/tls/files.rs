//! Certificates and keys in PEM files. Every refusal names the file and says what to do.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use factlog_core::{Error, Result};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What changes when a file does: its inode, its length, and when it was written and renamed. `None` where there is none.
pub(super) type Stamp = Option<(u64, u64, i64, i64, i64)>;

pub(super) fn stamp(path: &Path) -> Stamp {
    let of = fs::metadata(path).ok()?;
    // The time of change too: a file of the same length may keep its time of writing.
    Some((of.ino(), of.len(), of.mtime(), of.mtime_nsec(), of.ctime_nsec()))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        Error::invalid(format!("cannot read {what} in {}: {error}", path.display())).because(error)
    })
}

/// The certificates in a file, in order.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(path, "the certificates")?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| {
        Error::invalid(format!("{} is no PEM file: {error}", path.display())).because(error)
    })?;
    if found.is_empty() {
        return Err(Error::invalid(format!(
            "there is no certificate in {}; give a PEM file with -----BEGIN CERTIFICATE-----",
            path.display()
        )));
    }
    Ok(found)
}

/// The first private key in a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let bytes = read(path, "the key")?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        Error::invalid(format!(
            "there is no private key in {} that can be read: {error}; give a PEM file with -----BEGIN PRIVATE KEY----- \
             (an encrypted key is opened with `openssl pkey -in FILE -out FILE`)",
            path.display()
        ))
        .because(error)
    })
}

/// Adds the certificates in a file to those that are trusted.
pub(crate) fn authorities(path: &Path, roots: &mut RootCertStore) -> Result<()> {
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| {
            let message = format!("a certificate in {} is no authority's: {error}", path.display());
            Error::invalid(message).because(error)
        })?;
    }
    Ok(())
}
