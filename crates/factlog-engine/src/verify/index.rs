//! The index by itself: every page of every run, and that the runs count a stream's revisions one after the other.

use std::sync::Arc;

use factlog_core::{Error, Result};

use super::Check;
use crate::damage::Damage;
use crate::run::{self, KeyScan, Run, Wrong, keys};

impl Check<'_> {
    /// Reads all runs.
    pub(super) fn index(&mut self) -> Result<()> {
        let slots = self.recovered.view.slots.clone();
        let mut whole = Vec::new();
        for run in slots.iter().filter_map(|slot| slot.run.clone()) {
            match run::check(&run, &mut |_| {}) {
                Ok(()) => whole.push(run.clone()),
                Err(wrong) => self.damaged(&run, &wrong)?,
            }
            self.advance(run.bytes());
        }
        if whole.len() == slots.len() {
            match counts_on(&whole) {
                Ok(None) => {}
                Ok(Some(run)) => {
                    self.distrust(&run, "a stream's revisions do not follow those of the run before");
                }
                Err((run, wrong)) => self.damaged(&run, &wrong)?,
            }
        }
        Ok(())
    }

    fn damaged(&mut self, run: &Run, wrong: &Wrong) -> Result<()> {
        let name = run::relative_path(run.name());
        match wrong {
            Wrong::Malformed { offset, what } => {
                let what = format!(
                    "{what}; `factlog verify --mend` removes the file, and the next opening builds it again"
                );
                self.recovered.notes.push(Damage::new(name, *offset, (1, 0), what));
                Ok(())
            }
            Wrong::Io(cause) => Err(Error::unavailable(format!("cannot read {name}: {cause}"))),
        }
    }
}

/// Goes over the streams of all runs at once; returns a run whose count does not go on where the one before ended.
fn counts_on(runs: &[Arc<Run>]) -> Result<Option<Arc<Run>>, (Arc<Run>, Wrong)> {
    let mut scans: Vec<KeyScan> = runs.iter().map(|run| run.keys(&[])).collect();
    for (run, scan) in runs.iter().zip(&mut scans) {
        scan.advance().map_err(|wrong| (run.clone(), wrong))?;
    }
    loop {
        let heads = scans.iter().filter(|scan| scan.found().is_some()).map(KeyScan::key);
        let Some(smallest) = heads.min().map(<[u8]>::to_vec) else { return Ok(None) };
        if smallest.first() != Some(&keys::STREAM) {
            return Ok(None);
        }
        let mut expected = 0;
        for (run, scan) in runs.iter().zip(&mut scans) {
            let Some(found) = scan.found().filter(|_| scan.key() == smallest) else { continue };
            if found.base != expected {
                return Ok(Some(run.clone()));
            }
            expected += found.count;
            scan.advance().map_err(|wrong| (run.clone(), wrong))?;
        }
    }
}
