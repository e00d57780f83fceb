//! What can be asked of keys and grants, each as the facts that follow from the state.

use factlog_core::access::{Grants, KeyInfo, MintedKey, NewKey, Principal, PrincipalName};
use factlog_core::{Error, Result, Timestamp};

use super::caller::CERTIFICATE;
use super::directory::Access;
use super::facts::{Fact, State};
use super::secret::Key;
use super::tokens::{PRINCIPAL, ROLE};

impl Access {
    pub(super) async fn create_key(&self, new: NewKey, by: &str) -> Result<MintedKey> {
        let (key, secret) = Key::mint()?;
        let principal = &new.principal;
        may_have_a_key(principal)?;
        self.in_future(new.expires_at)?;
        let change = |state: &State| {
            let mut facts = Vec::new();
            match (state.grants(principal), &new.grants) {
                (None, Some(grants)) => facts.push(set(principal, grants, by)),
                (Some(_), None) => {}
                (None, None) => {
                    return Err(Error::invalid(format!(
                        "there is no principal {principal}; say what it may do"
                    )));
                }
                (Some(grants), Some(_)) => {
                    return Err(Error::invalid(format!(
                        "the principal {principal} exists and may do: {grants}; leave the grants out, or change them first"
                    )));
                }
            }
            facts.push(created(&key, principal, new.expires_at, by));
            Ok(facts)
        };
        self.change(change).await?;
        self.minted(&key.id, secret)
    }

    pub(super) async fn rotate_key(
        &self,
        id: &str,
        old_expires_at: Timestamp,
        new_expires_at: Option<Timestamp>,
        by: &str,
    ) -> Result<MintedKey> {
        let (key, secret) = Key::mint()?;
        self.in_future(new_expires_at)?;
        let change = |state: &State| {
            let old = state.key(id).ok_or_else(|| unknown(id))?;
            if !old.info.is_good(self.now()) {
                return Err(Error::invalid(format!("key {id} is not good any more; create one instead")));
            }
            let mut facts = vec![created(&key, &old.info.principal, new_expires_at, by)];
            if old.info.expires_at.is_none_or(|expires_at| old_expires_at < expires_at) {
                let expires_at_micros = old_expires_at.as_micros();
                facts.push(Fact::KeyExpires { key: id.to_owned(), expires_at_micros, by: by.to_owned() });
            }
            Ok(facts)
        };
        self.change(change).await?;
        self.minted(&key.id, secret)
    }

    pub(super) async fn revoke_key(&self, id: &str, by: &str) -> Result<()> {
        let change = |state: &State| {
            let kept = state.key(id).ok_or_else(|| unknown(id))?;
            let fact = Fact::KeyRevoked { key: id.to_owned(), by: by.to_owned() };
            Ok(if kept.info.revoked_at.is_some() { Vec::new() } else { vec![fact] })
        };
        self.change(change).await.map(drop)
    }

    pub(super) async fn set_grants(
        &self,
        principal: &PrincipalName,
        grants: &Grants,
        by: &str,
    ) -> Result<()> {
        let change = |state: &State| {
            let same = state.grants(principal).is_some_and(|present| **present == *grants);
            Ok(if same { Vec::new() } else { vec![set(principal, grants, by)] })
        };
        self.change(change).await.map(drop)
    }

    pub(super) async fn keys(&self) -> Result<Vec<KeyInfo>> {
        self.refresh().await?;
        Ok(self.state().keys().cloned().collect())
    }

    pub(super) async fn principals(&self) -> Result<Vec<Principal>> {
        self.refresh().await?;
        Ok(self.state().principals().collect())
    }

    fn in_future(&self, expires_at: Option<Timestamp>) -> Result<()> {
        match expires_at {
            Some(expires_at) if expires_at <= self.now() => Err(Error::invalid(format!(
                "a key that expired at {expires_at} is of no use; give a later time"
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

/// Whoever is known by something else must not be taken for somebody with a key.
fn may_have_a_key(principal: &PrincipalName) -> Result<()> {
    match [CERTIFICATE, PRINCIPAL, ROLE].into_iter().find(|prefix| principal.as_str().starts_with(prefix)) {
        Some(prefix) => Err(Error::invalid(format!(
            "names that begin with {prefix} are for those who show a certificate or a token, and not for keys"
        ))),
        None => Ok(()),
    }
}

fn unknown(id: &str) -> Error {
    Error::invalid(format!("there is no key {id:?}; `factlog auth keys list` shows them all"))
}

pub(super) fn set(principal: &PrincipalName, grants: &Grants, by: &str) -> Fact {
    let grants = grants.iter().map(ToString::to_string).collect();
    Fact::GrantsSet { principal: principal.to_string(), grants, by: by.to_owned() }
}

pub(super) fn created(key: &Key, principal: &PrincipalName, expires_at: Option<Timestamp>, by: &str) -> Fact {
    Fact::KeyCreated {
        key: key.id.clone(),
        principal: principal.to_string(),
        sha256: key.digest().to_text(),
        expires_at_micros: expires_at.map(Timestamp::as_micros),
        by: by.to_owned(),
    }
}
