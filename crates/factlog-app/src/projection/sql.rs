//! SQL projections: a handler that runs inside the read model's own SQLite transaction.
//!
//! * Its tables, its checkpoint and its parked keys commit together; an event that fails leaves no trace but that.
//! * Each generation has tables of its own, `<table>_g<number>`; a view `<table>` shows the one readers see and is
//!   replaced in the commit that switches. A table of a file belongs to one read model.
//! * One worker applies all events, in their order; there are neither leases nor side effects of their own.

mod tables;
mod target;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Position, Result};
use rusqlite::{Connection, Transaction};

use super::debts::Debts;
use super::settings::{Settings, Switch, Unreadable};
use super::sqlite::SqliteSink;
use super::start::{self, Run};
use super::{ApplyError, Freshness, OnTimeout, Operations, ProjectionError};
use crate::{App, EventSet, Recorded};

/// A read model in SQL tables of its own, for one process and one worker. It has no side effects: for those, and for
/// several workers or processes, use a [`Projection`](crate::Projection).
///
/// ```
#[doc = include_str!("../docs/counter.txt")]
/// # let app = App::new(MemoryStore::new());
/// use factlog::projection::{ApplyError, SqlProjection, Tables, rusqlite::{Transaction, params}};
///
/// struct Totals;
/// impl SqlProjection for Totals {
///     type Event = Raised;
///     const NAME: &'static str = "totals";
///     const TABLES: &'static [(&'static str, &'static str)] =
///         &[("totals", "counter INTEGER PRIMARY KEY, total INTEGER NOT NULL")];
///     fn key(&self, event: &Recorded<Raised>) -> String { event.event.counter.to_string() }
///     fn apply(&self, t: &Transaction<'_>, tables: &Tables, event: &Recorded<Raised>) -> std::result::Result<(), ApplyError> {
///         let add = format!("INSERT INTO {} VALUES (?1, 1) ON CONFLICT DO UPDATE SET total = total + 1", tables.name("totals"));
///         t.prepare_cached(&add)?.execute(params![event.event.counter.cast_signed()])?;
///         Ok(())
///     }
/// }
///
/// # let directory = tempfile::tempdir()?;
/// let totals = app.project_sql(Totals, directory.path().join("totals.sqlite")).start()?;
/// let outcome = app.execute(Raise { counter: 7 }).await?;
/// totals.at_least(outcome.position, std::time::Duration::from_secs(5), OnTimeout::Error).await?;
/// let total: i64 = totals.read(|c| c.query_row("SELECT total FROM totals WHERE counter = 7", [], |row| row.get(0)))?;
/// assert_eq!(total, 1);
/// totals.operations().stop().await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an SQL projection",
    note = "write `impl SqlProjection for {Self}` with its events, its tables, `fn key` and `fn apply`"
)]
pub trait SqlProjection: Send + Sync + 'static {
    /// The types it handles.
    type Event: EventSet;
    /// Its name; a file keeps several read models apart by it.
    const NAME: &'static str;
    /// Raise it when the tables or `apply` change: it is then built again beside the old one.
    const VERSION: u32 = 1;
    /// Its tables: a name of letters, digits and `_` that nothing else in
    /// the file has, and what stands between the brackets of `CREATE TABLE`.
    const TABLES: &'static [(&'static str, &'static str)];

    /// What stands still where this event cannot be applied, with everything of the same key that follows.
    fn key(&self, event: &Recorded<Self::Event>) -> String;

    /// Changes the tables, and nothing else in the world: it is run again in a rebuild. It must not commit.
    ///
    /// # Errors
    /// Why the event cannot be applied, in words for an operator. What it did is undone and its key is parked.
    fn apply(
        &self,
        transaction: &Transaction<'_>,
        tables: &Tables,
        event: &Recorded<Self::Event>,
    ) -> Result<(), ApplyError>;
}

/// The names of one generation's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tables {
    generation: u64,
}

impl Tables {
    /// The table of this generation: what to write to.
    pub fn name(&self, table: &str) -> String {
        format!("{table}_g{}", self.generation)
    }
}

/// An SQL projection that has yet to be started.
#[must_use = "nothing runs until it is started"]
pub struct ProjectSql<P> {
    app: App,
    projection: P,
    sink: Result<SqliteSink>,
    settings: Settings,
}

impl<P: SqlProjection> ProjectSql<P> {
    pub(crate) fn new(app: App, projection: P, path: &Path) -> Self {
        let sink = SqliteSink::open(P::NAME, path);
        Self { app, projection, sink, settings: Settings::default() }
    }

    /// What to do with events that cannot be read; stop, unless told otherwise.
    pub fn unreadable(mut self, unreadable: Unreadable) -> Self {
        self.settings.unreadable = unreadable;
        self
    }

    /// When a generation that was built takes over; as soon as it has caught up, unless told otherwise.
    pub fn switch(mut self, switch: Switch) -> Self {
        self.settings.switch = switch;
        self
    }

    /// Starts threads that follow the log, and answers with the handle to read, wait and stop.
    ///
    /// # Errors
    /// As [`Startable::start`](super::Startable::start); `Invalid` for a table whose name is no plain word or that is
    /// somebody else's in the file.
    pub fn start(self) -> Result<SqlModel> {
        let names: Vec<&str> = P::TABLES.iter().map(|(table, _)| *table).collect();
        names.iter().try_for_each(|table| tables::check(P::NAME, table))?;
        let sink = Arc::new(self.sink?);
        tables::claim(&sink, P::NAME, &names)?;
        let target = target::Sql { projection: self.projection, sink: sink.clone() };
        let run = Run { settings: self.settings, lease: None, effects: None, begin: Some(Debts::default()) };
        let operations = start::start(&self.app, target, run)?;
        Ok(SqlModel { sink, operations })
    }
}

/// A running SQL projection. Cheap to clone; when the last one is dropped the threads end.
#[derive(Clone, Debug)]
pub struct SqlModel {
    sink: Arc<SqliteSink>,
    operations: Operations,
}

impl SqlModel {
    /// Reads the tables, by their plain names, on this thread; writing is refused.
    ///
    /// # Errors
    /// [`ProjectionError`] where the projection failed or was stopped, or the read fails.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ProjectionError> {
        self.operations.check()?;
        Ok(self.sink.read(work)?)
    }

    /// Waits as [`ReadModel::at_least`](super::ReadModel::at_least) does.
    ///
    /// # Errors
    /// As there.
    pub async fn at_least(
        &self,
        position: impl Into<Option<Position>>,
        timeout: Duration,
        on_timeout: OnTimeout,
    ) -> Result<Freshness, ProjectionError> {
        self.operations.at_least(position, timeout, on_timeout).await
    }

    /// What an operator does: look, pause, rebuild, switch, back, parked keys, stop.
    pub fn operations(&self) -> &Operations {
        &self.operations
    }
}

impl<P: SqlProjection> fmt::Debug for ProjectSql<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectSql").field("name", &P::NAME).finish_non_exhaustive()
    }
}
