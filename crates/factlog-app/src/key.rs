//! Idempotency keys: the tag under which a command's first event is found, and the ids that follow from it.

use factlog_core::{
    Error, EventId, EventStore, Position, Query, QueryItem, ReadOptions, Result, Tag, Tags, limits,
};
use uuid::Uuid;

use crate::view::query_of;
use crate::{Metadata, Outcome};

/// What the tag of a key begins with.
const KEY_TAG: &str = "$key:";
/// Event ids under a key are UUIDv5 in this namespace, of the key, a zero byte and the event's index.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x8c9a_7ad2_54c1_5f0e_9d3b_20f4_f5a0_6f31);

/// An idempotency key, as the store knows it.
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) tag: Tag,
}

impl Key {
    pub(crate) fn new(text: &str) -> Result<Self> {
        let max = limits::TAG_BYTES_MAX - KEY_TAG.len();
        let length = text.len();
        if length == 0 || max < length {
            return Err(Error::invalid(format!(
                "an idempotency key has 1 to {max} bytes, this one has {length}; hash a longer one"
            )));
        }
        Ok(Self { text: text.to_owned(), tag: Tag::new(format!("{KEY_TAG}{text}"))? })
    }

    pub(crate) fn query(&self) -> Query {
        let tags = Tags::new([self.tag.clone()]).expect("one tag is within the bound");
        query_of(vec![QueryItem::tagged(tags)]).expect("one item is a query")
    }

    pub(crate) fn event_id(&self, index: usize) -> EventId {
        let name = format!("{}\0{index}", self.text);
        Uuid::new_v5(&KEY_NAMESPACE, name.as_bytes()).into()
    }

    /// What was recorded under it, if anything.
    pub(crate) async fn first_outcome(&self, store: &dyn EventStore) -> Result<Option<Outcome>> {
        let mut found = store.read(self.query(), ReadOptions::default().limit(1));
        let Some(event) = found.next().await.transpose()? else {
            return Ok(None);
        };
        let events = Metadata::parse(&event.event.metadata).commit_events().unwrap_or(1);
        let first = event.position;
        let last = Position::new(first.get() + events.max(1) - 1).unwrap_or(first);
        Ok(Some(Outcome {
            position: Some(last),
            first: Some(first),
            last: Some(last),
            replayed: true,
            attempts: 0,
        }))
    }
}
