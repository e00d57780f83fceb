//! What the rows of a sink mean: generations, checkpoints with their leases, parked keys, orders, side effects.
//!
//! * Names and JSON are part of the format (`docs/format.md`): other programs read them and leave orders.
//! * A row that makes no sense is damage and never "nothing yet": every event would count again.

use std::collections::BTreeMap;

use factlog_core::{Error, Position, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::Mark;

/// Why the last generation that was built could not be.
pub(super) const GIVEN_UP: &str = "given-up";
/// Rows read at once at most where more are of no use.
pub(super) const ROWS_MAX: usize = 20_000;

/// One generation of a read model: `generation/<number>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct GenerationRow {
    pub(super) version: u32,
    /// A hash of the events it folds, in hexadecimal digits.
    pub(super) fingerprint: String,
    pub(super) phase: Phase,
    /// Why it was begun.
    pub(super) because: Option<String>,
    /// Where side effects passed to it: of each range of partitions, it owes those above the position. None: all.
    #[serde(default)]
    pub(super) effects_after: Vec<Split>,
    /// What it owes at or below that: by key, the positions its predecessor had parked.
    #[serde(default)]
    pub(super) owed: BTreeMap<String, Vec<u64>>,
}

/// Up to where another generation took care of side effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Split {
    /// The first partition behind the range, which begins where the one before ends.
    pub(super) to: u16,
    pub(super) position: Option<u64>,
}

/// What a generation is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    /// It is built beside the one that is served.
    Building,
    /// Readers see it.
    Serving,
    /// It was served before, or is ready to be; one can switch to it.
    Kept,
}

/// The checkpoint of a range of partitions, and who may move it: `range/<generation>/<from>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RangeRow {
    /// The first partition behind the range.
    pub(super) to: u16,
    /// Every event up to here is applied or does not concern the range.
    pub(super) position: Option<u64>,
    /// The last event applied: it tells this log from another.
    pub(super) last_position: Option<u64>,
    pub(super) last_event: Option<String>,
    /// Who holds it; absent while nobody does.
    pub(super) owner: Option<String>,
    /// Raised whenever it is taken: a holder whose epoch is not in the row any more writes nothing.
    pub(super) epoch: u64,
    /// When the lease ends, in microseconds since 1970.
    pub(super) until: i64,
}

/// How far a set of documents has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) position: Option<Position>,
    pub(super) last: Option<Mark>,
}

impl RangeRow {
    pub(super) fn free(to: u16) -> Self {
        Self { to, position: None, last_position: None, last_event: None, owner: None, epoch: 0, until: 0 }
    }

    pub(super) fn set(&mut self, checkpoint: Checkpoint) {
        self.position = checkpoint.position.map(Position::get);
        self.last_position = checkpoint.last.map(|mark| mark.position.get());
        self.last_event = checkpoint.last.map(|mark| mark.id.to_string());
    }

    /// `None` where it makes no sense.
    pub(super) fn checkpoint(&self) -> Option<Checkpoint> {
        let position = match self.position {
            None => None,
            Some(number) => Some(Position::new(number)?),
        };
        let last = match (self.last_position, &self.last_event) {
            (None, None) => None,
            (number, id) => Some(Mark { position: Position::new(number?)?, id: id.as_ref()?.parse().ok()? }),
        };
        // What was applied lies at or before what was passed; anything else would be counted again.
        (last.map(|mark| mark.position) <= position).then_some(Checkpoint { position, last })
    }
}

/// A key that stands still: `parked/<generation>/<key>`. What waits for it is in `waiting/<generation>/<key>/<position>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ParkedRow {
    pub(super) error: String,
    /// How often its first event was tried.
    pub(super) attempts: u32,
    /// When it is tried again by itself, in microseconds since 1970; absent when it is not.
    pub(super) retry_at: Option<i64>,
}

/// A side effect that is owed: `outbox/<position>/<index>`, or `held/<generation>/<position>/<index>` before a switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EffectRow {
    pub(super) key: String,
    pub(super) data: serde_json::Value,
}

/// The row that counts edits and skips: whoever folds expects it as it was when it learned of them.
pub(super) const AMENDED: &str = "amended";
/// The row that is there until edits and skips were taken from the log, in a sink that is new.
pub(super) const ANEW: &str = "anew";
/// The row that is there while an operator wants what is built to be switched to.
pub(super) const WANTED: &str = "switch";
/// The row that is there while an operator paused it: whoever folds expects it not to be.
pub(super) const PAUSED: &str = "paused";

pub(super) fn generation(number: u64) -> String {
    format!("generation/{number:08}")
}

pub(super) fn range(number: u64, from: u16) -> String {
    format!("range/{number:08}/{from:04}")
}

pub(super) fn ranges(number: u64) -> String {
    format!("range/{number:08}/")
}

/// While it is there and its time (microseconds since 1970) is not over, a generation commits nothing, so that
/// another can catch up with it and be switched to.
pub(super) fn hold(number: u64) -> String {
    format!("hold/{number:08}")
}

pub(super) fn parked(number: u64, key: &str) -> String {
    format!("parked/{number:08}/{key}")
}

pub(super) fn waiting(number: u64, key: &str) -> String {
    format!("waiting/{number:08}/{key}/")
}

pub(super) fn waits(number: u64, key: &str, position: Position) -> String {
    format!("{}{:020}", waiting(number, key), position.get())
}

pub(super) fn outbox(position: Position, index: u32) -> String {
    format!("outbox/{:020}/{index:010}", position.get())
}

pub(super) fn held(number: u64, position: Position, index: u32) -> String {
    format!("held/{number:08}/{:020}/{index:010}", position.get())
}

/// The rows of a generation, all that it has, by prefix.
pub(super) fn of_generation(number: u64) -> [String; 4] {
    ["range", "parked", "waiting", "held"].map(|kind| format!("{kind}/{number:08}/"))
}

/// The number that ends a name.
pub(super) fn number(name: &str) -> Result<u64> {
    let digits = name.rsplit('/').next().unwrap_or(name);
    digits.parse().map_err(|_| damaged(name, digits))
}

pub(super) fn write<T: Serialize>(row: &T) -> String {
    serde_json::to_string(row).expect("rows are plain data")
}

pub(super) fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|cause| damaged(name, text).because(cause))
}

pub(super) fn damaged(name: &str, text: &str) -> Error {
    let text: String = text.chars().take(100).collect();
    Error::corrupt(format!(
        "row {name} of a read model is damaged: {text:?}; move the file away, it is built again, with side effects from where `effects_after` says"
    ))
}
