//! Keys and grants, to the wire and back.

use factlog_core::access::{Grants, KeyInfo, MintedKey, NewKey, Principal};
use factlog_core::{Error, Result, Timestamp};

use crate::event::required;
use crate::v1;

impl From<KeyInfo> for v1::Key {
    fn from(info: KeyInfo) -> Self {
        Self {
            id: info.id,
            principal: info.principal.to_string(),
            created_at_micros: info.created_at.as_micros(),
            expires_at_micros: info.expires_at.map(Timestamp::as_micros),
            revoked_at_micros: info.revoked_at.map(Timestamp::as_micros),
        }
    }
}

impl TryFrom<v1::Key> for KeyInfo {
    type Error = Error;

    fn try_from(key: v1::Key) -> Result<Self> {
        Ok(Self {
            id: key.id,
            principal: key.principal.parse()?,
            created_at: Timestamp::from_micros(key.created_at_micros),
            expires_at: key.expires_at_micros.map(Timestamp::from_micros),
            revoked_at: key.revoked_at_micros.map(Timestamp::from_micros),
        })
    }
}

impl From<&Grants> for v1::Grants {
    fn from(grants: &Grants) -> Self {
        Self { grants: grants.iter().map(ToString::to_string).collect() }
    }
}

impl TryFrom<v1::Grants> for Grants {
    type Error = Error;

    fn try_from(grants: v1::Grants) -> Result<Self> {
        Self::parse(grants.grants.iter().map(String::as_str))
    }
}

impl From<Principal> for v1::Principal {
    fn from(principal: Principal) -> Self {
        Self { name: principal.name.to_string(), grants: Some((&principal.grants).into()) }
    }
}

impl TryFrom<v1::Principal> for Principal {
    type Error = Error;

    fn try_from(principal: v1::Principal) -> Result<Self> {
        let grants = required("the grants of a principal", principal.grants)?;
        Ok(Self { name: principal.name.parse()?, grants: grants.try_into()? })
    }
}

impl From<NewKey> for v1::CreateKeyRequest {
    fn from(new: NewKey) -> Self {
        Self {
            principal: new.principal.to_string(),
            grants: new.grants.as_ref().map(Into::into),
            expires_at_micros: new.expires_at.map(Timestamp::as_micros),
        }
    }
}

impl TryFrom<v1::CreateKeyRequest> for NewKey {
    type Error = Error;

    fn try_from(request: v1::CreateKeyRequest) -> Result<Self> {
        Ok(Self {
            principal: request.principal.parse()?,
            grants: request.grants.map(Grants::try_from).transpose()?,
            expires_at: request.expires_at_micros.map(Timestamp::from_micros),
        })
    }
}

impl From<MintedKey> for v1::CreateKeyResponse {
    fn from(minted: MintedKey) -> Self {
        Self { key: Some(minted.info.into()), secret: minted.secret }
    }
}

impl From<MintedKey> for v1::RotateKeyResponse {
    fn from(minted: MintedKey) -> Self {
        Self { key: Some(minted.info.into()), secret: minted.secret }
    }
}

/// A key as an answer carries it.
///
/// # Errors
/// `Invalid` where a part is missing or out of its bounds.
pub fn minted(key: Option<v1::Key>, secret: String) -> Result<MintedKey> {
    Ok(MintedKey { info: required("the key", key)?.try_into()?, secret })
}
