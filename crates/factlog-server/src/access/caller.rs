//! Whoever asks: a principal, and the credential that says so for as long as it is good.

use std::fmt;
use std::iter::once;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use factlog_core::access::{Grants, Principal, PrincipalName};
use factlog_core::{Error, Result, Timestamp};
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::directory::Access;
use super::facts::State;
use super::secret::Key;
use super::tokens::Shown;
use crate::http::namespace;

/// How long a clock is trusted not to have been set: the end of a key is noticed as late as that, where it was. It is not
/// short, because every open stream of a key that ends looks so often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What the names of principals begin with that show a certificate.
pub(super) const CERTIFICATE: &str = "cert:";

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
    /// A token that said this.
    Token { access: Arc<Access>, shown: Arc<Shown> },
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
        let principal = PrincipalName::new(&format!("{CERTIFICATE}{name}")).ok()?;
        access.state().grants(&principal)?;
        Some(Self { principal, credential: Credential::Certificate { access: access.clone() } })
    }

    /// Whoever a token speaks of, if there is such a principal, or one of its roles.
    pub(super) fn with_token(access: &Arc<Access>, shown: Shown) -> Option<Self> {
        together(&access.state(), &shown)?;
        let principal = shown.principal.clone();
        Some(Self {
            principal,
            credential: Credential::Token { access: access.clone(), shown: Arc::new(shown) },
        })
    }

    /// Who it is, where that had to be shown.
    pub(crate) fn authenticated(&self) -> Option<&PrincipalName> {
        self.access().map(|_| &self.principal)
    }

    /// What the ids of its `Idempotency-Key`s are derived from; `None` without authentication.
    pub(crate) fn namespace(&self) -> Option<Uuid> {
        self.access().map(|access| namespace(access.state().secret(), &self.principal))
    }

    /// Where it is known; `None` without authentication.
    fn access(&self) -> Option<&Arc<Access>> {
        match &self.credential {
            Credential::None => None,
            Credential::Key { access, .. }
            | Credential::Certificate { access }
            | Credential::Token { access, .. } => Some(access),
        }
    }

    pub(crate) fn principal(&self) -> &PrincipalName {
        &self.principal
    }

    /// What the caller may do at this moment.
    ///
    /// # Errors
    /// `Unauthenticated` where the credential is not good any more.
    pub(crate) fn grants(&self) -> Result<Arc<Grants>> {
        static EVERYTHING: LazyLock<Arc<Grants>> = LazyLock::new(|| Arc::new(Grants::everything()));
        let (access, id) = match &self.credential {
            Credential::None => return Ok(EVERYTHING.clone()),
            Credential::Key { access, id } => (access, id),
            Credential::Certificate { access } => {
                return Ok(access.state().grants(&self.principal).cloned().unwrap_or_default());
            }
            Credential::Token { access, shown } if access.now() < shown.good_until => {
                return Ok(together(&access.state(), shown).unwrap_or_default());
            }
            Credential::Token { .. } => return Err(self.lapsed("token", "expired")),
        };
        let state = access.state();
        let kept = state.key(id).ok_or_else(|| self.lapsed("key", "unknown"))?;
        if kept.info.revoked_at.is_some() {
            return Err(self.lapsed("key", "revoked"));
        }
        if !kept.info.is_good(access.now()) {
            return Err(self.lapsed("key", "expired"));
        }
        Ok(state.grants(&self.principal).cloned().unwrap_or_default())
    }

    fn lapsed(&self, what: &str, how: &str) -> Error {
        Error::unauthenticated(format!(
            "the {what} of {} is {how}; nothing more is done with it",
            self.principal
        ))
    }

    /// The principal with its grants.
    pub(super) fn whoami(&self) -> Result<Principal> {
        Ok(Principal { name: self.principal.clone(), grants: (*self.grants()?).clone() })
    }

    /// Tells of changes of keys and grants, where there are any.
    pub(super) fn news(&self) -> Option<watch::Receiver<Arc<State>>> {
        self.access().map(|access| access.changes())
    }

    /// When the credential stops to be good, if that is known.
    fn ends_at(&self) -> Option<Timestamp> {
        match &self.credential {
            Credential::None | Credential::Certificate { .. } => None,
            Credential::Key { access, id } => access.state().key(id)?.info.expires_at,
            Credential::Token { shown, .. } => Some(shown.good_until),
        }
    }

    /// Ready when these grants are not the caller's any more: with `Unauthenticated` when the credential is not good, with
    /// `Unavailable` when the grants are others, so that whoever resumes goes on with those.
    pub(crate) async fn changed(self, grants: Arc<Grants>) -> Error {
        let Some(access) = self.access() else { return std::future::pending().await };
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
            let looking = async {
                match self.ends_at() {
                    Some(end) => sleep(remaining(access.now(), end)).await,
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

/// What the principal of a token may do together with its roles; `None` where there is neither.
fn together(state: &State, shown: &Shown) -> Option<Arc<Grants>> {
    let mut found = once(&shown.principal).chain(&shown.roles).filter_map(|name| state.grants(name));
    let first = found.next()?.clone();
    Some(found.fold(first, |all, more| Arc::new(all.iter().chain(more.iter()).cloned().collect())))
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
