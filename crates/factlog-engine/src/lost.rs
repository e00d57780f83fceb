//! Lost positions: which damage took them away, and who must be told.
//!
//! * What was lost when the store was opened never comes back while it is open.
//! * A read that would pass over a lost position fails. So does a question to which a lost event may belong, where
//!   nothing else knows it: of sealed events the index does, of others only their frames.

use factlog_core::Error;

use crate::damage::Damage;
use crate::shared::Shared;

impl Shared {
    /// The damage that keeps a reader of `(after, until]` from going on, the nearest to its start first.
    pub(crate) fn damage_in(&self, after: u64, until: u64, forwards: bool) -> Option<&Damage> {
        let mut hit = self
            .damage
            .iter()
            .filter(|damage| damage.lost().is_some_and(|(first, last)| after < last && first <= until));
        if forwards { hit.next() } else { hit.next_back() }
    }

    /// The last damage that took positions away behind the sealed log: what was in them no index tells.
    pub(crate) fn lost_unsealed(&self) -> Option<&Damage> {
        let sealed = self.view().sealed();
        self.damage.iter().rfind(|damage| damage.lost().is_some_and(|(_, last)| sealed < last))
    }

    /// What is known of a position that no file has.
    pub(crate) fn unreadable(&self, position: u64) -> Error {
        let unknown = || Error::corrupt(format!("position {position} is in no file; run `factlog verify`"));
        self.lost(position).map_or_else(unknown, Damage::to_error)
    }

    /// The damage that took a position away before the store was opened.
    pub(crate) fn lost(&self, position: u64) -> Option<&Damage> {
        let takes = |damage: &&Damage| {
            damage.lost().is_some_and(|(first, last)| first <= position && position <= last)
        };
        self.damage.iter().find(takes)
    }
}
