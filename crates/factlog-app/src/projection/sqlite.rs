//! A read model in an SQLite file: documents and checkpoint in one transaction, one generation seen by readers.
//!
//! * Readers have a connection of their own and see only committed transactions.
//! * A rebuild writes the next generation beside the visible one; the switch is one transaction.
//! * Every write first compares what the file says with what the writer knows, so that two writers cannot mix.
//! * A generation that is not the visible one when the file is opened was never finished and is removed.

use std::path::{Path, PathBuf};

use factlog_core::{Error, Position, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::Projection;
use super::sink::{Changes, Checkpoint, Resumed, Sink};
use crate::EventSet;
use crate::model::Mark;
use crate::sqlite::{failed, open};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS factlog_projections (
        name TEXT PRIMARY KEY, version INTEGER NOT NULL, fingerprint INTEGER NOT NULL, generation INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS factlog_checkpoints (
        name TEXT NOT NULL, generation INTEGER NOT NULL,
        position INTEGER, last_position INTEGER, last_event TEXT,
        PRIMARY KEY (name, generation)
    );
    CREATE TABLE IF NOT EXISTS factlog_documents (
        name TEXT NOT NULL, generation INTEGER NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (name, generation, key)
    ) WITHOUT ROWID;";

pub(crate) struct SqliteSink {
    name: &'static str,
    path: PathBuf,
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
    resumed: Resumed,
}

struct Writer {
    connection: Connection,
    place: Place,
    /// Where it stood in the visible generation when the rebuild began.
    visible: Option<Place>,
}

/// Where the writer stands; the file must say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The generation readers see.
    visible: i64,
    /// The generation that is written: the visible one, or the next.
    written: i64,
    /// How far the written generation has come.
    checkpoint: Checkpoint,
}

impl SqliteSink {
    pub(crate) fn open<P: Projection>(path: &Path) -> Result<Self> {
        let mut connection = open(path)?;
        let doing = "prepare the read model in";
        connection.execute_batch(SCHEMA).map_err(failed(doing, path))?;
        let (visible, rebuilt_because) = prepare::<P>(&mut connection).map_err(failed(doing, path))?;
        let place = stored_place(&connection, P::NAME, visible).map_err(failed(doing, path))?;
        let place = place.ok_or_else(|| {
            let (name, path) = (P::NAME, path.display());
            Error::corrupt(format!("the checkpoint of read model {name} in {path} is damaged; move the file away, it is built again"))
        })?;
        Ok(Self {
            name: P::NAME,
            path: path.to_owned(),
            reader: Mutex::new(open(path)?),
            writer: Mutex::new(Writer { connection, place, visible: None }),
            resumed: Resumed { checkpoint: place.checkpoint, rebuilt_because },
        })
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

    /// One transaction that holds the file's only write lock, after making sure that nobody else wrote this read
    /// model since: two writers would each count the events the other counts.
    fn transaction(
        &self,
        doing: &str,
        work: impl FnOnce(&Transaction<'_>, Place) -> rusqlite::Result<Place>,
    ) -> Result<()> {
        let mut writer = self.writer.lock();
        let Writer { connection, place, .. } = &mut *writer;
        let done = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                if stored_place(&transaction, self.name, place.written)? != Some(*place) {
                    return Ok(None);
                }
                let after = work(&transaction, *place)?;
                transaction.commit()?;
                Ok(Some(after))
            })
            .map_err(failed(doing, &self.path))?;
        let Some(after) = done else {
            let (name, path) = (self.name, self.path.display());
            return Err(Error::invalid(format!(
                "read model {name} in {path} was written by somebody else meanwhile; run it in one process, once"
            )));
        };
        *place = after;
        Ok(())
    }
}

impl Writer {
    /// Remembers where to go on if the rebuild that begins comes to nothing.
    fn keep_visible(&mut self) {
        if self.place.written == self.place.visible {
            self.visible = Some(self.place);
        }
    }
}

impl<P: Projection> Sink<P> for SqliteSink {
    fn resume(&self) -> Result<Resumed> {
        Ok(self.resumed.clone())
    }

    fn document(&self, key: &P::Key) -> Result<Option<P::Document>> {
        let key = self.encoded("key", key)?;
        let writer = self.writer.lock();
        let json: Option<String> = writer
            .connection
            .prepare_cached(
                "SELECT document FROM factlog_documents WHERE name = ?1 AND generation = ?2 AND key = ?3",
            )
            .and_then(|mut select| {
                select.query_row(params![self.name, writer.place.written, key], |row| row.get(0)).optional()
            })
            .map_err(failed("read a document in", &self.path))?;
        json.map(|json| self.decoded("document", &json)).transpose()
    }

    fn commit(&self, changes: Changes<P>, checkpoint: Checkpoint) -> Result<()> {
        let mut rows = Vec::with_capacity(changes.len());
        for (key, document) in &changes {
            let document = document.as_ref().map(|document| self.encoded("document", document));
            rows.push((self.encoded("key", key)?, document.transpose()?));
        }
        self.transaction("write the read model in", |transaction, place| {
            let generation = place.written;
            let mut put = transaction.prepare_cached(
                "INSERT OR REPLACE INTO factlog_documents (name, generation, key, document) VALUES (?1, ?2, ?3, ?4)",
            )?;
            let mut remove = transaction
                .prepare_cached("DELETE FROM factlog_documents WHERE name = ?1 AND generation = ?2 AND key = ?3")?;
            for (key, document) in rows {
                match document {
                    Some(document) => put.execute(params![self.name, generation, key, document])?,
                    None => remove.execute(params![self.name, generation, key])?,
                };
            }
            write_checkpoint(transaction, self.name, generation, checkpoint)?;
            Ok(Place { checkpoint, ..place })
        })
    }

    fn begin_rebuild(&self) -> Result<()> {
        self.writer.lock().keep_visible();
        self.transaction("begin a rebuild in", |transaction, place| {
            remove_others(transaction, self.name, place.visible)?;
            Ok(Place { written: place.visible + 1, checkpoint: Checkpoint::default(), ..place })
        })
    }

    fn finish_rebuild(&self) -> Result<()> {
        self.transaction("finish a rebuild in", |transaction, place| {
            transaction.execute(
                "UPDATE factlog_projections SET generation = ?2 WHERE name = ?1",
                params![self.name, place.written],
            )?;
            remove_others(transaction, self.name, place.written)?;
            Ok(Place { visible: place.written, ..place })
        })
    }

    fn give_up_rebuild(&self) {
        let mut writer = self.writer.lock();
        if let Some(visible) = writer.visible.take() {
            writer.place = visible;
        }
    }

    fn get(&self, key: &P::Key) -> Result<Option<P::Document>> {
        let key = self.encoded("key", key)?;
        let json: Option<String> = self
            .reader
            .lock()
            .prepare_cached(
                "SELECT document FROM factlog_documents WHERE name = ?1 AND key = ?2
                 AND generation = (SELECT generation FROM factlog_projections WHERE name = ?1)",
            )
            .and_then(|mut select| select.query_row(params![self.name, key], |row| row.get(0)).optional())
            .map_err(failed("read a document in", &self.path))?;
        json.map(|json| self.decoded("document", &json)).transpose()
    }

    fn scan(&self, wanted: &dyn Fn(&P::Key) -> bool) -> Result<Vec<(P::Key, P::Document)>> {
        let reader = self.reader.lock();
        let doing = "read documents in";
        let mut select = reader
            .prepare_cached(
                "SELECT key, document FROM factlog_documents WHERE name = ?1
                 AND generation = (SELECT generation FROM factlog_projections WHERE name = ?1)",
            )
            .map_err(failed(doing, &self.path))?;
        let mut rows = select.query(params![self.name]).map_err(failed(doing, &self.path))?;
        let mut documents = Vec::new();
        while let Some(row) = rows.next().map_err(failed(doing, &self.path))? {
            let key: String = row.get(0).map_err(failed(doing, &self.path))?;
            let key: P::Key = self.decoded("key", &key)?;
            if wanted(&key) {
                let document: String = row.get(1).map_err(failed(doing, &self.path))?;
                documents.push((key, self.decoded("document", &document)?));
            }
        }
        documents.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(documents)
    }
}

/// The generation readers see, and why it is empty if it had to be emptied.
fn prepare<P: Projection>(connection: &mut Connection) -> rusqlite::Result<(i64, Option<String>)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let known: Option<(u32, i64, i64)> = transaction
        .query_row(
            "SELECT version, fingerprint, generation FROM factlog_projections WHERE name = ?1",
            params![P::NAME],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let present = fingerprint::<P>().cast_signed();
    let (generation, because) = match known {
        None => (1, None),
        Some((version, fingerprint, generation)) if version == P::VERSION && fingerprint == present => {
            (generation, None)
        }
        Some((version, _, generation)) if version != P::VERSION => {
            let because = format!(
                "it was built by version {version} of the projection, this is version {}",
                P::VERSION
            );
            (generation + 1, Some(because))
        }
        Some((_, _, generation)) => (generation + 1, Some("the events it folds have changed".to_owned())),
    };
    transaction.execute(
        "INSERT OR REPLACE INTO factlog_projections (name, version, fingerprint, generation) VALUES (?1, ?2, ?3, ?4)",
        params![P::NAME, P::VERSION, present, generation],
    )?;
    remove_others(&transaction, P::NAME, generation)?;
    transaction.commit()?;
    Ok((generation, because))
}

fn remove_others(transaction: &Transaction<'_>, name: &str, kept: i64) -> rusqlite::Result<()> {
    for table in ["factlog_documents", "factlog_checkpoints"] {
        let delete = format!("DELETE FROM {table} WHERE name = ?1 AND generation <> ?2");
        transaction.execute(&delete, params![name, kept])?;
    }
    Ok(())
}

fn write_checkpoint(
    transaction: &Transaction<'_>,
    name: &str,
    generation: i64,
    checkpoint: Checkpoint,
) -> rusqlite::Result<()> {
    let number = |position: Position| position.get().cast_signed();
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO factlog_checkpoints (name, generation, position, last_position, last_event)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            name,
            generation,
            checkpoint.position.map(number),
            checkpoint.last.map(|mark| number(mark.position)),
            checkpoint.last.map(|mark| mark.id.to_string()),
        ])?;
    Ok(())
}

