//! Keeping keys and grants, for whoever may: a caller of the server with the grant `admin`, or the owner of the files.

use std::sync::Arc;

use factlog_core::access::{
    AccessControl, Action, Grants, KeyInfo, MintedKey, NewKey, Principal, PrincipalName,
};
use factlog_core::{BoxFuture, Error, Result, Timestamp};

use super::audit::Audit;
use super::caller::Caller;
use super::directory::Access;

/// What the facts call those who open the files of the store and have to show no key.
const OWNER: &str = "owner-of-the-files";

/// Keys and grants, and who asks.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) access: Arc<Access>,
    /// `None` for the owner of the files.
    pub(super) caller: Option<(Caller, Audit)>,
}

impl Asked {
    /// The name to record.
    ///
    /// # Errors
    /// `Denied` where the caller may not do this.
    fn by(&self, what: &str) -> Result<String> {
        let Some((caller, audit)) = &self.caller else { return Ok(OWNER.to_owned()) };
        let principal = caller.principal();
        if caller.grants()?.may_administer() {
            return Ok(principal.to_string());
        }
        audit.denied(principal, Action::Admin, what.to_owned());
        Err(Error::denied(format!("{principal} may not {what}; that takes the grant `admin`")))
    }
}

impl AccessControl for Asked {
    fn create_key(&self, new: NewKey) -> BoxFuture<'_, Result<MintedKey>> {
        Box::pin(async move { self.access.create_key(new, &self.by("make keys")?).await })
    }

    fn rotate_key(
        &self,
        id: &str,
        old_expires_at: Timestamp,
        new_expires_at: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<MintedKey>> {
        let id = id.to_owned();
        Box::pin(async move {
            self.access.rotate_key(&id, old_expires_at, new_expires_at, &self.by("make keys")?).await
        })
    }

    fn revoke_key(&self, id: &str) -> BoxFuture<'_, Result<()>> {
        let id = id.to_owned();
        Box::pin(async move { self.access.revoke_key(&id, &self.by("revoke keys")?).await })
    }

    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyInfo>>> {
        Box::pin(async move {
            self.by("see the keys of others")?;
            self.access.keys().await
        })
    }

    fn set_grants(&self, principal: &PrincipalName, grants: Grants) -> BoxFuture<'_, Result<()>> {
        let principal = principal.clone();
        Box::pin(async move { self.access.set_grants(&principal, &grants, &self.by("change grants")?).await })
    }

    fn principals(&self) -> BoxFuture<'_, Result<Vec<Principal>>> {
        Box::pin(async move {
            self.by("see the grants of others")?;
            self.access.principals().await
        })
    }

    fn whoami(&self) -> BoxFuture<'_, Result<Principal>> {
        Box::pin(async move {
            match &self.caller {
                Some((caller, _)) => caller.whoami(),
                None => Ok(Principal { name: PrincipalName::new(OWNER)?, grants: Grants::everything() }),
            }
        })
    }
}
