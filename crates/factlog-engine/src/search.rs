//! Searching the log for a query: one source after the other, in the direction of the search.
//!
//! A search looks at `(after, until]`. It holds no lock, and the view only while it looks for its next source, so
//! that a slow reader keeps no old file alive but the run it is in.

use std::sync::Arc;

use factlog_core::{Direction, Query, Result};

use crate::pieces::unreadable_again;
use crate::plan::Matches;
use crate::run::Run;
use crate::shared::Shared;

/// Matching positions taken from a generation at once: few at first, because many readers want few.
const FIRST_BATCH: usize = 8;
const LAST_BATCH: usize = 4096;

/// Where a search is.
#[derive(Debug)]
pub(crate) struct Search {
    direction: Direction,
    after: u64,
    until: u64,
    batch: usize,
    /// Whether a damaged run is asked for what it may still tell: not for what it could not.
    trust: bool,
    stage: Option<Stage>,
}

/// The source at hand: what is left of its range, and how matches are found in it.
#[derive(Debug)]
enum Stage {
    Run { run: Arc<Run>, range: (u64, u64), matches: Box<Matches> },
    Tail { range: (u64, u64), found: std::vec::IntoIter<u64> },
}

impl Search {
    /// A search of `(after, until]`, which must not be above the published head.
    pub(crate) fn new(direction: Direction, after: u64, until: u64) -> Self {
        Self { direction, after, until, batch: FIRST_BATCH, trust: true, stage: None }
    }

    /// The next matching position.
    pub(crate) fn next(&mut self, shared: &Shared, query: &Query) -> Result<Option<u64>> {
        while self.after < self.until {
            if self.stage.is_none() {
                self.stage = Some(self.enter(shared, query)?);
            }
            if let Some(position) = self.next_here(shared)? {
                match self.direction {
                    Direction::Forwards => self.after = position,
                    Direction::Backwards => self.until = position - 1,
                }
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    /// The next match of the source at hand; at its end, or when it is damaged, moves on to another.
    fn next_here(&mut self, shared: &Shared) -> Result<Option<u64>> {
        let range = match self.stage.as_mut() {
            None => return Ok(None),
            Some(Stage::Tail { range, found }) => {
                if let Some(position) = found.next() {
                    return Ok(Some(position));
                }
                *range
            }
            Some(Stage::Run { run, range, matches }) => {
                let left = (range.0.max(self.after), range.1.min(self.until));
                match matches.seek(left, self.direction) {
                    Ok(Some(_)) if planted!(MergedRunSkipped) && 0 < run.name().level => *range,
                    Ok(Some(position)) => return Ok(Some(position)),
                    Ok(None) => *range,
                    Err(wrong) => {
                        shared.wound(run, &wrong)?;
                        if !self.trust {
                            return Err(unreadable_again(left.0 + 1));
                        }
                        (self.stage, self.trust) = (None, false);
                        return Ok(None);
                    }
                }
            }
        };
        (self.stage, self.trust) = (None, true);
        match self.direction {
            Direction::Forwards => self.after = self.after.max(range.1),
            Direction::Backwards => self.until = self.until.min(range.0),
        }
        Ok(None)
    }

    /// Finds the source of the next position to look at.
    fn enter(&mut self, shared: &Shared, query: &Query) -> Result<Stage> {
        let position = match self.direction {
            Direction::Forwards => self.after + 1,
            Direction::Backwards => self.until,
        };
        if let Some((generation, last)) = shared.view().generation_until(position) {
            let (after, until) = (self.after.max(generation.first() - 1), self.until.min(last));
            let found = generation.positions(query, (after, until), self.direction, self.batch);
            let range = match (found.len() < self.batch, self.direction, found.last()) {
                (false, Direction::Forwards, Some(&reached)) => (after, reached),
                (false, Direction::Backwards, Some(&reached)) => (reached - 1, until),
                _ => (after, until),
            };
            self.batch = (self.batch * 8).min(LAST_BATCH);
            return Ok(Stage::Tail { range, found: found.into_iter() });
        }
        let (matches, piece) = shared.ask_run(position, self.trust, |run| Matches::of(run, query))?;
        let range = (piece.first - 1, piece.last);
        Ok(Stage::Run { run: piece.run, range, matches: Box::new(matches) })
    }
}
