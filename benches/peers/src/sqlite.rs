//! SQLite as an event store: a table of events and an index of tags, in WAL mode with full synchronisation.
//!
//! One connection behind a lock, since SQLite has one writer at a time; one transaction an append.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use bench_common::facts::Fact;
use bench_common::footprint;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::store::{Store, Writer};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE event (
        position INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        type TEXT NOT NULL,
        stream TEXT NOT NULL,
        tags TEXT NOT NULL,
        data BLOB NOT NULL,
        recorded_at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000000)
    );
    CREATE INDEX event_stream ON event (stream, position);
    CREATE TABLE tag (tag TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (tag, position)) WITHOUT ROWID;
";
const CONDITION: &str = "
    SELECT EXISTS (SELECT 1 FROM tag AS one JOIN tag AS other USING (position)
                   WHERE one.tag = ?1 AND other.tag = ?2 AND one.position > ?3)";

struct Sqlite {
    connection: Mutex<Connection>,
    dir: PathBuf,
}

pub(crate) fn open(dir: &Path) -> Result<Box<dyn Store>> {
    let connection = Connection::open(dir.join("events.db")).context("SQLite did not open")?;
    connection.execute_batch(SCHEMA)?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
    if mode != "wal" || synchronous != 2 {
        bail!("SQLite runs in mode {mode} with synchronous {synchronous}, not in WAL mode with FULL");
    }
    Ok(Box::new(Sqlite { connection: Mutex::new(connection), dir: dir.to_owned() }))
}

impl Store for Sqlite {
    fn writer(&self) -> Result<Box<dyn Writer + '_>> {
        Ok(Box::new(&self.connection))
    }

    fn scan(&self) -> Result<u64> {
        let connection = self.connection.lock().expect("no writer panicked");
        let mut statement = connection.prepare_cached(
            "SELECT position, id, type, stream, tags, data, recorded_at FROM event ORDER BY position",
        )?;
        let mut rows = statement.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0)?;
            let [id, data]: [Vec<u8>; 2] = [row.get(1)?, row.get(5)?];
            let names: [String; 3] = [row.get(2)?, row.get(3)?, row.get(4)?];
            std::hint::black_box((position, id, names, data, row.get::<_, i64>(6)?));
            count += 1;
        }
        Ok(count)
    }

    fn disk_bytes(&self) -> Result<u64> {
        let connection = self.connection.lock().expect("no writer panicked");
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(footprint::used_bytes(&self.dir)?)
    }
}

impl Writer for &Mutex<Connection> {
    fn append(&mut self, facts: Vec<Fact>, after: Option<u64>) -> Result<u64> {
        let mut connection = self.lock().expect("no writer panicked");
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(after) = after {
            let [one, other] = &facts[0].tags;
            let mut condition = transaction.prepare_cached(CONDITION)?;
            if condition.query_row(params![one, other, after.cast_signed()], |row| row.get(0))? {
                bail!("an event with both tags came after {after}");
            }
        }
        let mut last = 0;
        {
            let mut event = transaction.prepare_cached(
                "INSERT INTO event (id, type, stream, tags, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let mut tag = transaction.prepare_cached("INSERT INTO tag (tag, position) VALUES (?1, ?2)")?;
            for Fact { id, event_type, stream, tags, data } in &facts {
                event.execute(params![id, event_type, stream, tags.join(" "), data])?;
                last = transaction.last_insert_rowid();
                for name in tags {
                    tag.execute(params![name, last])?;
                }
            }
        }
        transaction.commit()?;
        Ok(last.cast_unsigned())
    }
}
