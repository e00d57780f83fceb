//! Where the keys of an issuer come from: discovery at the issuer, a URL, or a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::{Error, Result};
use rustls::ClientConfig;
use serde::Deserialize;

use super::fetch::{Address, get, tls};
use super::settings::{TokenKeys, TokenSettings};

/// Bytes of a file of keys.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) enum Source {
    Discovered { issuer: String, at: Address, tls: Option<Arc<ClientConfig>> },
    Url { at: Address, tls: Option<Arc<ClientConfig>> },
    File(PathBuf),
}

/// What an issuer says of itself (OpenID Connect Discovery 1.0, 4.2).
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Source {
    /// # Errors
    /// `Invalid` for what is no such URL, and where there is nobody to trust.
    pub(super) fn new(settings: &TokenSettings) -> Result<Self> {
        let secured = |at: &Address| at.secure.then(|| tls(settings.authorities.as_deref())).transpose();
        Ok(match &settings.keys {
            TokenKeys::File(path) => Self::File(path.clone()),
            TokenKeys::Url(url) => {
                let at = Address::parse(url)?;
                Self::Url { tls: secured(&at)?, at }
            }
            TokenKeys::Discovered => {
                let issuer = settings.issuer.clone();
                let at = Address::parse(&format!(
                    "{}/.well-known/openid-configuration",
                    issuer.strip_suffix('/').unwrap_or(&issuer)
                ))?;
                Self::Discovered { issuer, tls: secured(&at)?, at }
            }
        })
    }

    /// The set of keys as it is now.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn fetch(&self) -> std::result::Result<Vec<u8>, String> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read(&path)).await;
                read.unwrap_or_else(|error| Err(error.to_string()))
            }
            Self::Url { at, tls } => get(at, tls.as_ref()).await,
            Self::Discovered { issuer, at, tls } => {
                let document = get(at, tls.as_ref()).await?;
                let at = keys_of(&document, issuer, at.secure)?;
                get(&at, tls.as_ref()).await
            }
        }
    }

    /// What it is, for whoever is told that it fails.
    pub(super) fn named(&self) -> &'static str {
        match self {
            Self::Discovered { .. } => "the issuer of tokens",
            Self::Url { .. } => "the URL of the keys of tokens",
            Self::File(_) => "the file of the keys of tokens",
        }
    }
}

/// The set of keys in a file.
pub(super) fn read(path: &Path) -> std::result::Result<Vec<u8>, String> {
    let told = |why: String| format!("{}: {why}", path.display());
    let of = fs::metadata(path).map_err(|error| told(error.to_string()))?;
    if FILE_BYTES_MAX < of.len() {
        return Err(told(format!("it has {} bytes; {FILE_BYTES_MAX} are the most", of.len())));
    }
    fs::read(path).map_err(|error| told(error.to_string()))
}

/// Where the keys are, as the issuer says. One that is reached over TLS cannot send us anywhere else.
fn keys_of(document: &[u8], issuer: &str, secure: bool) -> std::result::Result<Address, String> {
    let document: Document = serde_json::from_slice(document)
        .map_err(|error| format!("its configuration cannot be read: {error}"))?;
    if document.issuer != issuer {
        let Document { issuer: other, .. } = document;
        return Err(format!(
            "it says that it is {other:?} and not {issuer:?}; name it exactly as it names itself"
        ));
    }
    let at = Address::parse(&document.jwks_uri).map_err(|error: Error| error.to_string())?;
    match secure && !at.secure {
        true => Err(format!("it names keys without TLS: {:?}", document.jwks_uri)),
        false => Ok(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if one issuer's keys were taken for another's, or fetched in the open for one behind TLS.
    #[test]
    fn an_issuer_speaks_for_itself_only() {
        let told = |issuer: &str, keys: &str, secure| {
            let document = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{keys}","more":1}}"#);
            keys_of(document.as_bytes(), "https://a.example", secure).map(drop)
        };
        told("https://a.example", "https://keys.example/a", true).expect("as it is with Google");
        for (issuer, keys) in [
            ("https://a.example/", "https://a.example/keys"),
            ("https://b.example", "https://a.example/keys"),
            ("https://a.example", "http://a.example/keys"),
            ("https://a.example", "http://127.0.0.1/keys"),
            ("https://a.example", "file:///etc/passwd"),
        ] {
            told(issuer, keys, true).expect_err(keys);
        }
        told("https://a.example", "http://127.0.0.1/keys", false).expect("both on this machine");
        keys_of(b"{}", "https://a.example", true).expect_err("it says nothing");
    }
}
