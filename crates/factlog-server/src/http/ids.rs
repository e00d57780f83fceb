//! The ids of events that come without one: derived from the `Idempotency-Key`, or new.
//!
//! The same key of the same principal gives the same ids for ever, so that a repeated request is the same append. Keys of different
//! principals are different keys, and nobody can tell the ids of another's: a secret of the store is in them. Without authentication
//! there is one sender of all keys, in every store.

use std::cell::Cell;

use axum::http::HeaderMap;
use factlog_core::EventId;
use factlog_core::access::PrincipalName;
use uuid::Uuid;

use super::problem::Problem;

/// What the ids of keys are derived from: never to be changed.
const NAMESPACE: Uuid = Uuid::from_u128(0x7f5a_3d1c_64ab_4a0e_9c1d_2f0b_8e6d_51a7);
/// Bytes of a key.
const KEY_BYTES_MAX: usize = 255;

/// What the ids of a principal's keys are derived from.
pub(crate) fn namespace(secret: &[u8], sender: &PrincipalName) -> Uuid {
    // No key has a zero byte, so that no namespace is a key's.
    Uuid::new_v5(&NAMESPACE, &[b"\0", secret, sender.as_str().as_bytes()].concat())
}

/// Gives ids to the events of one append.
#[derive(Debug)]
pub(crate) struct Ids {
    key: Option<Uuid>,
    /// How many it has made that no repeat of the request would get again.
    new: Cell<usize>,
}

impl Ids {
    /// From the headers of a request.
    pub(crate) fn of(headers: &HeaderMap, sender: Option<Uuid>) -> Result<Self, Problem> {
        let mut keys = headers.get_all("idempotency-key").iter();
        let Some(key) = keys.next() else { return Ok(Self { key: None, new: Cell::new(0) }) };
        let bytes = key.as_bytes();
        // Some write it as a string of structured fields, in quotes; it is the same key.
        let bare = bytes.strip_prefix(b"\"").and_then(|bytes| bytes.strip_suffix(b"\"")).unwrap_or(bytes);
        if keys.next().is_some() || bare.is_empty() || KEY_BYTES_MAX < bare.len() {
            let what = format!("header Idempotency-Key: give one key of 1 to {KEY_BYTES_MAX} bytes");
            return Err(Problem::invalid(what).with("header", "Idempotency-Key"));
        }
        let namespace = sender.unwrap_or(NAMESPACE);
        Ok(Self { key: Some(Uuid::new_v5(&namespace, bare)), new: Cell::new(0) })
    }

    /// The id of the event at this place of the append.
    pub(crate) fn id(&self, index: usize) -> EventId {
        match &self.key {
            // Two steps, so that no pair of key and place runs together into another pair.
            Some(key) => Uuid::new_v5(key, index.to_string().as_bytes()).into(),
            None => {
                self.new.set(self.new.get() + 1);
                EventId::generate()
            }
        }
    }

    /// What makes a call of this name, `service/name`, happen once; `None` without a key.
    pub(crate) fn of_call(&self, name: &str) -> Option<String> {
        self.key.map(|key| format!("http-{}", Uuid::new_v5(&key, name.as_bytes())))
    }

    /// Whether all of so many events got their ids here, and others than a repeat of the request would.
    pub(crate) fn are_new(&self, events: usize) -> bool {
        self.new.get() == events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if the derivation changed: requests repeated across an upgrade would then be written twice.
    #[test]
    fn ids_of_a_key_are_for_ever() {
        let by = |key: &'static str, sender: Option<(&[u8], &str)>| {
            let headers = HeaderMap::from_iter([(
                "idempotency-key".parse().expect("a name"),
                axum::http::HeaderValue::from_static(key),
            )]);
            let sender = sender.map(|(secret, name)| namespace(secret, &name.parse().expect("a name")));
            Ids::of(&headers, sender)
        };
        let of = |key| by(key, None);
        let ids = of("order-17").expect("a key");
        assert_eq!(ids.id(0).to_string(), "924716fb-cd37-511b-bc27-7d6a2f3de5a9");
        assert_eq!(ids.id(1).to_string(), "5e52e779-d612-58aa-8547-4f70d4464cbc");
        assert_eq!(of("\"order-17\"").expect("the same key").id(1), ids.id(1));
        assert!(of("\"\"").is_err());
        // Would fail if one principal could take the keys of another, or learn of them, also by giving ids of its own.
        let first = |secret, name| by("order-17", Some((secret, name))).expect("a key").id(0).to_string();
        assert_eq!(first(&[7; 32], "ada"), "a262051b-d9ed-5a3c-9543-315b318adbc2");
        assert_ne!(first(&[7; 32], "ada"), first(&[7; 32], "bob"));
        assert_ne!(first(&[7; 32], "ada"), first(&[8; 32], "ada"));
    }
}
