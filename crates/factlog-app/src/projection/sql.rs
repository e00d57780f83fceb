//! SQL projections: a handler that runs inside the read model's own SQLite transaction.
//!
//! * Its tables, its checkpoint and its parked keys commit together; an event that fails leaves no trace but that.
//! * Each generation has tables of its own, `<table>_g<number>`; a view `<table>` shows the one readers see and is
//!   replaced in the commit that switches.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Error, Position, Result};
use rusqlite::{Connection, Transaction};

use super::settings::{Settings, Switch, Unreadable};
use super::sink::{Committed, Rows, SERVING};
use super::sqlite::SqliteSink;
use super::start::{self, Run};
use super::target::{Chunk, Control, Emits, Failure, Outcome, Target, guarded};
use super::{ApplyError, Freshness, OnTimeout, Operations, ProjectionError};
use crate::sqlite::failed;
use crate::{App, EventSet, Recorded};

/// A read model in SQL tables of its own.
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
    /// Its tables: a name of letters, digits and `_`, and what stands between the brackets of `CREATE TABLE`.
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

struct Sql<P> {
    projection: P,
    sink: Arc<SqliteSink>,
}

impl<P: SqlProjection> Sql<P> {
    fn make_tables(transaction: &Transaction<'_>, generation: u64) -> rusqlite::Result<()> {
        let tables = Tables { generation };
        P::TABLES.iter().try_for_each(|(table, columns)| {
            let name = tables.name(table);
            transaction.execute_batch(&format!("CREATE TABLE IF NOT EXISTS {name} ({columns})"))
        })
    }

    /// What the rows mean for tables and views.
    fn follow(transaction: &Transaction<'_>, control: &Control) -> rusqlite::Result<()> {
        if let Some(generation) = control.dropped {
            let tables = Tables { generation };
            for (table, _) in P::TABLES {
                transaction.execute_batch(&format!("DROP TABLE IF EXISTS {}", tables.name(table)))?;
            }
        }
        let serving = control.rows.iter().find(|(name, _)| name == SERVING);
        let Some(generation) = serving.and_then(|(_, text)| text.as_ref()?.parse().ok()) else {
            return Ok(());
        };
        Self::make_tables(transaction, generation)?;
        for (table, _) in P::TABLES {
            let name = Tables { generation }.name(table);
            transaction.execute_batch(&format!(
                "DROP VIEW IF EXISTS {table}; CREATE VIEW {table} AS SELECT * FROM {name}"
            ))?;
        }
        Ok(())
    }

    fn finish(&self, transaction: &Transaction<'_>, control: &Control) -> Result<Committed> {
        if !self.sink.expected(transaction, &control.expected)? {
            return Ok(Committed::Refused);
        }
        Self::follow(transaction, control).map_err(failed("prepare tables in", self.sink.path()))?;
        self.sink.write_rows(transaction, &control.rows)?;
        Ok(Committed::Written)
    }

    /// Applies events in order; one that fails is undone, and nothing behind it of its key is applied.
    fn run(
        &self,
        transaction: &Transaction<'_>,
        generation: u64,
        chunks: &[Chunk<P::Event, String>],
    ) -> rusqlite::Result<Outcome<String>> {
        let tables = Tables { generation };
        let mut outcome = Outcome::<String>::default();
        for chunk in chunks {
            let mut pairs: Vec<_> = chunk.shards.iter().flatten().collect();
            pairs.sort_by_key(|pair| pair.event);
            for pair in pairs {
                let event = &chunk.events[pair.event as usize];
                let stands = outcome.failures.iter_mut().find(|failure| failure.key == pair.key);
                if let Some(failure) = stands {
                    failure.positions.push(event.position);
                    continue;
                }
                transaction.execute_batch("SAVEPOINT factlog_event")?;
                match guarded(|| self.projection.apply(transaction, &tables, event)) {
                    Ok(()) => transaction.execute_batch("RELEASE factlog_event")?,
                    Err(error) => {
                        transaction.execute_batch("ROLLBACK TO factlog_event; RELEASE factlog_event")?;
                        let positions = vec![event.position];
                        outcome.failures.push(Failure { key: pair.key.clone(), error, positions });
                    }
                }
            }
        }
        Ok(outcome)
    }
}

impl<P: SqlProjection> Target for Sql<P> {
    type Event = P::Event;
    type Key = String;
    type Folded = Vec<Chunk<P::Event, String>>;
    const NAME: &'static str = P::NAME;
    const VERSION: u32 = P::VERSION;

    fn keys(&self, event: &Recorded<P::Event>) -> Vec<String> {
        vec![self.projection.key(event)]
    }

    fn fold(
        &self,
        _: u64,
        chunks: Vec<Chunk<P::Event, String>>,
        _: &Emits<'_>,
        folded: &mut Self::Folded,
    ) -> Result<Outcome<String>> {
        // They are applied within the transaction.
        folded.extend(chunks);
        Ok(Outcome::default())
    }

    fn size(folded: &Self::Folded) -> usize {
        folded.iter().map(|chunk| chunk.events.len()).sum()
    }

    fn commit(
        &self,
        generation: u64,
        folded: Self::Folded,
        _: &Emits<'_>,
        rows: &mut dyn FnMut(Outcome<String>) -> Control,
    ) -> Result<Committed> {
        let work = |transaction: &Transaction<'_>| {
            let failed = || failed("write the tables in", self.sink.path());
            Self::make_tables(transaction, generation).map_err(failed())?;
            let outcome = self.run(transaction, generation, &folded).map_err(failed())?;
            self.finish(transaction, &rows(outcome))
        };
        self.sink.transaction(work)
    }

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.sink.read_rows(prefix, limit)
    }

    fn write(&self, control: Control) -> Result<Committed> {
        self.sink.transaction(|transaction| self.finish(transaction, &control))
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
    /// As [`Startable::start`](super::Startable::start); `Invalid` for a table whose name is no plain word.
    pub fn start(self) -> Result<SqlModel> {
        for (table, _) in P::TABLES {
            let plain = table.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            if !plain || table.is_empty() || table.starts_with(|first: char| first.is_ascii_digit()) {
                let name = P::NAME;
                return Err(Error::invalid(format!(
                    "table {table:?} of read model {name} is no plain name; use letters, digits and `_`"
                )));
            }
        }
        let sink = Arc::new(self.sink?);
        let target = Sql { projection: self.projection, sink: sink.clone() };
        let run = Run { settings: self.settings, lease: None, effects: None };
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
        self.operations.at_least(position.into(), None, timeout, on_timeout).await
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
