//! Snapshots in an SQLite file beside the store. Deleting the file costs replays, nothing else.

use std::fmt;
use std::future::ready;
use std::path::{Path, PathBuf};

use factlog_core::{BoxFuture, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{SnapshotKey, SnapshotStore};
use crate::sqlite;

/// Keeps snapshots in an SQLite file. Reads and writes it on the polling thread.
pub struct SqliteSnapshots {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteSnapshots {
    /// Opens the file or creates it.
    ///
    /// # Errors
    /// `Unavailable` or `Invalid` where it cannot be opened, with the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let connection = sqlite::open(&path)?;
        connection
            .execute_batch(
                "CREATE TABLE IF NOT EXISTS factlog_snapshots (
                    view TEXT NOT NULL, version INTEGER NOT NULL, fingerprint INTEGER NOT NULL, id TEXT NOT NULL,
                    snapshot BLOB NOT NULL,
                    PRIMARY KEY (view, version, fingerprint, id)
                ) WITHOUT ROWID;",
            )
            .map_err(sqlite::failed("prepare the snapshots in", &path))?;
        Ok(Self { path, connection: Mutex::new(connection) })
    }

    fn read(&self, key: &SnapshotKey) -> Result<Option<Vec<u8>>> {
        let connection = self.connection.lock();
        connection
            .prepare_cached(
                "SELECT snapshot FROM factlog_snapshots WHERE view = ?1 AND version = ?2 AND fingerprint = ?3 AND id = ?4",
            )
            .and_then(|mut select| {
                select
                    .query_row(params![key.view, key.version, key.fingerprint.cast_signed(), key.id], |row| row.get(0))
                    .optional()
            })
            .map_err(sqlite::failed("read a snapshot in", &self.path))
    }

    fn write(&self, key: &SnapshotKey, bytes: &[u8]) -> Result<()> {
        let connection = self.connection.lock();
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO factlog_snapshots (view, version, fingerprint, id, snapshot) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .and_then(|mut insert| {
                insert.execute(params![key.view, key.version, key.fingerprint.cast_signed(), key.id, bytes])
            })
            .map(drop)
            .map_err(sqlite::failed("write a snapshot in", &self.path))
    }
}

impl fmt::Debug for SqliteSnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSnapshots").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SnapshotStore for SqliteSnapshots {
    fn load(&self, key: &SnapshotKey) -> BoxFuture<'_, Result<Option<Vec<u8>>>> {
        Box::pin(ready(self.read(key)))
    }

    fn save(&self, key: &SnapshotKey, bytes: Vec<u8>) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(self.write(key, &bytes)))
    }
}
