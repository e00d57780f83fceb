//! Where a read model is kept: documents and checkpoint, committed together, and a second set beside them in a rebuild.

use factlog_core::{Position, Result};

use super::Projection;
use crate::model::Mark;

/// A place for one projection's documents. Blocking; only the runner writes.
pub(crate) trait Sink<P: Projection>: Send + Sync + 'static {
    /// How far what readers see has come, and why it is empty if it was made so just now.
    fn resume(&self) -> Result<Resumed>;

    /// The document in the set that is being written.
    fn document(&self, key: &P::Key) -> Result<Option<P::Document>>;

    /// Writes documents and the checkpoint, all or nothing, to the set that is being written.
    fn commit(&self, changes: Changes<P>, checkpoint: Checkpoint) -> Result<()>;

    /// From now on an empty set beside the one readers see is written; an earlier one that was not finished is gone.
    fn begin_rebuild(&self) -> Result<()>;

    /// The set built beside takes the place of the one readers see, all at once.
    fn finish_rebuild(&self) -> Result<()>;

    /// From now on the set that readers see is written again; what was built beside it is gone at the next opening or
    /// rebuild.
    fn give_up_rebuild(&self);

    /// The committed document that readers see.
    fn get(&self, key: &P::Key) -> Result<Option<P::Document>>;

    /// The committed documents that readers see whose keys are wanted, in key order.
    fn scan(&self, wanted: &dyn Fn(&P::Key) -> bool) -> Result<Vec<(P::Key, P::Document)>>;
}

/// Documents as they are after a batch; `None` for one that is removed.
pub(crate) type Changes<P> = Vec<(<P as Projection>::Key, Option<<P as Projection>::Document>)>;

/// How far a set of documents has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Every event up to here is applied or does not concern the projection.
    pub(crate) position: Option<Position>,
    /// The last event applied: it tells this log from another.
    pub(crate) last: Option<Mark>,
}

/// What a sink held when it was opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resumed {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) rebuilt_because: Option<String>,
}
