//! `factlog.v1.AccessService`: keys and grants over gRPC.

use std::sync::Arc;

use factlog_core::access::{AccessControl, Grants, NewKey};
use factlog_core::{Error, Timestamp};
use factlog_proto::v1;
use factlog_proto::v1::access_service_server::AccessService;
use tonic::{Request, Response, Status};

use super::gate::Gate;
use crate::answers::refuse;
use crate::service::unimplemented;

type Answer<T> = Result<Response<T>, Status>;

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    gate: Gate,
}

impl Service {
    pub(crate) fn new(gate: Gate) -> Self {
        Self { gate }
    }

    /// Keys and grants as the caller may keep them, and what is asked.
    fn asked<T>(&self, request: Request<T>) -> Result<(Arc<dyn AccessControl>, T), Status> {
        let access = self.gate.access(request.extensions()).map_err(refuse)?;
        let access = access.ok_or_else(|| unimplemented("keys: it was started without authentication"))?;
        Ok((access, request.into_inner()))
    }
}

#[tonic::async_trait]
impl AccessService for Service {
    async fn create_key(&self, request: Request<v1::CreateKeyRequest>) -> Answer<v1::CreateKeyResponse> {
        let (access, request) = self.asked(request)?;
        let new = NewKey::try_from(request).map_err(refuse)?;
        Ok(Response::new(access.create_key(new).await.map_err(refuse)?.into()))
    }

    async fn rotate_key(&self, request: Request<v1::RotateKeyRequest>) -> Answer<v1::RotateKeyResponse> {
        let (access, request) = self.asked(request)?;
        let old = Timestamp::from_micros(request.old_expires_at_micros);
        let new = request.new_expires_at_micros.map(Timestamp::from_micros);
        Ok(Response::new(access.rotate_key(&request.id, old, new).await.map_err(refuse)?.into()))
    }

    async fn revoke_key(&self, request: Request<v1::RevokeKeyRequest>) -> Answer<v1::RevokeKeyResponse> {
        let (access, request) = self.asked(request)?;
        access.revoke_key(&request.id).await.map_err(refuse)?;
        Ok(Response::new(v1::RevokeKeyResponse {}))
    }

    async fn list_keys(&self, request: Request<v1::ListKeysRequest>) -> Answer<v1::ListKeysResponse> {
        let (access, _) = self.asked(request)?;
        let keys = access.keys().await.map_err(refuse)?.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::ListKeysResponse { keys }))
    }

    async fn set_grants(&self, request: Request<v1::SetGrantsRequest>) -> Answer<v1::SetGrantsResponse> {
        let (access, v1::SetGrantsRequest { principal, grants }) = self.asked(request)?;
        let principal = principal.parse().map_err(refuse)?;
        // An empty list takes everything away, so that it must be meant.
        let grants =
            grants.ok_or_else(|| refuse(Error::invalid("the grants are missing; give a list, if empty")))?;
        let grants = Grants::try_from(grants).map_err(refuse)?;
        access.set_grants(&principal, grants).await.map_err(refuse)?;
        Ok(Response::new(v1::SetGrantsResponse {}))
    }

    async fn list_principals(
        &self,
        request: Request<v1::ListPrincipalsRequest>,
    ) -> Answer<v1::ListPrincipalsResponse> {
        let (access, _) = self.asked(request)?;
        let principals = access.principals().await.map_err(refuse)?.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::ListPrincipalsResponse { principals }))
    }

    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Answer<v1::WhoAmIResponse> {
        let (access, _) = self.asked(request)?;
        let principal = access.whoami().await.map_err(refuse)?;
        Ok(Response::new(v1::WhoAmIResponse { principal: Some(principal.into()) }))
    }
}
