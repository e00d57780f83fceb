//! Who may do what: grants of principals, the keys they show, and the trait of those who keep both.
//!
//! * Nobody may do anything that no grant says.
//! * A grant speaks of single events; [`Grants`] decides for an event, and for all that a query could match.
//! * Streams that begin with [`SERVER_STREAMS`] are the server's own: nobody else writes them, and they are read only by
//!   those whose grant names streams that begin with `$`.

mod grant;
mod grants;
mod names;

use std::fmt;

use crate::{BoxFuture, Result, Timestamp};

pub use grant::{Action, Grant, is_call_name};
pub use grants::Grants;
pub use names::PrincipalName;

/// How the streams begin that only the server writes: its keys and grants, and its audit log.
pub const SERVER_STREAMS: &str = "$server-";

/// All of them together: whoever has more grants may do more.
impl FromIterator<Grant> for Grants {
    fn from_iter<T: IntoIterator<Item = Grant>>(grants: T) -> Self {
        Self(grants.into_iter().collect())
    }
}

/// Whoever has grants: a person, a program, a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// What it is called.
    pub name: PrincipalName,
    /// What it may do.
    pub grants: Grants,
}

/// What is known of a key besides its secret, which nobody keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// The public part of the key, by which it is revoked.
    pub id: String,
    /// Whose key it is.
    pub principal: PrincipalName,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops to be good; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl KeyInfo {
    /// Whether it is good at this time.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// A key just made: the only moment its secret exists outside of its owner's hands.
#[derive(Clone)]
pub struct MintedKey {
    /// What is kept of it.
    pub info: KeyInfo,
    /// The key itself, to be shown once.
    pub secret: String,
}

impl fmt::Debug for MintedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintedKey").field("info", &self.info).finish_non_exhaustive()
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose it will be.
    pub principal: PrincipalName,
    /// What a principal that does not exist yet may do; `None` for one that exists.
    pub grants: Option<Grants>,
    /// When it stops to be good; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// Keeping keys and grants. All but [`whoami`](Self::whoami) need the grant `admin`.
pub trait AccessControl: fmt::Debug + Send + Sync + 'static {
    /// Makes a key, and its principal if grants are given for it. `Ok` promises that it works from now on.
    ///
    /// # Errors
    /// `Invalid` where the principal exists and grants are given, or does not and none are; `Denied`; the store's.
    fn create_key(&self, new: NewKey) -> BoxFuture<'_, Result<MintedKey>>;

    /// Makes another key for the principal of this one, which is good until `old_expires_at` at the latest.
    ///
    /// # Errors
    /// `Invalid` for a key that there is not, or that is not good any more; `Denied`; the store's.
    fn rotate_key(
        &self,
        id: &str,
        old_expires_at: Timestamp,
        new_expires_at: Option<Timestamp>,
    ) -> BoxFuture<'_, Result<MintedKey>>;

    /// Takes a key back. `Ok` promises that no call begins with it any more; its open streams end within a second.
    /// Revoking twice is fine.
    ///
    /// # Errors
    /// `Invalid` for a key that there is not; `Denied`; the store's.
    fn revoke_key(&self, id: &str) -> BoxFuture<'_, Result<()>>;

    /// Every key there ever was, by id.
    ///
    /// # Errors
    /// `Denied`; the store's.
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyInfo>>>;

    /// Gives a principal these grants in place of those it had; it comes into being if it does not exist.
    /// Its open streams end and may resume with what they are allowed now.
    ///
    /// # Errors
    /// `Denied`; the store's.
    fn set_grants(&self, principal: &PrincipalName, grants: Grants) -> BoxFuture<'_, Result<()>>;

    /// Every principal, by name.
    ///
    /// # Errors
    /// `Denied`; the store's.
    fn principals(&self) -> BoxFuture<'_, Result<Vec<Principal>>>;

    /// Whoever asks.
    ///
    /// # Errors
    /// `Unauthenticated` where the credential is not good; the store's.
    fn whoami(&self) -> BoxFuture<'_, Result<Principal>>;
}
