//! The names in one directory: as they are now, as they are durable, and the operations between the two.
//!
//! * `pending` over `durable` gives `current`.
//! * An operation builds on what it needs: it does nothing where that is missing. So any part of `pending`, in order,
//!   leads to a directory that could be: no file is lost by half a rename, and none has two names.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::tree::Id;

/// What stands behind the names of a directory.
pub(super) type Names = BTreeMap<OsString, Id>;

/// A directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    pub(super) current: Names,
    pub(super) durable: Names,
    pub(super) pending: Vec<Operation>,
}

/// What was done to a directory and is not durable.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Add { name: OsString, id: Id },
    Take { name: OsString, id: Id },
    Move { from: OsString, to: OsString, id: Id },
}

impl Directory {
    /// Does it now; it is durable later.
    pub(super) fn apply(&mut self, operation: Operation) {
        operation.apply(&mut self.current);
        self.pending.push(operation);
    }

    /// Makes the first `count` operations durable.
    pub(super) fn sync(&mut self, count: usize) {
        for operation in self.pending.drain(..count) {
            operation.apply(&mut self.durable);
        }
    }

    /// Everything that has or may get a name here.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        let pending = self.pending.iter().map(|operation| match operation {
            Operation::Add { id, .. } | Operation::Take { id, .. } | Operation::Move { id, .. } => *id,
        });
        self.current.values().chain(self.durable.values()).copied().chain(pending)
    }
}

impl Operation {
    pub(super) fn apply(&self, names: &mut Names) {
        match self {
            Self::Add { name, id } => {
                names.entry(name.clone()).or_insert(*id);
            }
            Self::Take { name, id } => {
                if names.get(name) == Some(id) {
                    names.remove(name);
                }
            }
            Self::Move { from, to, id } => {
                if names.get(from) == Some(id) {
                    names.remove(from);
                    names.insert(to.clone(), *id);
                }
            }
        }
    }
}
