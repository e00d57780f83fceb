//! Debts: which side effects a generation owes, and what of that passes on when another takes over.
//!
//! * Each side effect is owed by one generation at a time. The one that is left passes on what it still owes: above
//!   where it stands, or above where it was to begin, whichever is further; and what it owed of single keys and has
//!   not applied, because the key is parked or because it never came so far (traps 15, 16).
//! * A generation that readers do not see holds back at least what it may come to owe.

use std::collections::{BTreeMap, BTreeSet};

use factlog_core::{Error, Position, Result};

use super::lease;
use super::partition::{PARTITIONS, of_json};
use super::rows::{self, GenerationRow, Split};
use super::sink::Rows;
use super::target::{Control, Emits, Target};

/// Side effects that are owed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Debts {
    /// Those above these positions, by partition; all where there are none.
    after: Vec<Split>,
    /// And those of these events, by key.
    owed: BTreeMap<String, Vec<u64>>,
}

impl Debts {
    /// What a generation still owes, whose ranges are these.
    pub(super) fn left_by<T: Target>(
        target: &T,
        number: u64,
        row: &GenerationRow,
        ranges: &Rows,
    ) -> Result<Self> {
        let (reached, emits) = (splits(ranges)?, Emits { after: &row.effects_after, owed: &row.owed });
        let mut owed: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (key, positions) in &row.owed {
            let at = position_in(&reached, of_json(key.as_bytes()));
            let beyond = positions.iter().copied().filter(|position| at < Some(*position));
            owed.entry(key.clone()).or_default().extend(beyond);
        }
        let prefix = format!("waiting/{number:08}/");
        for name in target.rows(&prefix, usize::MAX)?.keys() {
            let key = name[prefix.len()..].rsplit_once('/').map_or("", |(key, _)| key);
            let digits = rows::number(name)?;
            let position = Position::new(digits).ok_or_else(|| rows::damaged(name, "position 0"))?;
            if emits.owes_text(key, position) {
                owed.entry(key.to_owned()).or_default().push(digits);
            }
        }
        owed.retain(|_, positions| !positions.is_empty());
        Ok(Self { after: merged(&reached, &row.effects_after, Ord::max), owed })
    }

    /// What is recorded behind a position.
    pub(super) fn above(head: Option<Position>) -> Self {
        let position = head.map(Position::get);
        Self { after: vec![Split { to: PARTITIONS, position }], owed: BTreeMap::new() }
    }

    /// What a generation with these ranges is known to owe by itself: nothing that it did not hold back, and all that
    /// it will apply.
    pub(super) fn own(row: &GenerationRow, ranges: &Rows) -> Result<Self> {
        let after = merged(&splits(ranges)?, &row.effects_after, Ord::min);
        Ok(Self { after, owed: row.owed.clone() })
    }

    /// From now on the generation owes this, or holds it back.
    pub(super) fn burden(&self, row: &mut GenerationRow) {
        row.effects_after.clone_from(&self.after);
        row.owed.clone_from(&self.owed);
    }

    /// Side effects that were held back go out if they are owed now, and otherwise nowhere.
    pub(super) fn release<T: Target>(&self, target: &T, to: u64, control: &mut Control) -> Result<()> {
        let emits = Emits { after: &self.after, owed: &self.owed };
        let prefix = format!("held/{to:08}/");
        for (name, text) in target.rows(&prefix, usize::MAX)? {
            let rest = &name[prefix.len()..];
            let position = rest.split('/').next().and_then(|number| Position::new(number.parse().ok()?));
            let position = position.ok_or_else(|| rows::damaged(&name, &text))?;
            let effect: rows::EffectRow = rows::read(&name, &text)?;
            if emits.owes_text(&effect.key, position) {
                control.put(format!("outbox/{rest}"), Some(text.clone()));
            }
            control.change(name, Some(text), None);
        }
        Ok(())
    }
}

/// Nobody knows what was carried out before: what readers saw may have been lost, with its side effects.
pub(super) fn unsaid(name: &str) -> Error {
    Error::invalid(format!(
        "nothing is kept yet of read model {name}, and nobody said where its side effects begin; start it with `effects_after`: a position up to which none are carried out, such as the head of the log, or `None` for all"
    ))
}

/// Where each range is.
fn splits(ranges: &Rows) -> Result<Vec<Split>> {
    let mut splits = Vec::with_capacity(ranges.len());
    for (name, text) in ranges {
        let (_, row) = lease::parsed(name, text)?;
        splits.push(Split { to: row.to, position: row.position });
    }
    Ok(splits)
}

fn position_in(splits: &[Split], partition: u16) -> Option<u64> {
    splits.iter().find(|split| partition < split.to).and_then(|split| split.position)
}

/// One position of two for each partition; in one piece where all are the same.
fn merged(left: &[Split], right: &[Split], pick: fn(Option<u64>, Option<u64>) -> Option<u64>) -> Vec<Split> {
    let bounds: BTreeSet<u16> = left.iter().chain(right).map(|split| split.to).collect();
    let piece = |to: u16| {
        let last = to.saturating_sub(1);
        Split { to, position: pick(position_in(left, last), position_in(right, last)) }
    };
    let mut pieces: Vec<Split> = bounds.into_iter().map(piece).collect();
    let same = pieces.windows(2).all(|pair| pair[0].position == pair[1].position);
    if same && let Some(last) = pieces.pop() {
        return vec![last];
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(to: u16, position: u64) -> Split {
        Split { to, position: Some(position) }
    }

    /// Ranges are cut anew between two switches, so that neither list fits the other.
    #[test]
    fn the_further_of_two_is_known_for_each_partition_however_they_are_cut() {
        let (left, right) = ([split(512, 9), split(1024, 3)], [split(256, 5), split(1024, 7)]);
        let further = [split(256, 9), split(512, 9), split(1024, 7)];
        assert_eq!(merged(&left, &right, Ord::max), further);
        assert_eq!(merged(&[split(512, 9), split(1024, 9)], &[], Ord::max), [split(1024, 9)]);
        let nearer = [Split { to: 1024, position: None }];
        assert_eq!(merged(&left, &[], Ord::min), nearer, "without any, all are owed");
    }
}
