//! What a process is called in the log: its streams, its tag, its tracking source, and the keys of its commands.
//!
//! * `$process-<name>` is the process's own stream, `$process-<name>:<instance>` that of one instance. A name has no
//!   colon, so no two instances share a stream and no two commands a key.
//! * An instance too long for a key goes by a hash that begins with `~`; its records hold it in full.

use factlog_core::{Error, Position, Query, QueryItem, Result, StreamId, Tag, Tags, TrackingSource};
use uuid::Uuid;

use super::record::Kind;
use crate::view::query_of;

/// Bytes of a process's name.
pub(super) const NAME_BYTES_MAX: usize = 64;
/// Bytes of an instance that stands in stream ids and keys as it is.
const PLAIN_BYTES_MAX: usize = 128;
/// Hashed instances are UUIDv5 in this namespace.
const INSTANCES: Uuid = Uuid::from_u128(0x3b6a_41de_0c1f_5a77_8d02_94c7_1e5b_e2a9);

/// The names of one process in the log.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(super) process: String,
    /// The stream of what concerns no instance.
    pub(super) own: StreamId,
    pub(super) source: TrackingSource,
    tags: Tags,
}

impl Names {
    pub(crate) fn new(process: &str) -> Result<Self> {
        let fits = !process.is_empty() && process.len() <= NAME_BYTES_MAX;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !fits || !process.chars().all(plain) {
            return Err(Error::invalid(format!(
                "{process:?} is no name of a process; give 1 to {NAME_BYTES_MAX} letters, digits and `-`, `_`, `.`"
            )));
        }
        Ok(Self {
            process: process.to_owned(),
            own: StreamId::new(format!("$process-{process}"))?,
            source: TrackingSource::new(format!("process:{process}"))?,
            tags: Tags::new([Tag::new(format!("$process:{process}"))?])?,
        })
    }

    /// The stream of an instance.
    pub(crate) fn stream(&self, instance: &str) -> StreamId {
        let text = format!("{}:{}", self.own, plain(instance));
        StreamId::new(text).expect("a bounded name and a bounded instance are within the bound")
    }

    /// The idempotency key of a command: which input it answers, and the how manieth answer it is.
    pub(crate) fn key(&self, instance: &str, input: Position, index: u32) -> String {
        format!("process:{}:{}:{input}:{index}", self.process, plain(instance))
    }

    pub(super) fn tags(&self) -> Tags {
        self.tags.clone()
    }

    /// The records of these kinds.
    pub(super) fn item(&self, kinds: impl IntoIterator<Item = Kind>) -> QueryItem {
        let types = kinds.into_iter().map(Kind::event_type).collect();
        QueryItem { types, tags: self.tags.clone(), stream: None }
    }

    /// What only whoever runs the process writes.
    pub(super) fn runners(&self) -> Query {
        let kinds = Kind::ALL.into_iter().filter(|kind| !kind.is_operators());
        query_of(vec![self.item(kinds)]).expect("one item is a query")
    }

    /// Every record of the process.
    pub(super) fn records(&self) -> Query {
        query_of(vec![self.item(Kind::ALL)]).expect("one item is a query")
    }
}

/// The instance as it stands in stream ids and keys.
fn plain(instance: &str) -> String {
    let short = !instance.is_empty() && instance.len() <= PLAIN_BYTES_MAX;
    if short && !instance.starts_with('~') {
        return instance.to_owned();
    }
    format!("~{}", Uuid::new_v5(&INSTANCES, instance.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two instances in one stream would take each other's commands for their own.
    #[test]
    fn no_two_instances_share_a_stream_or_a_key() {
        let long = "x".repeat(129);
        let hashed = plain(&long);
        let instances = ["", "a", "a:b", "~", "a-b", &long, &hashed];
        let mut streams = std::collections::BTreeSet::new();
        let mut keys = std::collections::BTreeSet::new();
        for process in ["p", "p-a", "p.a"] {
            let names = Names::new(process).expect("a name");
            for instance in instances {
                assert!(streams.insert(names.stream(instance)), "{process} {instance}");
                for (input, index) in [(1, 2), (12, 2), (1, 22)] {
                    let key = names.key(instance, Position::new(input).expect("not zero"), index);
                    assert!(key.len() <= 250 && keys.insert(key.clone()), "{key}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_would_be_ambiguous_or_too_long_is_refused() {
        for name in ["", "a:b", "a b", "ü", &"n".repeat(65)] {
            assert!(Names::new(name).is_err(), "{name}");
        }
        let names = Names::new(&"n".repeat(64)).expect("the longest name");
        assert!(names.key(&"i".repeat(128), Position::MAX, u32::MAX).len() <= 250);
    }
}
