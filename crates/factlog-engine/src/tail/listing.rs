//! The keys of a generation, for lists of streams and types and for the index run that is written of it.

use super::{Generation, Kind};

/// A key and the events in here that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySpan {
    pub(crate) name: String,
    /// How many events a stream had before this generation; 0 for other keys.
    pub(crate) base: u64,
    /// How many events have it, up to the head that was asked for.
    pub(crate) count: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Generation {
    /// The keys of a kind that begin with `prefix` and have an event up to `head`, in no order.
    pub(crate) fn keys(&self, kind: Kind, prefix: &str, head: u64) -> Vec<KeySpan> {
        let until = self.ordinal_until(head);
        let mut spans = Vec::new();
        let mut name = Vec::new();
        for key in self.keys.all_of_kind(kind).1 {
            name.clear();
            self.keys.name(key, &mut name);
            if !name.starts_with(prefix.as_bytes()) {
                continue;
            }
            let chain = self.events.chain_until(key, self.keys.chain(key), until);
            if chain.newest != 0 {
                spans.push(KeySpan {
                    name: String::from_utf8(name.clone()).expect("it was written from a string"),
                    base: self.keys.base(key),
                    count: u64::from(chain.count),
                    first: self.position(self.keys.first(key)),
                    last: self.position(chain.newest),
                });
            }
        }
        spans
    }

    /// How many keys of a kind have an event up to `head`. It looks at the keys that came after it, one by one.
    pub(crate) fn distinct(&self, kind: Kind, head: u64) -> u64 {
        let until = self.ordinal_until(head);
        let above = |&key: &u32| self.keys.chain(key).newest == 0 || until < self.keys.first(key);
        let (known, keys) = self.keys.all_of_kind(kind);
        u64::from(known) - keys.take_while(above).count() as u64
    }

    /// Shows every key with what a stream had before this generation (0 for other keys) and its positions: keys as
    /// kind byte and name, ascending as bytes, positions ascending.
    /// For a generation to which nothing is added any more. While it runs it takes 4 bytes a node and some 50 a key.
    pub(crate) fn visit_keys<E>(
        &self,
        mut visit: impl FnMut(&[u8], u64, &[u64]) -> Result<(), E>,
    ) -> Result<(), E> {
        let keys = self.sorted_keys();
        // A counting sort of the nodes by key: where each key's next ordinal goes.
        let mut places = vec![0_u32; keys.iter().max().map_or(0, |&key| key as usize + 1)];
        let mut total = 0;
        for &key in &keys {
            places[key as usize] = total;
            total += self.keys.chain(key).count;
        }
        let mut ordinals = vec![0_u32; total as usize];
        for ordinal in 1..=self.events.last() {
            for node in self.events.nodes(ordinal) {
                let place = &mut places[node.key() as usize];
                ordinals[*place as usize] = ordinal;
                *place += 1;
            }
        }
        let mut rest = ordinals.as_slice();
        let (mut name, mut positions) = (Vec::new(), Vec::new());
        for key in keys {
            let (mine, others) = rest.split_at(self.keys.chain(key).count as usize);
            rest = others;
            name.clear();
            name.push(self.keys.kind(key));
            self.keys.name(key, &mut name);
            positions.clear();
            positions.extend(mine.iter().map(|&ordinal| self.position(ordinal)));
            visit(&name, self.keys.base(key), &positions)?;
        }
        Ok(())
    }

    /// All keys, ascending by kind and name.
    fn sorted_keys(&self) -> Vec<u32> {
        let mut sorted = Vec::new();
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for kind in [Kind::Stream, Kind::Category, Kind::Type, Kind::Tag] {
            // Most names differ in what fits a number, and only the others are looked up again.
            let starts = self.keys.all_of_kind(kind).1.map(|key| {
                left.clear();
                self.keys.name(key, &mut left);
                (start_of(&left), key)
            });
            let mut keys: Vec<_> = starts.collect();
            keys.sort_unstable_by(|a, b| {
                a.0.cmp(&b.0).then_with(|| {
                    left.clear();
                    right.clear();
                    self.keys.name(a.1, &mut left);
                    self.keys.name(b.1, &mut right);
                    left.cmp(&right)
                })
            });
            sorted.extend(keys.into_iter().map(|(_, key)| key));
        }
        sorted
    }
}

/// The start of a name, as a number that sorts like it.
fn start_of(name: &[u8]) -> u128 {
    let mut start = [0; 16];
    let length = name.len().min(start.len());
    start[..length].copy_from_slice(&name[..length]);
    u128::from_be_bytes(start)
}
