//! Verifying: what readers see is held against a fold from the first event, while the read model runs.
//!
//! * What is compared is of one moment: the generation commits nothing while its documents are looked at. Readers are
//!   answered meanwhile.
//! * The second fold is in memory and writes nothing but how far it is. Every event counts as it counts for the read model:
//!   as edited, not where it was skipped, and not where it waits behind a parked key.
//! * An order to verify stays in the sink until it is answered, so that a program that dies is asked again.

use std::collections::BTreeMap;
use std::time::Duration;

use factlog_core::Position;
use serde_json::json;

use super::orders::{Found, refused};
use super::refold::{Digests, Moment, Refold, VERIFYING};
use super::rows::{self, ROWS_MAX, Split};
use super::shared::Shared;
use super::sink::{Committed, SERVING};
use super::supervisor::{Running, Supervisor};
use super::target::{Control, Target, json as key_text};
use super::waits::{Halt, Waited};
use super::{ProjectionError, commits, lease};

/// How long the generation stands still at most while its documents are looked at.
const HOLD_MICROS: i64 = 10_000_000;
/// Keys that are named in an answer.
const NAMED_MAX: usize = 20;
/// How often the moment is tried to be had that another hold takes.
const TRIES: u32 = 200;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

impl<T: Target> Supervisor<T> {
    /// Begins to verify for an order; one at a time, the next follows.
    pub(super) fn verify(&mut self, found: Found) -> Result<(), ProjectionError> {
        if self.verifier.as_ref().is_some_and(|running| !running.is_finished()) {
            return Ok(());
        }
        let shared = self.shared.clone();
        let name = format!("verify {}", T::NAME);
        let verifier = Running::start(&name, self.runtime.clone(), move |halt| {
            // It may have been answered since it was found.
            if !shared.is_open(&found).unwrap_or(false) {
                return;
            }
            let done = match shared.verified(&halt) {
                Ok(Some(done)) => Ok(done),
                // The next program begins again.
                Ok(None) => return,
                Err(error) => Err(error.to_string()),
            };
            // One that cannot be answered stays, and is done again.
            let _ = shared.settle(&found, &done);
        })?;
        self.verifier = Some(verifier);
        Ok(())
    }
}

impl<T: Target> Shared<T> {
    /// The answer as JSON; `None` where it was told to halt.
    fn verified(&self, halt: &Halt) -> Result<Option<String>, ProjectionError> {
        let Some(moment) = self.moment(halt)? else { return Ok(None) };
        let mut refold = Refold::new(self, &moment);
        let folded = refold.all(halt);
        let mut over = Control::default();
        over.put(VERIFYING.to_owned(), None);
        self.write_act(over)?;
        let Some(events) = folded? else { return Ok(None) };
        let (fresh, failed) = refold.end()?;
        let mut different = differences(&moment.digests, &fresh);
        different.extend(failed);
        let named = different.iter().take(NAMED_MAX).map(|(key, why)| json!({ "key": key, "why": why }));
        let answer = json!({
            "position": moment.until().map(Position::get),
            "events": events,
            "documents": fresh.len(),
            "parked": moment.parked.len(),
            "different": different.len(),
            "named": named.collect::<Vec<_>>(),
        });
        Ok(Some(answer.to_string()))
    }

    /// Looks at all there is while nothing is committed.
    fn moment(&self, halt: &Halt) -> Result<Option<Moment<T::Key>>, ProjectionError> {
        for _ in 0..TRIES {
            let serving = self.target.rows(SERVING, 1)?.remove(SERVING);
            let Some(number) = serving.as_deref().and_then(|serving| serving.parse().ok()) else {
                return Err(refused("nothing is served yet".to_owned()));
            };
            let name = rows::hold(number);
            let until = self.clock.now().as_micros().saturating_add(HOLD_MICROS).to_string();
            let mut hold = Control::default();
            hold.change(name.clone(), None, Some(until.clone()));
            hold.expected.push((SERVING.to_owned(), serving));
            if self.target.write(hold)? == Committed::Written {
                let seen = self.look_at(number);
                let mut release = Control::default();
                release.change(name, Some(until), None);
                let kept = self.target.write(release)? == Committed::Written;
                let seen = seen?;
                if kept {
                    return Ok(Some(seen));
                }
            }
            if matches!(halt.pause(PAUSE), Waited::Halted) {
                return Ok(None);
            }
        }
        Err(refused("the read model did not stand still for a moment; ask again".to_owned()))
    }

    fn look_at(&self, number: u64) -> Result<Moment<T::Key>, ProjectionError> {
        let mine = {
            let board = self.board.lock();
            board.generations.get(&number).is_some_and(|progress| self.is_mine(&progress.row))
        };
        if !mine {
            return Err(refused(format!(
                "generation {number} is another version's; its program verifies it"
            )));
        }
        let digests = self.target.digests(number)?.ok_or_else(|| {
            refused(
                "what this projection writes is not compared; rebuild it beside, and compare its tables"
                    .to_owned(),
            )
        })?;
        let mut reached = Vec::new();
        for (name, text) in self.target.rows(&rows::ranges(number), ROWS_MAX)? {
            let (_, row) = lease::parsed(&name, &text)?;
            reached.push(Split { to: row.to, position: row.position });
        }
        let mut parked = BTreeMap::new();
        for key in commits::parked_in(&*self.target, number, |_| true)?.into_keys() {
            let waiting = self.target.rows(&rows::waiting(number, &key_text(&key)), 1)?;
            let first = waiting.keys().next().map(|name| rows::number(name)).transpose()?;
            parked.insert(key, first.and_then(Position::new));
        }
        Ok(Moment { digests, reached, parked, amends: commits::amends(&*self.target)? })
    }
}

/// By key, how what is kept differs from what a fold comes to.
fn differences(kept: &Digests, fresh: &Digests) -> BTreeMap<String, String> {
    let mut different = BTreeMap::new();
    for (key, digest) in fresh {
        let why = match kept.get(key) {
            None => "it is missing",
            Some(kept) if kept != digest => "it is not what a fold comes to",
            Some(_) => continue,
        };
        different.insert(key.clone(), why.to_owned());
    }
    for key in kept.keys().filter(|key| !fresh.contains_key(*key)) {
        different.insert(key.clone(), "there should be none".to_owned());
    }
    different
}
