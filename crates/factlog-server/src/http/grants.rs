//! Principals and their grants over HTTP; and what the caller itself may do, which anybody with a good key may ask.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use factlog_core::access::{self, AccessControl, Action, PrincipalName};
use factlog_core::{Event, EventType, StreamId, Tags};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::append::json;
use super::keys::{grants, kept, segment, told};
use super::params::{Params, wrong};
use super::problem::Problem;
use super::spec::{names, params, refusals};

/// A principal, and what it may do.
#[derive(Serialize, ToSchema)]
pub(crate) struct Principal {
    #[schema(value_type = names::PrincipalName)]
    name: String,
    #[schema(value_type = Vec<names::Grant>)]
    grants: Vec<String>,
}

/// Every principal.
#[derive(Serialize, ToSchema)]
pub(crate) struct Principals {
    principals: Vec<Principal>,
}

/// Grants in place of those of before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGrants)]
pub(crate) struct Given {
    /// All that it may do from now on; an empty list takes everything away
    #[schema(value_type = Vec<names::Grant>)]
    grants: Vec<String>,
}

/// The decision the server would take.
#[derive(Serialize, ToSchema)]
pub(crate) struct Decision {
    #[schema(value_type = names::PrincipalName)]
    principal: String,
    allowed: bool,
    /// The grant it rests on; `null` where it is not allowed
    #[schema(value_type = Option<names::Grant>, required = true)]
    grant: Option<String>,
}

impl From<access::Principal> for Principal {
    fn from(principal: access::Principal) -> Self {
        let grants = principal.grants.iter().map(ToString::to_string).collect();
        Self { name: principal.name.to_string(), grants }
    }
}

/// Lists principals
///
/// With their grants, by name. It takes the grant `admin`.
#[utoipa::path(get, path = "/v1/principals", operation_id = "principals", tag = "access", responses(
    (status = 200, description = "All principals", body = Principals), refusals::Asked, refusals::Found,
))]
pub(crate) async fn list(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let principals = kept(&api, request.extensions())?.principals().await?;
    Ok(json(&Principals { principals: principals.into_iter().map(Into::into).collect() }))
}

/// Sets grants
///
/// In place of those the principal had; one that is not there comes into being. They hold for the next call, open streams end
/// and may resume. It takes the grant `admin`.
#[utoipa::path(put, path = "/v1/principals/{name}/grants", operation_id = "set_grants", tag = "access",
    params(params::OfPrincipal),
    request_body(content = Given, example = json!({"grants": ["read,append stream:orders-"]})),
    responses(
        (status = 200, description = "The principal as it is now", body = Principal),
        refusals::Asked, refusals::Found, refusals::Told,
    ))]
pub(crate) async fn set(
    State(api): State<Api>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, given) = told::<Given>(request).await?;
    let name: PrincipalName = segment("the principal", name)?.parse()?;
    let grants = grants(&given.grants)?;
    kept(&api, &head.extensions)?.set_grants(&name, grants.clone()).await?;
    Ok(json(&Principal::from(access::Principal { name, grants })))
}

/// Who am I
#[utoipa::path(get, path = "/v1/whoami", operation_id = "whoami", tag = "access", responses(
    (status = 200, description = "The principal of the key that is shown, and its grants", body = Principal),
    refusals::Asked, refusals::Found,
))]
pub(crate) async fn whoami(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    Params::parse(request.uri().query(), &[])?;
    let own = kept(&api, request.extensions())?.whoami().await?;
    Ok(json(&Principal::from(own)))
}

/// Can I
///
/// Whether an event of this stream, type and tags may be read or appended, by the rules by which the server decides. To ask for
/// somebody else (`as`) takes the grant `admin`.
#[utoipa::path(get, path = "/v1/can-i", operation_id = "can_i", tag = "access", params(params::Deciding), responses(
    (status = 200, description = "The decision", body = Decision), refusals::Asked, refusals::Found,
))]
pub(crate) async fn can_i(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let params = Params::parse(request.uri().query(), &["action", "stream", "type", "tag", "as"])?;
    let action = params.parsed::<Action>("action")?.ok_or_else(|| wrong("action", "it is missing"))?;
    let event = event(&params)?;
    let somebody = params.parsed::<PrincipalName>("as")?;
    let access::Principal { name, grants } = asked(&*kept(&api, request.extensions())?, somebody).await?;
    let grant = grants.deciding(action, &event).map(ToString::to_string);
    Ok(json(&Decision { principal: name.to_string(), allowed: grant.is_some(), grant }))
}

/// An event to be decided about. Where no type is said it is one that no grant names.
fn event(params: &Params) -> Result<Event, Problem> {
    let mut types = params.all("type").map(EventType::new);
    let event_type = types.next().unwrap_or_else(|| EventType::new("any"));
    if types.next().is_some() {
        return Err(wrong("type", "an event has one type"));
    }
    let tags = Tags::new(params.all("tag")).map_err(|error| wrong("tag", error))?;
    let mut event = Event::new(event_type.map_err(|error| wrong("type", error))?, "").tagged(tags);
    event.stream = params.parsed::<StreamId>("stream")?;
    Ok(event)
}

async fn asked(
    access: &dyn AccessControl,
    somebody: Option<PrincipalName>,
) -> Result<access::Principal, Problem> {
    let Some(name) = somebody else { return Ok(access.whoami().await?) };
    let mut principals = access.principals().await?.into_iter();
    principals.find(|principal| principal.name == name).ok_or_else(|| {
        Problem::invalid(format!("there is no principal {name}; GET /v1/principals shows them all"))
            .status(StatusCode::NOT_FOUND)
    })
}
