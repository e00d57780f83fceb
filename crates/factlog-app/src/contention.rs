//! How often commands lose races, counted for each kind of boundary.
//!
//! * A boundary is counted under the names of its views, so that there are as many counters as kinds of models.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::Model;

/// What became of commands that were decided on the same views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundaryCounts {
    /// The names of the views, joined by `+`; empty for commands that need to know nothing. Of a list it is how many
    /// views were in it the first time.
    pub boundary: String,
    /// Decisions that were to be recorded.
    pub attempts: u64,
    /// Those of them that lost the race: what they were decided on had changed.
    pub conflicts: u64,
    /// Commands that were given up because they had lost as often as they may be tried.
    pub given_up: u64,
}

/// The counters of one kind of model.
#[derive(Debug)]
pub(crate) struct Boundary {
    name: String,
    pub(crate) attempts: AtomicU64,
    pub(crate) conflicts: AtomicU64,
    pub(crate) given_up: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Contention(Mutex<HashMap<TypeId, Arc<Boundary>>>);

impl Contention {
    /// The counters of a model, which are made when it is first met.
    pub(crate) fn of<M: Model>(&self, slots: &mut M::Slots) -> Arc<Boundary> {
        let new = || {
            let names: Vec<_> = M::each(slots).iter().map(|slot| slot.name()).collect();
            let counter = AtomicU64::default;
            let (attempts, conflicts, given_up) = (counter(), counter(), counter());
            Arc::new(Boundary { name: names.join("+"), attempts, conflicts, given_up })
        };
        self.0.lock().entry(TypeId::of::<M>()).or_insert_with(new).clone()
    }

    /// All of them, by name.
    pub(crate) fn read(&self) -> Vec<BoundaryCounts> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let all = self.0.lock();
        let mut all: Vec<_> = all
            .values()
            .map(|boundary| BoundaryCounts {
                boundary: boundary.name.clone(),
                attempts: read(&boundary.attempts),
                conflicts: read(&boundary.conflicts),
                given_up: read(&boundary.given_up),
            })
            .collect();
        all.sort_by(|left, right| left.boundary.cmp(&right.boundary));
        all
    }
}

impl Boundary {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
