//! Where read models are kept: a small trait that other databases plug into; those without transactions through
//! `deliver`.
//!
//! * A sink is documents by generation and key, and a few named rows of text that say how far they are. What the
//!   rows mean is the framework's business (`rows`): leases, checkpoints, generations and parked keys are written
//!   once, above every sink.
//! * A [`TransactionalSink`] commits documents and rows together: effect, checkpoint and fencing epoch are one
//!   (trap 12).

use std::collections::BTreeMap;
use std::sync::Arc;

use factlog_core::Result;

/// Named rows of text, by name.
pub type Rows = BTreeMap<String, String>;

/// The name of the row that holds the number of the generation readers see, in decimal digits.
pub const SERVING: &str = "serving";

/// A place that writes documents and rows in one commit, all or nothing. Blocking; several threads and processes
/// may use it at once.
///
/// To keep read models in another database, implement these four functions for one projection's documents, and
/// give it to [`Project::kept_in`](super::Project::kept_in).
///
/// ```
/// # extern crate factlog_app as factlog;
/// use factlog::projection::{Commit, Committed, Generation, MemorySink, TransactionalSink};
/// let sink = MemorySink::<u64, String>::default();
/// let mut commit = Commit::new(1);
/// commit.documents.push((7, Some("seven".to_owned())));
/// commit.expected.push(("serving".to_owned(), None));
/// commit.rows.push(("serving".to_owned(), Some("1".to_owned())));
/// assert_eq!(sink.commit(commit.clone())?, Committed::Written);
/// assert_eq!(sink.document(Generation::Serving, &7)?.as_deref(), Some("seven"));
/// assert_eq!(sink.commit(commit)?, Committed::Refused, "the row is not as expected any more");
/// # Ok::<(), factlog::Error>(())
/// ```
pub trait TransactionalSink<K, D>: Send + Sync + 'static {
    /// The committed document of a generation.
    ///
    /// # Errors
    /// `Unavailable` where trying again may help, `Corrupt` where what is kept cannot be read.
    fn document(&self, of: Generation, key: &K) -> Result<Option<D>>;

    /// The committed documents of a generation whose keys are wanted, in key order, from one snapshot.
    ///
    /// # Errors
    /// As [`document`](Self::document).
    fn scan(&self, of: Generation, wanted: &dyn Fn(&K) -> bool) -> Result<Vec<(K, D)>>;

    /// At most `limit` rows whose names begin with `prefix`, in the order of their names' bytes, from one snapshot.
    ///
    /// # Errors
    /// As [`document`](Self::document).
    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows>;

    /// Writes everything in the commit if every row is as expected, and otherwise nothing. The check and the write
    /// are one step for every other writer: this is what keeps a paused writer from writing over its successor.
    ///
    /// # Errors
    /// As [`document`](Self::document); nothing was written.
    fn commit(&self, commit: Commit<K, D>) -> Result<Committed>;
}

/// A shared sink is a sink, so that several may look at one.
impl<K, D, S: TransactionalSink<K, D> + ?Sized> TransactionalSink<K, D> for Arc<S> {
    fn document(&self, of: Generation, key: &K) -> Result<Option<D>> {
        (**self).document(of, key)
    }

    fn scan(&self, of: Generation, wanted: &dyn Fn(&K) -> bool) -> Result<Vec<(K, D)>> {
        (**self).scan(of, wanted)
    }

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        (**self).rows(prefix, limit)
    }

    fn commit(&self, commit: Commit<K, D>) -> Result<Committed> {
        (**self).commit(commit)
    }
}

/// Which set of documents is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// The one the row [`SERVING`] names, at the very moment of reading; without such a row there is none.
    Serving,
    /// This one.
    Number(u64),
}

/// What is written together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit<K, D> {
    /// The generation the documents belong to.
    pub generation: u64,
    /// Documents as they are from now on; `None` for one that is removed.
    pub documents: Vec<(K, Option<D>)>,
    /// Rows as they must be, `None` for absent ones: otherwise nothing is written.
    pub expected: Vec<(String, Option<String>)>,
    /// Rows as they are from now on; `None` for one that is removed.
    pub rows: Vec<(String, Option<String>)>,
    /// A generation whose documents are removed.
    pub dropped: Option<u64>,
}

impl<K, D> Commit<K, D> {
    /// A commit of nothing, for a generation.
    pub fn new(generation: u64) -> Self {
        Self { generation, documents: Vec::new(), expected: Vec::new(), rows: Vec::new(), dropped: None }
    }
}

/// What came of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a refused commit wrote nothing"]
pub enum Committed {
    /// Everything is written.
    Written,
    /// A row was not as expected: somebody else wrote it meanwhile, and nothing is written now.
    Refused,
}
