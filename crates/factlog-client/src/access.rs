//! Keys and grants of a server, kept over the wire.

use factlog_core::access::{AccessControl, Grants, KeyInfo, MintedKey, NewKey, Principal, PrincipalName};
use factlog_core::{BoxFuture, Error, Result, Timestamp};
use factlog_proto::v1::access_service_client::AccessServiceClient;
use factlog_proto::{minted, v1};
use tokio::time::timeout_at;
use tonic::{Response, Status};

use crate::bearer::Channel;
use crate::calls::{error_of, repeated};
use crate::remote::RemoteStore;

type Client = AccessServiceClient<Channel>;

/// Does a call that changes something: once, because nobody knows whether it was done when no answer came.
async fn once<T>(
    deadline: tokio::time::Instant,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T> {
    let unknown = || {
        Error::indeterminate(
            "no answer came in time, it may have been done; list the keys and principals to see",
        )
    };
    let answer = timeout_at(deadline, call).await.map_err(|_| unknown())?;
    answer.map(Response::into_inner).map_err(|status| error_of(&status))
}

impl AccessControl for RemoteStore {
    fn create_key(&self, new: NewKey) -> BoxFuture<'_, Result<MintedKey>> {
        self.call(move |channel, deadline| {
            Box::pin(async move {
                let mut client = Client::new(channel);
                let answer = once(deadline, client.create_key(v1::CreateKeyRequest::from(new))).await?;
                minted(answer.key, answer.secret)
            })
        })
    }

    fn rotate_key(
        &self,
        id: &str,
        old_expires_at: Timestamp,
        new_expires_at: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<MintedKey>> {
        let request = v1::RotateKeyRequest {
            id: id.to_owned(),
            old_expires_at_micros: old_expires_at.as_micros(),
            new_expires_at_micros: new_expires_at.map(Timestamp::as_micros),
        };
        self.call(move |channel, deadline| {
            Box::pin(async move {
                let mut client = Client::new(channel);
                let answer = once(deadline, client.rotate_key(request)).await?;
                minted(answer.key, answer.secret)
            })
        })
    }

    fn revoke_key(&self, id: &str) -> BoxFuture<'_, Result<()>> {
        let request = v1::RevokeKeyRequest { id: id.to_owned() };
        self.call(move |channel, deadline| {
            Box::pin(async move {
                let ask = |mut client: Client, request| async move { client.revoke_key(request).await };
                repeated(deadline, Client::new(channel), request, ask).await.map(drop)
            })
        })
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyInfo>>> {
        self.call(|channel, deadline| {
            Box::pin(async move {
                let ask = |mut client: Client, request| async move { client.list_keys(request).await };
                let answer = repeated(deadline, Client::new(channel), v1::ListKeysRequest {}, ask).await?;
                answer.keys.into_iter().map(KeyInfo::try_from).collect()
            })
        })
    }

    fn set_grants(&self, principal: &PrincipalName, grants: Grants) -> BoxFuture<'_, Result<()>> {
        let request =
            v1::SetGrantsRequest { principal: principal.to_string(), grants: Some((&grants).into()) };
        self.call(move |channel, deadline| {
            Box::pin(async move {
                let ask = |mut client: Client, request| async move { client.set_grants(request).await };
                repeated(deadline, Client::new(channel), request, ask).await.map(drop)
            })
        })
    }

    fn principals(&self) -> BoxFuture<'_, Result<Vec<Principal>>> {
        self.call(|channel, deadline| {
            Box::pin(async move {
                let ask = |mut client: Client, request| async move { client.list_principals(request).await };
                let request = v1::ListPrincipalsRequest {};
                let answer = repeated(deadline, Client::new(channel), request, ask).await?;
                answer.principals.into_iter().map(Principal::try_from).collect()
            })
        })
    }

    fn whoami(&self) -> BoxFuture<'_, Result<Principal>> {
        self.call(|channel, deadline| {
            Box::pin(async move {
                let ask = |mut client: Client, request| async move { client.who_am_i(request).await };
                let answer = repeated(deadline, Client::new(channel), v1::WhoAmIRequest {}, ask).await?;
                let missing =
                    || Error::invalid("the server did not say who asks; it may be of another version");
                answer.principal.ok_or_else(missing)?.try_into()
            })
        })
    }
}