/// What the file says of the read model; `None` where it says nothing that makes sense.
fn stored_place(connection: &Connection, name: &str, written: i64) -> rusqlite::Result<Option<Place>> {
    let visible: Option<i64> = connection
        .prepare_cached("SELECT generation FROM factlog_projections WHERE name = ?1")?
        .query_row(params![name], |row| row.get(0))
        .optional()?;
    let row: Option<(Option<i64>, Option<i64>, Option<String>)> = connection
        .prepare_cached(
            "SELECT position, last_position, last_event FROM factlog_checkpoints WHERE name = ?1 AND generation = ?2",
        )?
        .query_row(params![name, written], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let checkpoint = match row {
        None => Some(Checkpoint::default()),
        Some((position, last_position, last_event)) => checkpoint(position, last_position, last_event),
    };
    Ok(visible.zip(checkpoint).map(|(visible, checkpoint)| Place { visible, written, checkpoint }))
}

fn checkpoint(
    position: Option<i64>,
    last_position: Option<i64>,
    last_event: Option<String>,
) -> Option<Checkpoint> {
    let place = |number: i64| Position::new(number.cast_unsigned());
    let last = match (last_position, last_event) {
        (None, None) => None,
        (last_position, last_event) => {
            Some(Mark { position: place(last_position?)?, id: last_event?.parse().ok()? })
        }
    };
    let position = match position {
        None => None,
        Some(number) => Some(place(number)?),
    };
    // What was applied lies at or before what was passed; anything else would be counted again.
    (last.map(|mark| mark.position) <= position).then_some(Checkpoint { position, last })
}

/// A hash of the names and versions of the events a projection folds. With another set an old checkpoint would
/// have passed events that now concern it.
fn fingerprint<P: Projection>() -> u64 {
    xxh3_64(format!("{:?}{:?}", P::Event::SCHEMAS, P::Event::NAMES).as_bytes())
}

#[cfg(test)]
mod tests;
