//! What is recorded of keys and grants, and the fold of it.
//!
//! Facts in the stream `$server-access`, JSON each. They say who asked for it, so that the stream is the audit log of every
//! administrative act. A fact that cannot be read stops the server: it could be a revocation.

use std::collections::BTreeMap;
use std::sync::Arc;

use factlog_core::access::{Grants, KeyInfo, Principal, PrincipalName};
use factlog_core::{Error, Event, EventType, Position, RecordedEvent, Result, Revision, StreamId, Timestamp};
use serde::{Deserialize, Serialize};

use super::secret::Digest;

/// The stream of these facts.
pub(super) const STREAM: &str = "$server-access";

/// What can happen to keys and grants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub(super) enum Fact {
    /// A principal may do this from now on, and nothing else.
    GrantsSet { principal: String, grants: Vec<String>, by: String },
    /// A key was made.
    KeyCreated { key: String, principal: String, sha256: String, expires_at_micros: Option<i64>, by: String },
    /// A key ends then.
    KeyExpires { key: String, expires_at_micros: i64, by: String },
    /// A key is not good any more.
    KeyRevoked { key: String, by: String },
}

/// What follows from the facts up to a position.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) position: Option<Position>,
    pub(super) revision: Option<Revision>,
    principals: BTreeMap<String, Arc<Grants>>,
    keys: BTreeMap<String, Kept>,
    /// Of the first key there ever was: a secret of the store that never changes.
    first: Option<Digest>,
}

/// A key as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) info: KeyInfo,
    pub(super) digest: Digest,
}

impl Fact {
    fn event_type(&self) -> &'static str {
        match self {
            Self::GrantsSet { .. } => "$server.grants-set",
            Self::KeyCreated { .. } => "$server.key-created",
            Self::KeyExpires { .. } => "$server.key-expires",
            Self::KeyRevoked { .. } => "$server.key-revoked",
        }
    }

    /// The fact as an event.
    pub(super) fn event(&self) -> Result<Event> {
        let data = serde_json::to_vec(self)
            .map_err(|error| Error::invalid("a fact of access has no JSON").because(error))?;
        Ok(Event::new(EventType::new(self.event_type())?, data).in_stream(StreamId::new(STREAM)?))
    }
}

impl State {
    /// Goes on by one recorded fact.
    pub(super) fn apply(&mut self, recorded: &RecordedEvent) -> Result<()> {
        let at = recorded.position;
        let unreadable = |why: String| {
            Error::corrupt(format!(
                "the event at position {at} in {STREAM} is no fact of access that this version reads ({why}); \
                 nobody is let in on a guess: upgrade factlog, or see `factlog read '{STREAM}'`"
            ))
        };
        let fact: Fact =
            serde_json::from_slice(&recorded.event.data).map_err(|error| unreadable(error.to_string()))?;
        self.follow(fact, recorded.recorded_at).map_err(unreadable)?;
        self.position = Some(at);
        self.revision = recorded.revision;
        Ok(())
    }

    fn follow(&mut self, fact: Fact, recorded_at: Timestamp) -> Result<(), String> {
        match fact {
            Fact::GrantsSet { principal, grants, by: _ } => {
                let grants =
                    Grants::parse(grants.iter().map(String::as_str)).map_err(|why| why.to_string())?;
                self.principals.insert(principal, Arc::new(grants));
            }
            Fact::KeyCreated { key, principal, sha256, expires_at_micros, by: _ } => {
                let digest = Digest::parse(&sha256).ok_or("its hash is none")?;
                let info = KeyInfo {
                    id: key.clone(),
                    principal: PrincipalName::new(&principal).map_err(|why| why.to_string())?,
                    created_at: recorded_at,
                    expires_at: expires_at_micros.map(Timestamp::from_micros),
                    revoked_at: None,
                };
                self.first.get_or_insert(digest);
                self.keys.insert(key, Kept { info, digest });
            }
            Fact::KeyExpires { key, expires_at_micros, by: _ } => {
                let kept = self.keys.get_mut(&key).ok_or("there is no such key")?;
                kept.info.expires_at = Some(Timestamp::from_micros(expires_at_micros));
            }
            Fact::KeyRevoked { key, by: _ } => {
                let kept = self.keys.get_mut(&key).ok_or("there is no such key")?;
                kept.info.revoked_at.get_or_insert(recorded_at);
            }
        }
        Ok(())
    }

    /// What only the store knows; empty before there is a key.
    pub(super) fn secret(&self) -> &[u8] {
        self.first.as_ref().map_or(&[], Digest::as_bytes)
    }

    pub(super) fn key(&self, id: &str) -> Option<&Kept> {
        self.keys.get(id)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &KeyInfo> {
        self.keys.values().map(|kept| &kept.info)
    }

    /// What a principal may do; `None` for one that there is not.
    pub(super) fn grants(&self, principal: &PrincipalName) -> Option<&Arc<Grants>> {
        self.principals.get(principal.as_str())
    }

    pub(super) fn principals(&self) -> impl Iterator<Item = Principal> {
        self.principals.iter().filter_map(|(name, grants)| {
            Some(Principal { name: PrincipalName::new(name).ok()?, grants: (**grants).clone() })
        })
    }
}
