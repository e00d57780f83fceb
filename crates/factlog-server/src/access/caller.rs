//! Whoever asks: a principal, and the credential that says so for as long as it is good.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use factlog_core::access::{Grants, Principal, PrincipalName};
use factlog_core::{Error, Result, Timestamp};
use tokio::sync::watch;
use tokio::time::sleep;

use super::directory::Access;
use super::facts::State;
use super::secret::Key;

/// How long a clock is trusted not to have been set: the end of a key is noticed as late as that, where it was. It is not
/// short, because every open stream of a key that ends looks so often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Who asks.
#[derive(Clone)]
pub(crate) struct Caller {
    principal: PrincipalName,
    credential: Credential,
}

#[derive(Clone)]
enum Credential {
    /// There is no authentication.
    None,
    /// The key of this id.
    Key { access: Arc<Access>, id: Arc<str> },
    /// The certificate of the connection, which was verified when it began.
    Certificate { access: Arc<Access> },
}

impl Caller {
    /// Anybody, where there is no authentication.
    pub(crate) fn anybody() -> Self {
        static ANYBODY: LazyLock<PrincipalName> =
            LazyLock::new(|| PrincipalName::new("anybody").expect("a principal"));
        Self { principal: ANYBODY.clone(), credential: Credential::None }
    }

    /// Whoever shows this key. `None`, for whatever reason, must not say more to whom it is.
    pub(super) fn with_key(access: &Arc<Access>, text: &str) -> Option<Self> {
        let shown = Key::parse(text)?;
        let state = access.state();
        let kept = state.key(&shown.id)?;
        if !kept.digest.is(&shown.digest()) || !kept.info.is_good(access.now()) {
            return None;
        }
        let credential = Credential::Key { access: access.clone(), id: shown.id.into() };
        Some(Self { principal: kept.info.principal.clone(), credential })
    }

    /// Whoever has shown a certificate with this name: the principal `cert:NAME`, if there is one.
    pub(super) fn with_certificate(access: &Arc<Access>, name: &str) -> Option<Self> {
        let principal = PrincipalName::new(&format!("cert:{name}")).ok()?;
        access.state().grants(&principal)?;
        Some(Self { principal, credential: Credential::Certificate { access: access.clone() } })
    }

    /// Who it is, where that had to be shown.
    pub(crate) fn authenticated(&self) -> Option<&PrincipalName> {
        match &self.credential {
            Credential::None => None,
            Credential::Key { .. } | Credential::Certificate { .. } => Some(&self.principal),
        }
    }

    pub(crate) fn principal(&self) -> &PrincipalName {
        &self.principal
    }

    /// What the caller may do at this moment.
    ///
    /// # Errors
    /// `Unauthenticated` where the credential is not good any more.
    pub(super) fn grants(&self) -> Result<Arc<Grants>> {
        static EVERYTHING: LazyLock<Arc<Grants>> = LazyLock::new(|| Arc::new(Grants::everything()));
        let (access, id) = match &self.credential {
            Credential::None => return Ok(EVERYTHING.clone()),
            Credential::Key { access, id } => (access, id),
            Credential::Certificate { access } => {
                return Ok(access.state().grants(&self.principal).cloned().unwrap_or_default());
            }
        };
        let state = access.state();
        let kept = state.key(id).ok_or_else(|| self.lapsed("unknown"))?;
        if kept.info.revoked_at.is_some() {
            return Err(self.lapsed("revoked"));
        }
        if !kept.info.is_good(access.now()) {
            return Err(self.lapsed("expired"));
        }
        Ok(state.grants(&self.principal).cloned().unwrap_or_default())
    }

    fn lapsed(&self, how: &str) -> Error {
        Error::unauthenticated(format!(
            "the key of {} is {how}; nothing more is done with it",
            self.principal
        ))
    }

    /// The principal with its grants.
    pub(super) fn whoami(&self) -> Result<Principal> {
        Ok(Principal { name: self.principal.clone(), grants: (*self.grants()?).clone() })
    }

    /// Tells of changes of keys and grants, where there are any.
    pub(super) fn news(&self) -> Option<watch::Receiver<Arc<State>>> {
        match &self.credential {
            Credential::None => None,
            Credential::Key { access, .. } | Credential::Certificate { access } => Some(access.changes()),
        }
    }

    /// Ready when these grants are not the caller's any more: with `Unauthenticated` when the credential is not good, with
    /// `Unavailable` when the grants are others, so that whoever resumes goes on with those.
    pub(super) async fn changed(self, grants: Arc<Grants>) -> Error {
        let (access, id) = match &self.credential {
            Credential::None => return std::future::pending().await,
            Credential::Key { access, id } => (access, Some(id)),
            Credential::Certificate { access } => (access, None),
        };
        let mut changes = access.changes();
        loop {
            match self.grants() {
                Ok(now) if *now == *grants => {}
                Ok(_) => {
                    let what =
                        format!("the grants of {} have changed; resume with those of now", self.principal);
                    return Error::unavailable(what);
                }
                Err(error) => return error,
            }
            let expires_at = id.and_then(|id| access.state().key(id)?.info.expires_at);
            let looking = async {
                match expires_at {
                    Some(expires_at) => sleep(remaining(access.now(), expires_at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return Error::closed("the server has ended");
                    }
                }
                () = looking => {}
            }
        }
    }
}

/// Until then, by a clock that may be set meanwhile: far away it looks again, close by it is exact.
fn remaining(now: Timestamp, then: Timestamp) -> Duration {
    let micros = then.as_micros().saturating_sub(now.as_micros()).max(1_000);
    LOOK_EVERY.min(Duration::from_micros(micros.unsigned_abs()))
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({})", self.principal)
    }
}
