//! One projection as its rows tell it: generations, how far they are, signs of life, parked keys.

use std::collections::BTreeMap;

use factlog_core::{Clock as _, SystemClock, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::File;
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::tenth;
use crate::output::printable;

/// Microseconds after which a sign of life says nothing any more. One is due every second.
const ALIVE: i64 = 10_000_000;
/// Rows of one kind that are read at most.
const ROWS_MAX: usize = 20_000;

/// What a generation is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    Building,
    Serving,
    Kept,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Serving => "serving",
            Self::Kept => "kept",
        }
    }
}

/// The sign of life of a generation, written by the program that follows it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Status {
    pub(crate) state: String,
    pub(crate) problem: Option<String>,
    pub(crate) applied: Option<u64>,
    pub(crate) head: Option<u64>,
    pub(crate) rate: f64,
    pub(crate) remaining_seconds: Option<u64>,
    pub(crate) behind_seconds: Option<u64>,
    pub(crate) advanced_at: Option<i64>,
    #[serde(default)]
    pub(crate) built: bool,
    #[serde(default)]
    pub(crate) by_hand: bool,
    pub(crate) at: i64,
}

/// One generation.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Generation {
    pub(crate) version: u32,
    pub(crate) fingerprint: String,
    pub(crate) phase: Phase,
    pub(crate) because: Option<String>,
    /// Every event up to here is applied, as the file has it.
    #[serde(skip)]
    pub(crate) applied: Option<u64>,
    #[serde(skip)]
    pub(crate) ranges: usize,
    #[serde(skip)]
    pub(crate) parked: u64,
    #[serde(skip)]
    pub(crate) status: Option<Status>,
}

/// A projection at the moment it was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) name: String,
    pub(crate) serving: Option<u64>,
    pub(crate) generations: BTreeMap<u64, Generation>,
    pub(crate) paused: bool,
    /// Why the last generation that was built could not be.
    pub(crate) given_up: Option<Value>,
    now: Timestamp,
}

/// A key that stands still, and what it waits for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ParkedKey {
    #[serde(skip)]
    pub(crate) key: String,
    #[serde(skip)]
    pub(crate) generation: u64,
    pub(crate) error: String,
    pub(crate) attempts: u32,
    pub(crate) retry_at: Option<i64>,
    /// The event that fails.
    #[serde(skip)]
    pub(crate) position: Option<u64>,
    #[serde(skip)]
    pub(crate) waiting: u64,
}

