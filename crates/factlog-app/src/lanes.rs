//! Lanes: whoever lost a race for a boundary tries again in line, one after the other, not all at once.
//!
//! * A command takes no lane before it has lost: without contention this costs nothing.
//! * Lanes only order the attempts of one app. What makes a decision hold is the store's condition alone.
//! * It knows no clock; whoever waits is woken by whoever is done, in the order of arrival.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use factlog_core::{AppendCondition, Query, StreamFilter};
use tokio::sync::{Mutex, MutexGuard};

/// Lanes of one app. Boundaries that share one by chance wait for each other and are no less right.
const LANES: usize = 64;

#[derive(Debug)]
pub(crate) struct Lanes(Vec<Mutex<()>>);

/// While it lives, nobody else of this app tries again on a boundary that has a view in common.
#[must_use]
pub(crate) struct Turn<'a>(#[expect(dead_code, reason = "held, never read")] Vec<MutexGuard<'a, ()>>);

impl Lanes {
    /// Waits for the turn of a command that lost under these conditions.
    pub(crate) async fn turn(&self, lost: &BTreeSet<usize>) -> Turn<'_> {
        let mut guards = Vec::with_capacity(lost.len());
        // Ascending for everyone, so that two who need two lanes never wait for each other.
        for lane in lost {
            guards.push(self.0[*lane].lock().await);
        }
        Turn(guards)
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self((0..LANES).map(|_| Mutex::new(())).collect())
    }
}

/// The lanes of a boundary: one per view, by its tags and stream, so that views of other types meet there too.
pub(crate) fn lanes_of(conditions: &[AppendCondition]) -> BTreeSet<usize> {
    let mut lanes = BTreeSet::new();
    for condition in conditions {
        match condition {
            AppendCondition::Revision { stream, .. } => {
                lanes.insert(lane(&StreamFilter::Id(stream.clone())));
            }
            AppendCondition::NoneMatch { query: Query::AnyOf(items), .. } => {
                lanes.extend(items.iter().map(|item| lane(&(&item.tags, &item.stream))));
            }
            AppendCondition::NoneMatch { query: Query::All, .. } => {
                lanes.insert(0);
            }
        }
    }
    lanes
}

fn lane(part: &impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    usize::from(hasher.finish().to_le_bytes()[0]) % LANES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tags;
    use factlog_core::QueryItem;
    use futures_util::FutureExt as _;

    fn lanes(accounts: &[u64]) -> BTreeSet<usize> {
        let items = accounts.iter().map(|account| QueryItem::tagged(tags![account = account].expect("tags")));
        lanes_of(&[AppendCondition::none_match(Query::any_of(items).expect("items"), None)])
    }

    /// A turn that outlived a dropped command would stop every other for good.
    #[test]
    fn a_dropped_turn_and_a_dropped_wait_free_the_lane() {
        let all = Lanes::default();
        let first = all.turn(&lanes(&[1])).now_or_never().expect("free");
        {
            let both = lanes(&[1, 2]);
            let mut waiting = Box::pin(all.turn(&both));
            assert!((&mut waiting).now_or_never().is_none(), "taken");
        }
        assert!(all.turn(&lanes(&[1])).now_or_never().is_none(), "still taken");
        drop(first);
        assert!(all.turn(&lanes(&[2, 1])).now_or_never().is_some());
    }

    #[test]
    fn a_boundary_without_conditions_waits_for_nobody() {
        assert!(lanes_of(&[]).is_empty());
    }
}
