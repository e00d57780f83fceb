//! The linear checkers and the search for an order say the same of short histories, right and wrong.
//!
//! Neither knows the other's reasons. One that was too strict or too lax would have to be so in the same cases.

use factlog_core::{FailedCondition, Position, Revision};
use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;

use super::generate::{Mix, history, seeded};
use super::twins::{all, pick};
use super::{check, position, told};
use crate::history::{History, Operation, Outcome, What};
use crate::wgl;

/// Operations of a history that is searched.
const MOST: usize = 12;

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Sound,
    Broken,
}

/// What both say; fails where they differ.
fn verdict(history: &History) -> Verdict {
    let found = check(history);
    let order = wgl::order(history);
    assert_eq!(
        found.is_empty(),
        order.is_some(),
        "the order {:?} against\n{}\nin {:#?}",
        order,
        told(&found),
        history
    );
    if found.is_empty() { Verdict::Sound } else { Verdict::Broken }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_pass_right_histories(steps in vec(any::<(u8, u64)>(), 0..60)) {
        let history = history(&steps, Mix::WithoutSubscriptions, MOST);
        assert_eq!(verdict(&history), Verdict::Sound);
    }

    #[test]
    fn both_say_the_same_of_nudged_histories(
        steps in vec(any::<(u8, u64)>(), 20..60), nudges in vec(any::<u64>(), 1..4)
    ) {
        let mut history = history(&steps, Mix::WithoutSubscriptions, MOST);
        for nudge in nudges {
            let _is_nudged = self::nudge(&mut history, &mut Rng::with_seed(nudge));
        }
        verdict(&history);
    }
}

#[test]
fn both_catch_every_broken_twin() {
    let right: Vec<History> =
        (0..400).map(|seed| seeded(seed, Mix::WithoutSubscriptions, 60, MOST)).collect();
    for twin in all().filter(|twin| twin.is_order) {
        let (mut applied, name) = (0, twin.name);
        for (seed, history) in (0..).zip(&right) {
            let mut history = history.clone();
            if (twin.apply)(&mut history, &mut Rng::with_seed(seed)).is_some() {
                applied += 1;
                assert_eq!(verdict(&history), Verdict::Broken, "{name}, seed {seed}");
            }
        }
        assert!(5 <= applied, "{name} found something to break in {applied} histories only");
    }
}

/// Nudging is worth it only if some histories survive it and some do not.
#[test]
fn nudged_histories_are_of_both_kinds() {
    let mut sound = 0;
    for seed in 0..300 {
        let mut history = seeded(seed, Mix::WithoutSubscriptions, 60, MOST);
        let is_nudged = nudge(&mut history, &mut Rng::with_seed(seed)).is_some();
        sound += u32::from(is_nudged && verdict(&history) == Verdict::Sound);
    }
    assert!((30..270).contains(&sound), "{sound} of 300 stay sound");
}

/// A small change that may or may not break something.
fn nudge(history: &mut History, rng: &mut Rng) -> Option<()> {
    let end = history.operations.iter().filter_map(|it| it.ended).max()?;
    let at = rng.usize(..history.operations.len());
    let operation = &mut history.operations[at];
    match rng.u8(..11) {
        0 => operation.ended = operation.ended.map(|ended| rng.u64(operation.begun..=ended)),
        1 => operation.ended = operation.ended.map(|ended| rng.u64(ended..=end.max(ended))),
        2 => operation.begun = rng.u64(..=operation.begun),
        3 => operation.begun = rng.u64(operation.begun..=operation.ended.unwrap_or(end).max(operation.begun)),
        4 => {
            let (at, _) = pick(history, rng, shown)?;
            let to = Position::new(rng.u64(..=history.log.len() as u64));
            match &mut history.operations[at].what {
                What::Head { found } | What::Tracking { found, .. } => *found = to,
                What::Read { .. }
                | What::Append { .. }
                | What::Deliveries { .. }
                | What::CaughtUp { .. }
                | What::PositionAt { .. } => {}
            }
        }
        5 => {
            let What::Append { outcome, .. } = &mut operation.what else { return None };
            *outcome = Outcome::Unknown;
        }
        6 => {
            let What::Append { append, .. } = &mut operation.what else { return None };
            append.conditions.pop()?;
        }
        7 => drop(history.operations.remove(at)),
        8 => history.log.truncate(history.log.len() - rng.usize(..=history.log.len().min(3))),
        9.. => {
            let What::Append { outcome, .. } = &mut operation.what else { return None };
            nudge_outcome(outcome, rng);
        }
    }
    Some(())
}

fn nudge_outcome(outcome: &mut Outcome, rng: &mut Rng) {
    match outcome {
        Outcome::Appended(appended) if rng.bool() => appended.deduplicated = !appended.deduplicated,
        Outcome::Conflict(conflict) if rng.bool() => {
            for failed in &mut conflict.failed {
                match failed {
                    FailedCondition::NoneMatch { position: newest, .. } => *newest = position(rng.u64(1..9)),
                    FailedCondition::Revision { actual, .. } => *actual = Some(Revision::new(rng.u64(..3))),
                    FailedCondition::Tracking { recorded, .. } => *recorded = position(rng.u64(1..12)),
                    other => panic!("a new kind of condition: {other}"),
                }
            }
        }
        Outcome::Conflict(conflict) => drop(conflict.failed.pop()),
        Outcome::Appended(_) | Outcome::Refused | Outcome::Unknown => *outcome = Outcome::Refused,
    }
}

fn shown(operation: &Operation) -> Option<()> {
    matches!(operation.what, What::Head { .. } | What::Tracking { .. }).then_some(())
}
