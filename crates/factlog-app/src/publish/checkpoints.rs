//! Where publishing stands, kept outside the log.

use std::collections::HashMap;
use std::fmt::Debug;
#[cfg(feature = "sqlite")]
use std::path::{Path, PathBuf};

use factlog_core::{Error, EventId, Position, Result};
use parking_lot::Mutex;
#[cfg(feature = "sqlite")]
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

#[cfg(feature = "sqlite")]
use crate::sqlite::{failed, open};

/// How far something was published: everything up to and including this event was acknowledged, or did not concern it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The place of the last event that was acknowledged.
    pub position: Position,
    /// Its id, which tells this log from another.
    pub id: EventId,
}

/// Keeps where publishing stands, by name. Blocking; called by the publishing thread only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a place for checkpoints",
    note = "use `MemoryCheckpoints` or `SqliteCheckpoints`, or write `impl Checkpoints for {Self}`"
)]
pub trait Checkpoints: Debug + Send + Sync + 'static {
    /// Where the name stands; `None` before the first.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` where that cannot be told.
    fn load(&self, name: &str) -> Result<Option<Published>>;

    /// Moves the name from one place to another, durably, and only if it still stands there.
    ///
    /// # Errors
    /// `Invalid` where it stands elsewhere: somebody else publishes under this name. `Unavailable` where it cannot be
    /// written.
    fn advance(&self, name: &str, from: Option<Published>, to: Published) -> Result<()>;
}

/// Keeps checkpoints as long as the process lives: for tests, and for a bus inside the process.
#[derive(Debug, Default)]
pub struct MemoryCheckpoints(Mutex<HashMap<String, Published>>);

impl Checkpoints for MemoryCheckpoints {
    fn load(&self, name: &str) -> Result<Option<Published>> {
        Ok(self.0.lock().get(name).copied())
    }

    fn advance(&self, name: &str, from: Option<Published>, to: Published) -> Result<()> {
        let mut all = self.0.lock();
        if all.get(name).copied() != from {
            return Err(overtaken(name));
        }
        all.insert(name.to_owned(), to);
        Ok(())
    }
}

/// Keeps checkpoints in an SQLite file: table `factlog_published`, one row a name.
#[cfg(feature = "sqlite")]
pub struct SqliteCheckpoints {
    path: PathBuf,
    connection: Mutex<Connection>,
}

#[cfg(feature = "sqlite")]
impl SqliteCheckpoints {
    /// Opens the file or creates it.
    ///
    /// # Errors
    /// `Unavailable` or `Invalid` where it cannot be opened, with the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let connection = open(&path)?;
        connection
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS factlog_published (
                    name TEXT PRIMARY KEY, position INTEGER NOT NULL, event TEXT NOT NULL
                );",
            )
            .map_err(failed("prepare the checkpoints in", &path))?;
        Ok(Self { path, connection: Mutex::new(connection) })
    }
}

#[cfg(feature = "sqlite")]
impl Debug for SqliteCheckpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteCheckpoints").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(feature = "sqlite")]
impl Checkpoints for SqliteCheckpoints {
    fn load(&self, name: &str) -> Result<Option<Published>> {
        let row =
            stored(&self.connection.lock(), name).map_err(failed("read the checkpoint in", &self.path))?;
        row.map(|(position, event)| published(position, &event))
            .map(|found| found.ok_or_else(|| damaged(name, &self.path)))
            .transpose()
    }

    fn advance(&self, name: &str, from: Option<Published>, to: Published) -> Result<()> {
        let doing = "write the checkpoint in";
        let mut connection = self.connection.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed(doing, &self.path))?;
        let row = stored(&transaction, name).map_err(failed(doing, &self.path))?;
        if row.and_then(|(position, event)| published(position, &event)) != from {
            return Err(overtaken(name));
        }
        transaction
            .execute(
                "INSERT OR REPLACE INTO factlog_published (name, position, event) VALUES (?1, ?2, ?3)",
                params![name, to.position.get().cast_signed(), to.id.to_string()],
            )
            .and_then(|_| transaction.commit())
            .map_err(failed(doing, &self.path))
    }
}

#[cfg(feature = "sqlite")]
fn stored(connection: &Connection, name: &str) -> rusqlite::Result<Option<(i64, String)>> {
    connection
        .prepare_cached("SELECT position, event FROM factlog_published WHERE name = ?1")?
        .query_row(params![name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

#[cfg(feature = "sqlite")]
fn published(position: i64, event: &str) -> Option<Published> {
    Some(Published { position: Position::new(position.cast_unsigned())?, id: event.parse().ok()? })
}

#[cfg(feature = "sqlite")]
fn damaged(name: &str, path: &Path) -> Error {
    let path = path.display();
    Error::corrupt(format!(
        "where `{name}` stands is damaged in {path}; correct or remove its row in `factlog_published`: without it \
         everything is published again"
    ))
}

fn overtaken(name: &str) -> Error {
    Error::invalid(format!(
        "somebody else publishes as `{name}`: its checkpoint was moved meanwhile; publish under a name in one place only"
    ))
}