impl Projection {
    pub(super) fn load(file: &File, name: String) -> Outcome<Self> {
        let mut generations = BTreeMap::new();
        for (row, text) in file.rows(&name, "generation/", ROWS_MAX)? {
            let number = number(&row).ok_or_else(|| file.damaged(&name, &row))?;
            let mut generation: Generation = parsed(file, &name, &row, &text)?;
            let digits = format!("{number:08}");
            let mut reached = Vec::new();
            for (row, text) in file.rows(&name, &format!("range/{digits}/"), ROWS_MAX)? {
                let range: Value = parsed(file, &name, &row, &text)?;
                reached.push(range["position"].as_u64());
            }
            generation.ranges = reached.len();
            generation.applied = reached.into_iter().min().flatten();
            generation.parked = file.count(&name, &format!("parked/{digits}/"))?;
            let status = format!("status/{digits}");
            if let Some(text) = file.row(&name, &status)? {
                generation.status = Some(parsed(file, &name, &status, &text)?);
            }
            generations.insert(number, generation);
        }
        let serving = file.row(&name, "serving")?.map(|text| text.parse());
        let serving = serving.transpose().map_err(|_| file.damaged(&name, "serving"))?;
        let paused = file.row(&name, "paused")?.is_some();
        let given_up = file.row(&name, "given-up")?.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Self { name, serving, generations, paused, given_up, now: SystemClock.now() })
    }

    /// The last sign of life of any program that runs it.
    pub(crate) fn last_sign(&self) -> Option<&Status> {
        let signs = self.generations.values().filter_map(|generation| generation.status.as_ref());
        signs.max_by_key(|status| status.at)
    }

    /// Whether a program runs it, as far as its signs of life tell.
    pub(crate) fn is_running(&self) -> bool {
        let alive = |status: &Status| {
            status.state != "stopped" && self.now.as_micros().saturating_sub(status.at) < ALIVE
        };
        self.last_sign().is_some_and(alive)
    }

    /// The generation that is built.
    pub(crate) fn building(&self) -> Option<(u64, &Generation)> {
        let mut built = self.generations.iter().rev().filter(|(_, row)| row.phase == Phase::Building);
        built.next().map(|(number, row)| (*number, row))
    }

    fn served(&self) -> Option<&Generation> {
        self.generations.get(&self.serving?)
    }

    /// What it is doing, in a word, and what is wrong.
    pub(crate) fn state(&self) -> (&str, Option<&str>) {
        match self.last_sign() {
            Some(status) if self.is_running() => {
                let quiet = ["live", "catching up", "stalled"].contains(&status.state.as_str());
                let state = if self.paused && quiet { "paused" } else { &status.state };
                (state, status.problem.as_deref().filter(|_| state == status.state))
            }
            Some(_) | None => ("not running", None),
        }
    }

    /// Seconds since a moment that a row names in microseconds.
    pub(crate) fn since(&self, micros: i64) -> u64 {
        u64::try_from(self.now.as_micros().saturating_sub(micros) / 1_000_000).unwrap_or(0)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// What `projections list` tells of it.
    pub(crate) fn document(&self) -> Value {
        let (state, problem) = self.state();
        let running = self.is_running();
        let served = self.served();
        let sign = served.and_then(|served| served.status.as_ref()).filter(|_| running);
        let built = self.building();
        let moving = built.and_then(|(_, built)| built.status.as_ref()).filter(|_| running).or(sign);
        let applied = served.and_then(|served| served.applied);
        let head = sign.or(self.last_sign().filter(|_| running)).and_then(|status| status.head);
        let lag = (running && sign.is_some()).then(|| head.unwrap_or(0).saturating_sub(applied.unwrap_or(0)));
        let behind = if lag == Some(0) { Some(0) } else { sign.and_then(|status| status.behind_seconds) };
        let time = |micros: i64| Timestamp::from_micros(micros).to_string();
        let advanced = sign.or(moving).and_then(|status| status.advanced_at);
        json!({
            "name": self.name,
            "state": state,
            "problem": problem,
            "running": running,
            "paused": self.paused,
            "serving": self.serving,
            "building": built.map(|(number, _)| number),
            "applied": applied,
            "head": head,
            "lag_events": lag,
            "lag_seconds": behind,
            "rate": moving.map(|status| tenth(status.rate)),
            "remaining_seconds": moving.and_then(|status| status.remaining_seconds),
            "advanced_at": advanced.map(time),
            "seconds_since_advance": advanced.map(|at| self.since(at)),
            "seen_at": self.last_sign().map(|status| time(status.at)),
            "parked": self.generations.values().map(|generation| generation.parked).max().unwrap_or(0),
        })
    }

    /// Keys that stand still, in every generation.
    pub(crate) fn parked(&self, file: &File) -> Outcome<Vec<ParkedKey>> {
        let mut parked = Vec::new();
        for (row, text) in file.rows(&self.name, "parked/", ROWS_MAX)? {
            let mut parts = row.splitn(3, '/').skip(1);
            let (Some(Ok(generation)), Some(key)) = (parts.next().map(str::parse), parts.next()) else {
                return Err(file.damaged(&self.name, &row));
            };
            let mut found: ParkedKey = parsed(file, &self.name, &row, &text)?;
            (found.generation, found.key) = (generation, key.to_owned());
            found.look(file, &self.name)?;
            parked.push(found);
        }
        Ok(parked)
    }

    /// One of them, in the newest generation that has it, as its JSON or as the text within it.
    pub(crate) fn parked_key(&self, file: &File, key: &str) -> Outcome<ParkedKey> {
        let quoted = json!(key).to_string();
        let mut parked = self.parked(file)?;
        parked.sort_by_key(|found| found.generation);
        let found = |wanted: &str| parked.iter().rev().find(|found| found.key == wanted).cloned();
        found(key).or_else(|| found(&quoted)).ok_or_else(|| {
            let (key, name) = (printable(key), printable(&self.name));
            Failure::new(Kind::NotFound, format!("key {key} of {name} is not parked")).advise(format!(
                "`factlog parked list {name}` shows those that are; a key is named by its JSON"
            ))
        })
    }
}

impl ParkedKey {
    pub(crate) fn row(&self) -> String {
        format!("parked/{:08}/{}", self.generation, self.key)
    }

    fn waiting_row(&self) -> String {
        format!("waiting/{:08}/{}/", self.generation, self.key)
    }

    /// It as it is now; `None` where it goes on.
    pub(crate) fn again(&self, file: &File, projection: &str) -> Outcome<Option<Self>> {
        let row = self.row();
        let Some(text) = file.row(projection, &row)? else { return Ok(None) };
        let mut found: Self = parsed(file, projection, &row, &text)?;
        (found.generation, found.key) = (self.generation, self.key.clone());
        found.look(file, projection)?;
        Ok(Some(found))
    }

    /// Learns what waits for it.
    fn look(&mut self, file: &File, projection: &str) -> Outcome {
        let waiting = self.waiting_row();
        self.position = file.rows(projection, &waiting, 1)?.first().and_then(|(row, _)| number(row));
        self.waiting = file.count(projection, &waiting)?;
        Ok(())
    }

    /// Whether it rests after a try that failed. One whose turn it is does not.
    pub(crate) fn rests(&self) -> bool {
        self.retry_at.is_none_or(|at| SystemClock.now().as_micros() < at)
    }

    /// The first events that wait, the failing one first.
    pub(crate) fn positions(&self, file: &File, projection: &str, limit: usize) -> Outcome<Vec<u64>> {
        let rows = file.rows(projection, &self.waiting_row(), limit)?;
        Ok(rows.iter().filter_map(|(row, _)| number(row)).collect())
    }

    /// What this projection reads instead of the event that fails, if an operator said so.
    pub(crate) fn edited(&self, file: &File, projection: &str) -> Outcome<Option<String>> {
        self.position.map_or(Ok(None), |position| file.row(projection, &format!("edit/{position:020}")))
    }
}

/// The number that ends a row's name.
fn number(row: &str) -> Option<u64> {
    row.rsplit('/').next()?.parse().ok()
}

fn parsed<T: DeserializeOwned>(file: &File, name: &str, row: &str, text: &str) -> Outcome<T> {
    serde_json::from_str(text).map_err(|error| file.damaged(name, row).because(error.to_string()))
}
