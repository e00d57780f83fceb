//! One cached fold and its bytes: checksummed, and believed only if it reads back to exactly what was written.

use factlog_core::{EventId, Position, Revision};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::View;
use crate::model::Mark;

/// A cached fold: the state, and the last event in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub(crate) mark: Mark,
    pub(crate) revision: Option<Revision>,
    state: Value,
}

/// The stored form: 8 bytes of xxh3-64 over the rest, little-endian, then this as JSON.
#[derive(Serialize, Deserialize)]
struct Envelope {
    position: u64,
    event_id: String,
    revision: Option<u64>,
    state: Value,
}

impl Kept {
    /// `None` for a state serde cannot write as JSON: it is then never cached.
    pub(crate) fn new<V: View>(state: &V, mark: Mark, revision: Option<Revision>) -> Option<Self> {
        let state = serde_json::to_value(state).ok()?;
        Some(Self { mark, revision, state })
    }

    /// A kept fold of any state.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn of_value(state: Value, mark: Mark, revision: Option<Revision>) -> Self {
        Self { mark, revision, state }
    }

    /// The state, if it reads back to exactly what was written. A field that was added, removed or renamed
    /// anywhere in it shows as a difference, and so does a default that serde would silently fill in.
    pub(crate) fn state<V: View>(&self) -> Option<V> {
        let state = V::deserialize(&self.state).ok()?;
        let again = serde_json::to_value(&state).ok()?;
        (again == self.state).then_some(state)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let envelope = Envelope {
            position: self.mark.position.get(),
            event_id: self.mark.id.to_string(),
            revision: self.revision.map(Revision::get),
            state: self.state.clone(),
        };
        let json = serde_json::to_vec(&envelope).expect("a JSON value is written as JSON");
        let mut bytes = xxh3_64(&json).to_le_bytes().to_vec();
        bytes.extend_from_slice(&json);
        bytes
    }

    /// `None` for anything but what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (checksum, json) = bytes.split_first_chunk::<8>()?;
        if xxh3_64(json) != u64::from_le_bytes(*checksum) {
            return None;
        }
        let envelope: Envelope = serde_json::from_slice(json).ok()?;
        let id: EventId = envelope.event_id.parse().ok()?;
        Some(Self {
            mark: Mark { position: Position::new(envelope.position)?, id },
            revision: envelope.revision.map(Revision::new),
            state: envelope.state,
        })
    }
}
