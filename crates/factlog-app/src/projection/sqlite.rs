//! A sink in an SQLite file: documents and rows in one transaction, several read models side by side.
//!
//! * Readers have a connection of their own and see only committed transactions.
//! * Every commit holds the file's only write lock while it compares the rows it expects, so that two writers
//!   cannot mix, in one process or in two.
//! * The tables are written down in `docs/format.md`: other programs read them, and leave orders there.

use std::fmt;
use std::path::{Path, PathBuf};

use factlog_core::{Error, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sink::{Commit, Committed, Generation, Rows, TransactionalSink};
use crate::sqlite::{failed, open};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS factlog_rows (
        name TEXT NOT NULL, row TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (name, row)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS factlog_documents (
        name TEXT NOT NULL, generation INTEGER NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (name, generation, key)
    ) WITHOUT ROWID;";
const SELECT: &str = "SELECT key, document FROM factlog_documents WHERE name = ?1 AND generation =
    coalesce(?2, (SELECT CAST(value AS INTEGER) FROM factlog_rows WHERE name = ?1 AND row = 'serving'))";
const PUT: &str =
    "INSERT OR REPLACE INTO factlog_documents (name, generation, key, document) VALUES (?1, ?2, ?3, ?4)";
const REMOVE: &str = "DELETE FROM factlog_documents WHERE name = ?1 AND generation = ?2 AND key = ?3";

/// One read model in an SQLite file. Usually [`Project::sqlite`](super::Project::sqlite) opens it.
///
/// ```
/// # extern crate factlog_app as factlog;
/// use factlog::projection::{Generation, SqliteSink, TransactionalSink};
/// # let directory = tempfile::tempdir()?;
/// let sink = SqliteSink::open("balances", directory.path().join("read.sqlite"))?;
/// let balance: Option<u64> = sink.document(Generation::Serving, &"account-1".to_owned())?;
/// assert_eq!(balance, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteSink {
    name: &'static str,
    path: PathBuf,
    writer: Mutex<Connection>,
    /// What readers use, as fast as they like.
    reader: Mutex<Connection>,
    /// What those use that keep it up to date: readers do not hold them up.
    inner: Mutex<Connection>,
}

impl fmt::Debug for SqliteSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteSink")
            .field("name", &self.name)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SqliteSink {
    /// Opens or makes the file, for the read model of this name.
    ///
    /// # Errors
    /// `Unavailable` where the file cannot be opened, `Corrupt` where it is damaged or no SQLite file, `Invalid` where
    /// its tables are not this program's.
    pub fn open(name: &'static str, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let writer = open(path)?;
        writer.execute_batch(SCHEMA).map_err(failed("prepare the read model in", path))?;
        for probe in ["SELECT name, row, value FROM factlog_rows", SELECT] {
            writer.prepare(probe).map_err(failed("use the read model in", path))?;
        }
        let (reader, inner) = (Mutex::new(open(path)?), Mutex::new(open(path)?));
        for connection in [&reader, &inner] {
            let only = connection.lock().pragma_update(None, "query_only", true);
            only.map_err(failed("use the read model in", path))?;
        }
        Ok(Self { name, path: path.to_owned(), writer: Mutex::new(writer), reader, inner })
    }

    fn decoded<T: DeserializeOwned>(&self, what: &str, json: &str) -> Result<T> {
        serde_json::from_str(json).map_err(|cause| {
            let (name, path) = (self.name, self.path.display());
            Error::corrupt(format!(
                "a {what} of read model {name} in {path} does not fit its type; raise the projection's version or rebuild it"
            ))
            .because(cause)
        })
    }

    fn encoded<T: Serialize>(&self, what: &str, value: &T) -> Result<String> {
        serde_json::to_string(value).map_err(|cause| {
            let name = self.name;
            Error::invalid(format!("a {what} of read model {name} cannot be written as JSON")).because(cause)
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is committed.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&self.reader.lock()).map_err(failed("read the tables in", &self.path))
    }

    /// One transaction that holds the file's only write lock; the work says whether it is kept.
    pub(super) fn transaction(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<Committed>,
    ) -> Result<Committed> {
        let mut writer = self.writer.lock();
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed("begin to write the read model in", &self.path))?;
        let done = work(&transaction)?;
        match done {
            Committed::Written => {
                transaction.commit().map_err(failed("write the read model in", &self.path))?;
            }
            Committed::Refused => {}
        }
        Ok(done)
    }

    /// Whether the rows are as expected.
    pub(super) fn expected(
        &self,
        transaction: &Transaction<'_>,
        expected: &[(String, Option<String>)],
    ) -> Result<bool> {
        let look = || {
            let mut select =
                transaction.prepare_cached("SELECT value FROM factlog_rows WHERE name = ?1 AND row = ?2")?;
            for (row, text) in expected {
                let found: Option<String> =
                    select.query_row(params![self.name, row], |row| row.get(0)).optional()?;
                if found != *text {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        look().map_err(failed("read the read model in", &self.path))
    }

    pub(super) fn write_rows(
        &self,
        transaction: &Transaction<'_>,
        rows: &[(String, Option<String>)],
    ) -> Result<()> {
        let write = || {
            let mut put = transaction.prepare_cached(
                "INSERT OR REPLACE INTO factlog_rows (name, row, value) VALUES (?1, ?2, ?3)",
            )?;
            let mut remove =
                transaction.prepare_cached("DELETE FROM factlog_rows WHERE name = ?1 AND row = ?2")?;
            for (row, text) in rows {
                match text {
                    Some(text) => put.execute(params![self.name, row, text])?,
                    None => remove.execute(params![self.name, row])?,
                };
            }
            Ok(())
        };
        write().map_err(failed("write the read model in", &self.path))
    }

    fn write_documents(
        &self,
        transaction: &Transaction<'_>,
        generation: u64,
        documents: &[(String, Option<String>)],
        dropped: Option<u64>,
    ) -> Result<()> {
        let generation = generation.cast_signed();
        let write = || {
            if let Some(dropped) = dropped {
                transaction.execute(
                    "DELETE FROM factlog_documents WHERE name = ?1 AND generation = ?2",
                    params![self.name, dropped.cast_signed()],
                )?;
            }
            let mut put = transaction.prepare_cached(PUT)?;
            let mut remove = transaction.prepare_cached(REMOVE)?;
            for (key, document) in documents {
                match document {
                    Some(document) => put.execute(params![self.name, generation, key, document])?,
                    None => remove.execute(params![self.name, generation, key])?,
                };
            }
            Ok(())
        };
        write().map_err(failed("write documents in", &self.path))
    }

    pub(super) fn read_rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        let reader = self.inner.lock();
        let read = || {
            let mut select = reader.prepare_cached(
                "SELECT row, value FROM factlog_rows WHERE name = ?1 AND row >= ?2 AND substr(row, 1, length(?2)) = ?2
                 ORDER BY row LIMIT ?3",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows =
                select.query_map(params![self.name, prefix, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Rows>>()
        };
        read().map_err(failed("read the read model in", &self.path))
    }
}

impl<K, D> TransactionalSink<K, D> for SqliteSink
where
    K: Ord + Serialize + DeserializeOwned,
    D: Serialize + DeserializeOwned,
{
    fn document(&self, of: Generation, key: &K) -> Result<Option<D>> {
        let key = self.encoded("key", key)?;
        let connection = match of {
            Generation::Serving => &self.reader,
            Generation::Number(_) => &self.inner,
        };
        let json: Option<String> = connection
            .lock()
            .prepare_cached(&format!("{SELECT} AND key = ?3"))
            .and_then(|mut select| {
                select.query_row(params![self.name, number(of), key], |row| row.get(1)).optional()
            })
            .map_err(failed("read a document in", &self.path))?;
        json.map(|json| self.decoded("document", &json)).transpose()
    }

    fn scan(&self, of: Generation, wanted: &dyn Fn(&K) -> bool) -> Result<Vec<(K, D)>> {
        let reader = self.reader.lock();
        let failed = || failed("read documents in", &self.path);
        let mut select = reader.prepare_cached(SELECT).map_err(failed())?;
        let mut rows = select.query(params![self.name, number(of)]).map_err(failed())?;
        let mut documents = Vec::new();
        while let Some(row) = rows.next().map_err(failed())? {
            let key: String = row.get(0).map_err(failed())?;
            let key: K = self.decoded("key", &key)?;
            if wanted(&key) {
                let document: String = row.get(1).map_err(failed())?;
                documents.push((key, self.decoded("document", &document)?));
            }
        }
        documents.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(documents)
    }

    fn rows(&self, prefix: &str, limit: usize) -> Result<Rows> {
        self.read_rows(prefix, limit)
    }

    fn commit(&self, commit: Commit<K, D>) -> Result<Committed> {
        let mut documents = Vec::with_capacity(commit.documents.len());
        for (key, document) in &commit.documents {
            let document = document.as_ref().map(|document| self.encoded("document", document));
            documents.push((self.encoded("key", key)?, document.transpose()?));
        }
        let work = |transaction: &Transaction<'_>| {
            if !self.expected(transaction, &commit.expected)? {
                return Ok(Committed::Refused);
            }
            self.write_documents(transaction, commit.generation, &documents, commit.dropped)?;
            self.write_rows(transaction, &commit.rows)?;
            Ok(Committed::Written)
        };
        self.transaction(work)
    }
}

fn number(of: Generation) -> Option<i64> {
    match of {
        Generation::Serving => None,
        Generation::Number(number) => Some(number.cast_signed()),
    }
}

#[cfg(test)]
mod tests;
