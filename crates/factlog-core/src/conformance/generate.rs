//! Events and queries from a seed, out of few enough names that they often meet.
//!
//! It draws from its seed only, so that a failing question can be asked again.

use super::harness::{event, name, stream, tags};
use crate::{Category, Event, Query, QueryItem, StreamFilter};

const TYPES: [&str; 6] = ["opened", "deposited", "withdrawn", "closed", "größer", "deposited.again"];
const TAGS: [&str; 8] = ["a:1", "a:2", "a:10", "b:1", "b", "c:x", "ß", "a:1 "];
const STREAMS: [&str; 6] = ["account-1", "account-2", "account", "loan-1", "loan-1-x", "-odd"];
const CATEGORIES: [&str; 4] = ["account", "loan", "loan-1", "none"];

/// SplitMix64: small, and good enough to ask varied questions.
pub(super) struct Generator(u64);

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which must not be 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) fn event(&mut self) -> Event {
        let event = event(self.pick(&TYPES)).tagged(tags(&self.some(&TAGS, 4)));
        match self.below(3) {
            0 => event,
            _ => event.in_stream(stream(self.pick(&STREAMS))),
        }
    }

    pub(super) fn query(&mut self) -> Query {
        match self.below(20) {
            0 => Query::All,
            _ => Query::AnyOf((0..=self.below(3)).map(|_| self.item()).collect()),
        }
    }

    fn item(&mut self) -> QueryItem {
        let types = self.some(&TYPES, 2);
        QueryItem {
            types: types.into_iter().map(name).collect(),
            tags: tags(&self.some(&TAGS, 2)),
            stream: match self.below(5) {
                0 | 1 => Some(StreamFilter::Id(stream(self.pick(&STREAMS)))),
                2 => Some(StreamFilter::Category(Category::new(self.pick(&CATEGORIES)).expect("a category"))),
                _ => None,
            },
        }
    }

    /// Up to `most` of these.
    fn some(&mut self, from: &[&'static str], most: u64) -> Vec<&'static str> {
        (0..self.below(most + 1)).map(|_| self.pick(from)).collect()
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len() as u64) as usize]
    }
}
