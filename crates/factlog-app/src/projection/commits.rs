//! What a worker's commit says besides documents: parked keys, what waits behind them, side effects, and the acts
//! that go into the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use factlog_core::{Error, Position, Result, Timestamp};
use serde_json::json;

use super::acts;
use super::route::Amends;
use super::rows::{self, AMENDED, EffectRow, ParkedRow, ROWS_MAX};
use super::target::{Control, Emitted, Outcome, Target, json as key_text};

/// Parked keys of one read model at most: beyond it, something is wrong with all of them.
pub(super) const PARKED_MAX: usize = 10_000;
/// How often a parked key is tried again by itself.
const ATTEMPTS_MAX: u32 = 8;
/// The pause before the first time; it doubles.
const BACK_OFF: Duration = Duration::from_secs(1);

const _: () = assert!(PARKED_MAX < ROWS_MAX);

/// Writes rows for one generation.
pub(super) struct Scribe {
    pub(super) generation: u64,
    /// Whether readers see the generation: side effects of another are held back.
    pub(super) serves: bool,
    pub(super) now: Timestamp,
}

impl Scribe {
    pub(super) fn write<K: serde::Serialize>(
        &self,
        control: &mut Control,
        outcome: &Outcome<K>,
        waiting: &[(K, Position)],
    ) {
        for effect in &outcome.effects {
            self.effect(control, effect);
        }
        for failure in &outcome.failures {
            let key = key_text(&failure.key);
            let row = first_failure(self.now, &failure.error);
            control.put(rows::parked(self.generation, &key), Some(rows::write(&row)));
            for position in &failure.positions {
                control.put(rows::waits(self.generation, &key, *position), Some(String::new()));
            }
            let first = failure.positions.first().map(|position| position.get());
            let data = json!({ "key": key, "position": first, "generation": self.generation, "error": failure.error });
            acts::note(control, self.now, acts::PARKED, data);
        }
        for (key, position) in waiting {
            control.put(rows::waits(self.generation, &key_text(key), *position), Some(String::new()));
        }
    }

    pub(super) fn effect(&self, control: &mut Control, effect: &Emitted) {
        let row = EffectRow { key: effect.key.clone(), data: effect.data.clone() };
        let name = match self.serves {
            true => rows::outbox(effect.position, effect.index),
            false => rows::held(self.generation, effect.position, effect.index),
        };
        control.put(name, Some(rows::write(&row)));
    }
}

pub(super) fn first_failure(now: Timestamp, error: &str) -> ParkedRow {
    failed(now, error, 1)
}

/// A key whose first event failed for the so-manieth time.
pub(super) fn failed(now: Timestamp, error: &str, attempts: u32) -> ParkedRow {
    let pause = BACK_OFF.as_micros() << attempts.saturating_sub(1).min(ATTEMPTS_MAX);
    let retry_at = now.as_micros().saturating_add(i64::try_from(pause).unwrap_or(i64::MAX));
    ParkedRow { error: error.to_owned(), attempts, retry_at: (attempts < ATTEMPTS_MAX).then_some(retry_at) }
}

pub(super) fn parked<T: Target>(target: &T, generation: u64) -> Result<BTreeMap<T::Key, ParkedRow>> {
    let prefix = rows::parked(generation, "");
    let mut parked = BTreeMap::new();
    for (name, text) in target.rows(&prefix, PARKED_MAX + 1)? {
        let key = rows::read(&name, &name[prefix.len()..])?;
        parked.insert(key, rows::read(&name, &text)?);
    }
    Ok(parked)
}

pub(super) fn check_parked<T: Target>(count: usize) -> Result<()> {
    if count <= PARKED_MAX {
        return Ok(());
    }
    let name = T::NAME;
    Err(Error::invalid(format!(
        "read model {name} has more than {PARKED_MAX} parked keys; correct the projection and rebuild it"
    )))
}

/// What operators changed about events.
pub(super) fn amends<T: Target>(target: &T) -> Result<Amends> {
    let counted = target.rows(AMENDED, 1)?.remove(AMENDED);
    let mut edits = BTreeMap::new();
    for (name, text) in target.rows("edit/", ROWS_MAX)? {
        edits.insert(rows::number(&name)?, text);
    }
    let mut skips = BTreeSet::new();
    for (name, _) in target.rows("skip/", ROWS_MAX)? {
        let mut parts = name.splitn(3, '/').skip(1);
        let (Some(position), Some(key)) = (parts.next(), parts.next()) else {
            return Err(rows::damaged(&name, ""));
        };
        skips.insert((rows::number(position)?, key.to_owned()));
    }
    Ok(Amends { counted, edits, skips })
}
