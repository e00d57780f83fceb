//! Property [`Repeats`](Property::Repeats): the id of an append's first event names that append for ever.
//!
//! That no conflict answers a repeat, and that a repeat is answered when the original can be there, needs instants:
//! see [`super::conflict`] and [`super::order`].

use std::collections::HashMap;

use factlog_core::{Append, Appended};

use super::facts::Facts;
use super::layout::{appends, as_append, first_id};
use super::recorded::answer;
use super::{Property, Violation};
use crate::history::Outcome;

/// Each append is in the log once and was written by one; the others were told where it is.
pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Violation>) {
    for placed in &facts.layout.placed {
        let id = facts.index.at(placed.first).map(|recorded| recorded.event.id);
        let original = id.and_then(|id| facts.layout.with_id(id).next());
        let is_known = !placed.writers.is_empty() || !placed.others.is_empty();
        if let Some(original) = original.filter(|original| is_known && original.first < placed.first) {
            let what = format!("begins an append that is recorded at {} already", original.first);
            found.push(Violation::of_place(Property::Repeats, placed.first, what));
        }
        let said = placed.others.iter().copied().find(|&at| is_repeat(facts, at));
        if let Some(at) = said.filter(|_| placed.writers.is_empty()) {
            let what = format!(
                "was told that it is a repeat of {}, but nobody else can have written that",
                placed.first
            );
            found.push(Violation::of_operation(Property::Repeats, at, what));
        }
    }
    let mut wrote = HashMap::new();
    for (at, append, outcome) in appends(facts.history) {
        let Outcome::Appended(appended) = outcome else { continue };
        if appended.deduplicated {
            if let Some(what) = difference(facts, at, append, appended) {
                found.push(Violation::of_operation(Property::Repeats, at, what));
            }
        } else if let Some(other) = wrote.insert(first_id(append), at) {
            let what = format!("was told that it wrote what operation {other} was told it wrote");
            found.push(Violation::of_operation(Property::Repeats, at, what));
        }
    }
}

fn is_repeat(facts: &Facts<'_>, at: usize) -> bool {
    let outcome = as_append(&facts.history.operations[at]).map(|(_, outcome)| outcome);
    matches!(outcome, Some(Outcome::Appended(appended)) if appended.deduplicated)
}

fn difference(facts: &Facts<'_>, at: usize, append: &Append, appended: &Appended) -> Option<String> {
    let first = appended.first.get();
    let Some(placed) = facts.layout.of(at, append, Some(first)) else {
        return Some(format!(
            "was told that it is a repeat of {first}, but nowhere in the log are its events together"
        ));
    };
    let answer = answer(facts, placed, true);
    (answer != *appended).then(|| format!("was told {appended:?}, but the original is {answer:?}"))
}
