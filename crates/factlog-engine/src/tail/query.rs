//! What readers and the writer ask a generation: which positions match.

use factlog_core::{Direction, Query};

#[cfg(test)]
use super::Kind;
use super::plan::Plan;
use super::walk::{Item, Walk};
use super::{Generation, Span};

impl Generation {
    /// The newest matching position in `(after, until]`: what decides a condition. It walks the chain of each item's
    /// rarest key from its newest event and stops at `after`.
    pub(crate) fn newest(&self, query: &Query, after: u64, until: u64) -> Option<u64> {
        let span = self.span((after, until))?;
        let newest_of_all =
            || (span.after + 1..=span.until).rev().find(|&ordinal| self.events.exists(ordinal));
        let Query::AnyOf(items) = query else { return newest_of_all().map(|newest| self.position(newest)) };
        let mut best = span.after;
        for item in items {
            let Some(item) = Item::new(self, item, best) else { continue };
            let newest = match item.is_any() {
                true => newest_of_all(),
                false => Walk::new(&self.events, &item).next(Span { after: best, ..span }),
            };
            best = newest.unwrap_or(best).max(best);
        }
        (span.after < best).then(|| self.position(best))
    }

    /// Matching positions in `(after, until]`, at most `limit`, in the order of the direction.
    pub(crate) fn positions(
        &self,
        query: &Query,
        range: (u64, u64),
        direction: Direction,
        limit: usize,
    ) -> Vec<u64> {
        let Some(span) = self.span(range) else { return Vec::new() };
        let ordinals = Plan::new(self, query, span.after).ordinals(self, span, direction, limit);
        ordinals.into_iter().map(|ordinal| self.position(ordinal)).collect()
    }

    /// The positions of one key in `(after, until]`, ascending.
    #[cfg(test)]
    pub(crate) fn postings(&self, kind: Kind, name: &str, range: (u64, u64)) -> Vec<u64> {
        let (Some(span), Some(key)) = (self.span(range), self.keys.find(kind, name)) else {
            return Vec::new();
        };
        let mut ordinal = self.keys.chain(key).newest;
        let mut found = Vec::new();
        while span.after < ordinal {
            if ordinal <= span.until {
                found.push(self.position(ordinal));
            }
            ordinal = self.events.older(ordinal, key);
        }
        found.reverse();
        found
    }
}
