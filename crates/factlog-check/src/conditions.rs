//! Property [`Conditions`](Property::Conditions), of what was accepted: the conditions held just before its place.
//!
//! What was refused is the business of [`super::conflict`].

use super::facts::Facts;
use super::{Property, Violation};

/// Every append in the log had a right to be there, whatever its client was told.
pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    for placed in &facts.layout.placed {
        let Some(&writer) = placed.writers.first() else { continue };
        if let Some(why) = facts.broken(facts.append(writer), placed.first - 1) {
            let what = format!("is recorded from {} on although, just before it, {why}", placed.first);
            found.push(Violation::of_operation(Property::Conditions, writer, what));
        }
    }
}
