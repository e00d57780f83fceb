//! The layer that every request passes: who asks?
//!
//! `authorization: Bearer KEY` says it, or a token in place of the key, over gRPC as over HTTP, or else the certificate of the
//! client. Only whether the server is well is told to everybody.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use factlog_core::Error;

use super::caller::Caller;
use super::directory::Access;
use super::gate::Gate;
use super::tokens::Tokens;
use crate::http::{Problem, is_grpc};
use crate::listen::PeerAddress;
use crate::tls::PeerName;
use crate::trace::Principal;

/// What everybody may ask.
const OPEN_PATHS: [&str; 4] =
    ["/health/live", "/health/ready", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];

/// Puts the caller into the request, or refuses it.
pub(crate) async fn authenticate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    if OPEN_PATHS.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    match caller(&gate, request.headers(), request.extensions().get()).await {
        Ok(caller) => {
            let principal = caller.authenticated().cloned().map(Principal);
            request.extensions_mut().insert(caller);
            let mut response = next.run(request).await;
            if let Some(principal) = principal {
                response.extensions_mut().insert(principal);
            }
            response
        }
        Err(Refused { reason, why, told }) => {
            let peer = request.extensions().get::<PeerAddress>();
            gate.metrics.auth_failed(reason);
            gate.audit.unauthenticated(peer.map(|peer| peer.0.ip()), why);
            refuse(request.headers(), &told)
        }
    }
}

/// Why nobody is let in: a word for the metrics, the reason for the audit log, and what whoever asks is told of it.
#[derive(Clone, Debug)]
struct Refused {
    reason: &'static str,
    why: Cow<'static, str>,
    told: Cow<'static, str>,
}

/// What everybody may know.
const fn refused(reason: &'static str, why: &'static str) -> Refused {
    Refused { reason, why: Cow::Borrowed(why), told: Cow::Borrowed(why) }
}

const NO_KEY: Refused = refused("no_key", "no key was shown; send `authorization: Bearer KEY`");
const UNKNOWN_CERTIFICATE: Refused = refused(
    "unknown_certificate",
    "no key was shown, and there is no principal for the certificate of this connection",
);
const TWO_CREDENTIALS: Refused = refused("two_credentials", "two credentials were shown; send one");
const MALFORMED: Refused = refused("malformed", "the credential is none of the form `Bearer KEY`");
const BAD_KEY: Refused =
    refused("bad_key", "the key is not good: it is mistyped, unknown, expired or revoked");

/// A key or a token that is shown counts, or else the certificate of the connection.
async fn caller(gate: &Gate, headers: &HeaderMap, certificate: Option<&PeerName>) -> Result<Caller, Refused> {
    let Some(access) = &gate.access else { return Ok(Caller::anybody()) };
    match shown(headers)? {
        Some(text) => match access.tokens.get().filter(|_| Tokens::is_one(text)) {
            Some(tokens) => with_token(access, tokens, text).await,
            None => Caller::with_key(access, text).ok_or(BAD_KEY),
        },
        None => {
            let PeerName(name) = certificate.ok_or(NO_KEY)?;
            Caller::with_certificate(access, name).ok_or(UNKNOWN_CERTIFICATE)
        }
    }
}

/// The credential in the headers, if there is one.
fn shown(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = shown.next() else { return Ok(None) };
    if shown.next().is_some() {
        return Err(TWO_CREDENTIALS);
    }
    value.to_str().ok().and_then(bearer).map(Some).ok_or(MALFORMED)
}

/// Reads the credential of headers with what must hold of it: for `factlog-fuzz`.
#[cfg(feature = "fuzzing")]
pub(crate) fn credential(headers: &HeaderMap) {
    let Ok(Some(text)) = shown(headers) else { return };
    if let Some(key) = super::secret::Key::parse(text) {
        assert!(text.starts_with(&format!("factlog_{}_", key.id)), "the id is the one in the text");
        let longer = format!("{text}0");
        assert!(super::secret::Key::parse(&longer).is_none(), "no key is the beginning of another");
        assert!(super::secret::Key::parse(&text.to_uppercase()).is_none(), "a key is written in one way");
    }
}

/// Whoever a token speaks of. What is wrong with it is not told to those who may have made it up.
async fn with_token(access: &Arc<Access>, tokens: &Tokens, text: &str) -> Result<Caller, Refused> {
    let shown = tokens.check(text, || access.now()).await.map_err(|why| Refused {
        reason: "bad_token",
        why: why.into(),
        told: "the token is not good; get another, the server's audit log says why".into(),
    })?;
    let why: Cow<'static, str> =
        format!("the token is good, and there is no principal {}", shown.principal).into();
    let unknown = Refused { reason: "unknown_principal", told: why.clone(), why };
    Caller::with_token(access, shown).ok_or(unknown)
}

/// The token of a value whose scheme is `Bearer` in whatever case (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refuse(headers: &HeaderMap, why: &str) -> Response {
    if is_grpc(headers) {
        return crate::answers::refuse(Error::unauthenticated(why)).into_http::<axum::body::Body>();
    }
    let mut response = Problem::from(Error::unauthenticated(why)).into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}
