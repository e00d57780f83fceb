//! Fences: of the sessions of one writer only the newest begins appends.
//!
//! A client that gives up a connection cannot know what of it the server will still read. It sends its unanswered
//! appends again over a new session; without a fence, the old copy of one could be begun after its retry was told
//! "conflict", and be written after all. An append is begun under the fence's lock, so that every append of an old
//! session is either before all of the new one's or never.

use std::collections::HashMap;
use std::sync::Arc;

use factlog_core::{Error, Result};
use parking_lot::Mutex;

/// Writers remembered. Those without a session are forgotten when there are more.
const WRITERS_MAX: usize = 65_536;

/// The writers this server has seen.
#[derive(Debug, Default)]
pub(crate) struct Fences(Mutex<HashMap<[u8; 16], Arc<Mutex<u64>>>>);

/// A session's right to begin appends.
#[derive(Debug)]
pub(crate) struct Pass {
    epoch: u64,
    newest: Arc<Mutex<u64>>,
}

impl Fences {
    /// Lets the newest session of a writer in, and all older ones begin nothing more. Epochs are 1 and more.
    ///
    /// # Errors
    /// `Invalid` for an id that is not 16 bytes; `Unavailable` where this session or a newer one has been let in.
    pub(crate) fn enter(&self, writer: &[u8], epoch: u64) -> Result<Pass> {
        let id: [u8; 16] = writer.try_into().map_err(|_| {
            let length = writer.len();
            Error::invalid(format!("the id of a writer has {length} bytes; give 16 random ones"))
        })?;
        let newest = {
            let mut writers = self.0.lock();
            if WRITERS_MAX <= writers.len() && !writers.contains_key(&id) {
                writers.retain(|_, newest| 1 < Arc::strong_count(newest));
            }
            writers.entry(id).or_default().clone()
        };
        let mut seen = newest.lock();
        // Nor the same one again: something on the way repeats an old connection.
        if epoch <= *seen {
            return Err(superseded());
        }
        *seen = epoch;
        drop(seen);
        Ok(Pass { epoch, newest })
    }
}

impl Pass {
    /// Does this if no newer session has been let in, and lets none in meanwhile.
    ///
    /// # Errors
    /// `Unavailable` where a newer session has been let in.
    pub(crate) fn begin<T>(&self, begin: impl FnOnce() -> T) -> Result<T> {
        let newest = self.newest.lock();
        if self.epoch != *newest {
            return Err(superseded());
        }
        Ok(begin())
    }
}

fn superseded() -> Error {
    Error::unavailable("a newer session of this writer has taken the place of this one; nothing was written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_session_begins_nothing_once_a_newer_one_is_in() {
        let fences = Fences::default();
        let old = fences.enter(&[7; 16], 1).expect("the first");
        assert_eq!(old.begin(|| 1).expect("nobody is newer"), 1);
        let new = fences.enter(&[7; 16], 2).expect("newer");
        assert!(old.begin(|| 1).is_err());
        assert!(fences.enter(&[7; 16], 1).is_err(), "nor does one that comes late");
        assert!(fences.enter(&[7; 16], 2).is_err(), "nor does the newest when it comes twice");
        assert_eq!(new.begin(|| 2).expect("the newest"), 2);
        assert!(fences.enter(&[8; 16], 1).is_ok(), "another writer has nothing to do with it");
        assert!(fences.enter(&[8; 15], 1).is_err());
    }
}
