//! An issuer of tokens on a real socket: discovery, its keys, and pairs of keys that really sign.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::certificates::Issued;

/// What it does when it is asked for its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Fine,
    Down,
    Silent,
    Endless,
    Elsewhere,
    Garbage,
    OfAnother,
}

/// An issuer.
pub(crate) struct Provider {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    mood: Mutex<Mood>,
    keys: Mutex<Vec<Value>>,
    asked: AtomicUsize,
}

impl Provider {
    pub(crate) async fn start(keys: &[Value]) -> Self {
        Self::run(keys, None).await
    }

    /// The same over TLS.
    pub(crate) async fn secured(keys: &[Value], issued: &Issued) -> Self {
        let chain = vec![CertificateDer::from_pem_file(&issued.certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(&issued.key).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a pair");
        Self::run(keys, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn run(keys: &[Value], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address: SocketAddr = listener.local_addr().expect("an address");
        let url = format!("http{}://{address}/realm", if tls.is_some() { "s" } else { "" });
        let (mood, keys) = (Mutex::new(Mood::Fine), Mutex::new(keys.to_vec()));
        let shared = Arc::new(Shared { url: url.clone(), mood, keys, asked: AtomicUsize::new(0) });
        let router = Router::new()
            .route("/realm/.well-known/openid-configuration", routing::get(configuration))
            .route("/realm/keys", routing::get(published))
            .with_state(shared.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (service, tls) = (TowerToHyperService::new(router.clone()), tls.clone());
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    let Some(tls) = tls else {
                        let _ = server.serve_connection(TokioIo::new(socket), service).await;
                        return;
                    };
                    let Ok(secured) = tls.accept(socket).await else { return };
                    let _ = server.serve_connection(TokioIo::new(secured), service).await;
                });
            }
        });
        Self { url, shared }
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.shared.mood.lock() = mood;
    }

    pub(crate) fn publishes(&self, keys: &[Value]) {
        *self.shared.keys.lock() = keys.to_vec();
    }

    /// How often it was asked for its configuration.
    pub(crate) fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

async fn configuration(State(shared): State<Arc<Shared>>, _: Request) -> Response {
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let mood = *shared.mood.lock();
    let issuer = if mood == Mood::OfAnother { "https://login.example" } else { &shared.url };
    match mood {
        Mood::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Silent => std::future::pending().await,
        Mood::Fine | Mood::Endless | Mood::Elsewhere | Mood::Garbage | Mood::OfAnother => {
            json!({ "issuer": issuer, "jwks_uri": format!("{}/keys", shared.url) })
                .to_string()
                .into_response()
        }
    }
}

async fn published(State(shared): State<Arc<Shared>>, _: Request) -> Response {
    let keys = shared.keys.lock().clone();
    let mood = *shared.mood.lock();
    match mood {
        Mood::Endless => {
            let more = || Ok::<_, std::convert::Infallible>(vec![b' '; 16 << 10]);
            Body::from_stream(futures_util::stream::repeat_with(more)).into_response()
        }
        Mood::Elsewhere => {
            (StatusCode::FOUND, [("location", "/realm/.well-known/openid-configuration")]).into_response()
        }
        Mood::Garbage => "{\"keys\":".into_response(),
        Mood::Fine | Mood::Down | Mood::Silent | Mood::OfAnother => {
            json!({ "keys": keys }).to_string().into_response()
        }
    }
}

/// A pair of keys with an id.
pub(crate) struct Pair {
    pub(crate) id: &'static str,
    secret: Secret,
}

enum Secret {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Pair {
    pub(crate) fn rsa(id: &'static str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a pair");
        Self { id, secret: Secret::Rsa(Box::new(pair)) }
    }

    pub(crate) fn ec(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a pair");
        Self { id, secret: Secret::Ec(pair) }
    }

    pub(crate) fn ed(id: &'static str) -> Self {
        Self { id, secret: Secret::Ed(Ed25519KeyPair::generate().expect("a pair")) }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self.secret {
            Secret::Rsa(_) => "RS256",
            Secret::Ec(_) => "ES256",
            Secret::Ed(_) => "EdDSA",
        }
    }

    /// The public half, as it is published.
    pub(crate) fn public(&self) -> Value {
        match &self.secret {
            Secret::Rsa(pair) => {
                let [n, e] = [pair.public_key().modulus(), pair.public_key().exponent()]
                    .map(|part| text(part.big_endian_without_leading_zero()));
                json!({ "kid": self.id, "kty": "RSA", "use": "sig", "alg": "RS256", "n": n, "e": e })
            }
            Secret::Ec(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kid": self.id, "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
            }
            Secret::Ed(pair) => {
                json!({ "kid": self.id, "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) })
            }
        }
    }

    /// The public half as everybody has it, in the form that programs which confuse keys take for a secret.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Secret::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Secret::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("sign");
                signature
            }
            Secret::Ec(pair) => pair.sign(&random, message).expect("sign").as_ref().to_vec(),
            Secret::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token that says this and is signed by this pair.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.algorithm(), "kid": self.id, "typ": "JWT" }), claims)
    }

    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let body = body(header, claims);
        format!("{body}.{}", text(&self.sign(body.as_bytes())))
    }
}

/// What is signed of a token.
pub(crate) fn body(header: &Value, claims: &Value) -> String {
    format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
