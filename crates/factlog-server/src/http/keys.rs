//! Keys over HTTP, for those with the grant `admin`: what gRPC offers, with the same checks and the same records.
//!
//! * A secret is in one answer and nowhere else; no answer of this API may be stored (`Cache-Control: no-store`).
//! * Whether a key is there is told only to those who may see them all.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, StatusCode};
use axum::response::{IntoResponse as _, Response};
use factlog_core::access::{AccessControl, Grants, KeyInfo, MintedKey, NewKey};
use factlog_core::{Error, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::append::json;
use super::body::{self, Form};
use super::json::malformed;
use super::params::Params;
use super::problem::Problem;
use super::spec::{names, params, refusals};

/// Bytes of a request about keys or grants.
const BYTES_MAX: usize = 1 << 20;

/// What is known of a key besides its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct Key {
    /// Its public part
    id: String,
    #[schema(value_type = names::PrincipalName)]
    principal: String,
    #[schema(value_type = names::Time)]
    created_at: String,
    /// `null`: it never ends
    #[schema(value_type = Option<names::Time>, required = true)]
    expires_at: Option<String>,
    #[schema(value_type = Option<names::Time>, required = true)]
    revoked_at: Option<String>,
}

/// Every key there ever was.
#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    keys: Vec<Key>,
}

/// A key just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct Minted {
    key: Key,
    /// The key itself, which is told this once: `Authorization: Bearer SECRET`
    secret: String,
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewKey)]
pub(crate) struct Wanted {
    #[schema(value_type = names::PrincipalName)]
    principal: String,
    /// What a principal may do that is not there yet, and only then
    #[schema(value_type = Option<Vec<names::Grant>>)]
    grants: Option<Vec<String>>,
    /// When it ends; `null`: never
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<names::Time>, required = true)]
    expires_at: Option<String>,
}

/// How a key makes way for the next.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// When the old one ends, if it does not end before
    #[schema(value_type = names::Time)]
    old_expires_at: String,
    /// When the next one ends; `null`: never
    #[serde(deserialize_with = "nullable")]
    #[schema(value_type = Option<names::Time>, required = true)]
    expires_at: Option<String>,
}

/// May be `null`, and must be there: a key that never ends is to be meant.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

impl From<KeyInfo> for Key {
    fn from(info: KeyInfo) -> Self {
        Self {
            id: info.id,
            principal: info.principal.to_string(),
            created_at: info.created_at.to_string(),
            expires_at: info.expires_at.map(|time| time.to_string()),
            revoked_at: info.revoked_at.map(|time| time.to_string()),
        }
    }
}

/// Lists keys
///
/// Good, expired and revoked ones, by id; never what is secret of them. It takes the grant `admin`.
#[utoipa::path(get, path = "/v1/keys", operation_id = "keys", tag = "access", responses(
    (status = 200, description = "All keys", body = Keys), refusals::Asked, refusals::Found,
))]
pub(crate) async fn list(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let keys = kept(&api, request.extensions())?.keys().await?;
    Ok(json(&Keys { keys: keys.into_iter().map(Into::into).collect() }))
}

/// Makes a key
///
/// The answer has the key itself, this once. With `grants` it makes the principal as well. It takes the grant `admin`.
#[utoipa::path(post, path = "/v1/keys", operation_id = "create_key", tag = "access",
    request_body(content = Wanted, example = json!({
        "principal": "orders", "grants": ["read,append stream:orders-"], "expires_at": "2099-01-01T00:00:00Z"
    })),
    responses(
        (status = 201, description = "It is good from now on", body = Minted),
        refusals::Asked, refusals::Found, refusals::Told,
    ))]
pub(crate) async fn create(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let (head, wanted) = told::<Wanted>(request).await?;
    let new = NewKey {
        principal: wanted.principal.parse()?,
        grants: wanted.grants.as_deref().map(grants).transpose()?,
        expires_at: wanted.expires_at.map(|text| time("expires_at", &text)).transpose()?,
    };
    Ok(minted(kept(&api, &head.extensions)?.create_key(new).await?))
}

/// Makes the next key
///
/// For the principal of this one, which ends at `old_expires_at`. The answer has the key itself, this once. It takes the grant `admin`.
#[utoipa::path(post, path = "/v1/keys/{id}/rotate", operation_id = "rotate_key", tag = "access",
    params(params::OfKey),
    request_body(content = Rotation, example = json!({
        "old_expires_at": "2030-01-01T00:00:00Z", "expires_at": "2099-01-01T00:00:00Z"
    })),
    responses(
        (status = 201, description = "The next one is good from now on", body = Minted),
        refusals::Asked, refusals::Found, refusals::Told,
    ))]
pub(crate) async fn rotate(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, rotation) = told::<Rotation>(request).await?;
    let old = time("old_expires_at", &rotation.old_expires_at)?;
    let new = rotation.expires_at.map(|text| time("expires_at", &text)).transpose()?;
    let access = kept(&api, &head.extensions)?;
    let id = known(&*access, id).await?;
    Ok(minted(access.rotate_key(&id, old, new).await?))
}

/// Revokes a key
///
/// No call begins with it any more, open streams end within a second. Twice is fine. It takes the grant `admin`.
#[utoipa::path(delete, path = "/v1/keys/{id}", operation_id = "revoke_key", tag = "access", params(params::OfKey), responses(
    (status = 204, description = "It is not good any more"), refusals::Asked, refusals::Found,
))]
pub(crate) async fn revoke(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let access = kept(&api, request.extensions())?;
    let id = known(&*access, id).await?;
    access.revoke_key(&id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Keys and grants, as the caller may keep them.
pub(super) fn kept(api: &Api, of: &Extensions) -> Result<Arc<dyn AccessControl>, Problem> {
    api.gate.access(of)?.ok_or_else(|| {
        Problem::invalid("this server has no keys: it was started without authentication")
            .status(StatusCode::NOT_FOUND)
    })
}

/// The id of a path, if there is such a key.
async fn known(
    access: &dyn AccessControl,
    id: Result<Path<String>, PathRejection>,
) -> Result<String, Problem> {
    let id = segment("the key", id)?;
    // Asked as the caller, so that it is told only to those who may see them.
    if access.keys().await?.iter().any(|key| key.id == id) {
        return Ok(id);
    }
    Err(Problem::invalid(format!("there is no key {id:?}; GET /v1/keys shows them all"))
        .status(StatusCode::NOT_FOUND))
}

/// A part of a path.
pub(super) fn segment(what: &str, path: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    path.map(|Path(text)| text).map_err(|error| Problem::invalid(format!("{what} in the path: {error}")))
}

/// The head of a request, and its body as what it should be.
pub(super) async fn told<T: DeserializeOwned>(request: Request) -> Result<(Parts, T), Problem> {
    let (head, body) = request.into_parts();
    Params::parse(head.uri.query(), &[])?;
    if Form::of(&head.headers)? != Form::Json {
        let what = "this takes one JSON object; send application/json";
        return Err(Problem::invalid(what).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let body = body::read(&head.headers, body, BYTES_MAX).await?;
    let told = serde_json::from_slice(&body).map_err(|error| malformed(&error))?;
    Ok((head, told))
}

/// Grants by their texts.
pub(super) fn grants(texts: &[String]) -> Result<Grants, Error> {
    Grants::parse(texts.iter().map(String::as_str))
}

fn time(member: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|error: Error| Problem::from(error).about(&format!("`{member}`")))
}

fn minted(minted: MintedKey) -> Response {
    let body = Minted { key: minted.info.into(), secret: minted.secret };
    (StatusCode::CREATED, json(&body)).into_response()
}
