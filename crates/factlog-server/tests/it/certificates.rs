//! Certificates made for one test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// An authority, and what it has signed, in files.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: TempDir,
    issued: AtomicUsize,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named(&fastrand::u64(..).to_string())
    }

    /// Not the same as another of this name.
    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let dir = tempfile::tempdir().expect("a directory");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).expect("write");
        Self { issuer: Issuer::new(params, key), dir, issued: AtomicUsize::new(0) }
    }

    /// Its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A certificate for these names, changed by `change` before it is signed.
    pub(crate) fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let path = |what: &str| self.dir.path().join(format!("{what}-{number}.pem"));
        let issued = Issued { certificate: path("cert"), key: path("key") };
        std::fs::write(&issued.certificate, certificate.pem()).expect("write");
        std::fs::write(&issued.key, key.serialize_pem()).expect("write");
        issued
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| {})
    }

    /// One for a server on loopback.
    pub(crate) fn server(&self) -> Issued {
        self.issue(&["127.0.0.1", "localhost"])
    }
}

impl Issued {
    /// Puts another in the place of this one, each file at once.
    pub(crate) fn replace(&self, other: &Self) {
        let put = |from: &Path, to: &Path| {
            let beside = to.with_extension("new");
            std::fs::copy(from, &beside).expect("copy");
            std::fs::rename(&beside, to).expect("rename");
        };
        put(&other.certificate, &self.certificate);
        put(&other.key, &self.key);
    }
}
