//! What a worker's commit says besides documents: parked keys, what waits behind them, side effects, and the acts
//! that go into the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use factlog_core::{Error, Position, Result, Timestamp};
use serde_json::json;

use super::acts;
use super::lease::Held;
use super::partition::of_json;
use super::route::Amends;
use super::rows::{self, AMENDED, EffectRow, ParkedRow, ROWS_MAX};
use super::target::{Control, Emitted, Failure, Outcome, Target, json as key_text};

/// Parked keys of one read model at most: beyond it, something is wrong with all of them.
pub(super) const PARKED_MAX: usize = 10_000;
/// How often a parked key is tried again by itself.
const ATTEMPTS_MAX: u32 = 8;
/// The pause before the first time; it doubles.
const BACK_OFF: Duration = Duration::from_secs(1);

const _: () = assert!(PARKED_MAX < ROWS_MAX);

/// A parked key as its owner knows it.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) row: ParkedRow,
    /// The row as it is in the sink; absent until the commit that parks the key.
    text: Option<String>,
}

/// Parked keys of one worker.
pub(super) type ParkedKeys<K> = BTreeMap<K, Parked>;

impl Parked {
    pub(super) fn written(row: ParkedRow) -> Self {
        let text = Some(rows::write(&row));
        Self { row, text }
    }

    /// Failed just now, which no commit says yet.
    pub(super) fn unwritten<K>(now: Timestamp, failure: &Failure<K>) -> Self {
        Self { row: first_failure(now, &failure.error), text: None }
    }

    pub(super) fn is_written(&self) -> bool {
        self.text.is_some()
    }
}

/// Writes rows for one generation.
pub(super) struct Scribe {
    pub(super) generation: u64,
    /// Whether readers see the generation: side effects of another are held back.
    pub(super) serves: bool,
    pub(super) now: Timestamp,
}

impl Scribe {
    pub(super) fn write<K: serde::Serialize + Ord>(
        &self,
        control: &mut Control,
        outcome: &Outcome<K>,
        waiting: &[(K, Position)],
        known: &ParkedKeys<K>,
    ) {
        for effect in &outcome.effects {
            self.effect(control, effect);
        }
        for failure in &outcome.failures {
            let key = key_text(&failure.key);
            control.change(rows::parked(self.generation, &key), None, self.parked(failure).text);
            for position in &failure.positions {
                control.put(rows::waits(self.generation, &key, *position), Some(String::new()));
            }
            let first = failure.positions.first().map(|position| position.get());
            let data = json!({ "key": key, "position": first, "generation": self.generation, "error": failure.error });
            acts::note(control, self.now, acts::PARKED, data);
        }
        // What waits behind a key that is not parked any more would never be applied.
        for key in waiting.iter().map(|(key, _)| key).collect::<BTreeSet<_>>() {
            if let Some(text) = known.get(key).and_then(|parked| parked.text.clone()) {
                control.expected.push((rows::parked(self.generation, &key_text(key)), Some(text)));
            }
        }
        for (key, position) in waiting {
            control.put(rows::waits(self.generation, &key_text(key), *position), Some(String::new()));
        }
    }

    /// A key that is parked by this commit.
    pub(super) fn parked<K>(&self, failure: &Failure<K>) -> Parked {
        Parked::written(first_failure(self.now, &failure.error))
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

fn first_failure(now: Timestamp, error: &str) -> ParkedRow {
    failed(now, error, 1)
}

/// A key whose first event failed for the so-manieth time.
pub(super) fn failed(now: Timestamp, error: &str, attempts: u32) -> ParkedRow {
    let pause = BACK_OFF.as_micros() << attempts.saturating_sub(1).min(ATTEMPTS_MAX);
    let retry_at = now.as_micros().saturating_add(i64::try_from(pause).unwrap_or(i64::MAX));
    ParkedRow { error: error.to_owned(), attempts, retry_at: (attempts < ATTEMPTS_MAX).then_some(retry_at) }
}

/// The parked keys of the partitions that are held: those of others are for their owners to try again.
pub(super) fn parked<T: Target>(target: &T, generation: u64, held: &[Held]) -> Result<ParkedKeys<T::Key>> {
    let is_held = |partition| held.iter().any(|held| (held.from..held.row.to).contains(&partition));
    parked_in(target, generation, is_held)
}

/// The parked keys of some partitions.
pub(super) fn parked_in<T: Target>(
    target: &T,
    generation: u64,
    is_meant: impl Fn(u16) -> bool,
) -> Result<ParkedKeys<T::Key>> {
    let prefix = rows::parked(generation, "");
    let mut parked = BTreeMap::new();
    let found = target.rows(&prefix, PARKED_MAX + 1)?;
    // Events of a key that is not known as parked would be applied before those that wait.
    check_parked::<T>(found.len())?;
    for (name, text) in found {
        let key = &name[prefix.len()..];
        let partition = of_json(key.as_bytes());
        if is_meant(partition) {
            let row = rows::read(&name, &text)?;
            parked.insert(rows::read(&name, key)?, Parked { row, text: Some(text) });
        }
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
