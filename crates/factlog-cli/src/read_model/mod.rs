//! A read model's SQLite file, beside the program that keeps it up to date: rows to read, orders to leave.
//!
//! * What the rows mean is in `docs/format.md`, "Read models and snapshots in SQLite". Nothing here knows the framework.
//! * Looking writes nothing. An order is one row, and so is its answer; no other row is ever written.

mod orders;
mod projection;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

pub(crate) use orders::{Given, Left, Waiting, give, leave, wait_until};
pub(crate) use projection::{Generation, ParkedKey, Phase, Projection};

use crate::failure::{Failure, Kind, Outcome};
use crate::output::printable;

/// What names the file where the command line does not.
const VARIABLE: &str = "FACTLOG_READ_MODEL";
/// How long a write waits for another one of the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Begins the tables of ours that a read model's file has.
const ROWS: &str = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'factlog_rows'";

/// Which file.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The read model's SQLite file; otherwise the one that FACTLOG_READ_MODEL names
    #[arg(long, value_name = "FILE", display_order = 800)]
    read_model: Option<PathBuf>,
}

impl Place {
    /// Whether the command line itself names the file.
    pub(crate) fn is_on_line(&self) -> bool {
        self.read_model.is_some()
    }

    /// The file that the command line names, or else the environment; an empty name is none.
    pub(crate) fn named(&self) -> Option<PathBuf> {
        let path = self.read_model.clone().or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        path.filter(|path| !path.as_os_str().is_empty())
    }

    pub(crate) fn open(&self) -> Outcome<File> {
        let path = self.named().ok_or_else(|| {
            Failure::new(Kind::Usage, "no read model's file is named")
                .advise("give --read-model FILE, or set FACTLOG_READ_MODEL")
        })?;
        File::open(&path)
    }
}

/// The file, open.
pub(crate) struct File {
    connection: Connection,
    path: PathBuf,
}

impl File {
    fn open(path: &Path) -> Outcome<Self> {
        let path_shown = path.display();
        if let Err(error) = std::fs::metadata(path) {
            return Err(Failure::io(format!("open the read model {path_shown}"), &error)
                .advise("check --read-model; the program that projects into the file makes it"));
        }
        // Without the flag that would make a file: looking must not.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            let known = connection.query_row(ROWS, [], |_| Ok(())).optional()?;
            rusqlite::Result::Ok((connection, known.is_some()))
        };
        let (connection, known) = open().map_err(|error| failed("open", path, &error))?;
        if !known {
            return Err(Failure::new(Kind::NotFound, format!("there is no read model in {path_shown}"))
                .advise("check --read-model: it is the file that the program gives to `sqlite(..)`"));
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    /// The projections that are kept here, by name.
    pub(crate) fn names(&self) -> Outcome<Vec<String>> {
        self.read(|connection| {
            let mut names =
                connection.prepare_cached("SELECT DISTINCT name FROM factlog_rows ORDER BY name")?;
            let names = names.query_map([], |row| row.get(0))?;
            names.collect()
        })
    }

    /// Every projection, as it is now.
    pub(crate) fn projections(&self) -> Outcome<Vec<Projection>> {
        self.moment(|| self.names()?.into_iter().map(|name| Projection::load(self, name)).collect())
    }

    /// What is looked at together is of one moment.
    fn moment<T>(&self, look: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let moment = self.connection.unchecked_transaction();
        let moment = moment.map_err(|error| failed("read", &self.path, &error))?;
        let seen = look()?;
        moment.finish().map_err(|error| failed("read", &self.path, &error))?;
        Ok(seen)
    }

    /// One projection; not found where there is none of this name.
    pub(crate) fn projection(&self, name: &str) -> Outcome<Projection> {
        let names = self.names()?;
        if names.iter().any(|known| known == name) {
            return self.moment(|| Projection::load(self, name.to_owned()));
        }
        let (shown, path) = (printable(name), self.path.display());
        let known: Vec<String> = names.iter().map(|name| printable(name)).collect();
        Err(Failure::new(Kind::NotFound, format!("there is no projection {shown} in {path}")).advise(
            match known.len() {
                0 => "no program has begun to project into it; start it".to_owned(),
                _ => format!("name one of those there are: {}", known.join(", ")),
            },
        ))
    }

    /// How far a verification is, while there is one.
    pub(crate) fn verifying(&self, name: &str) -> Outcome<Option<serde_json::Value>> {
        Ok(self.row(name, "verifying")?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Rows of a projection whose names begin with this, in order; the prefix ends with a slash.
    fn rows(&self, name: &str, prefix: &str, limit: usize) -> Outcome<Vec<(String, String)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // `0` is what follows the slash.
        let end = format!("{}0", prefix.trim_end_matches('/'));
        self.read(|connection| {
            let mut rows = connection.prepare_cached(
                "SELECT row, value FROM factlog_rows WHERE name = ?1 AND row >= ?2 AND row < ?3 ORDER BY row LIMIT ?4",
            )?;
            let rows =
                rows.query_map(params![name, prefix, end, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    fn row(&self, name: &str, row: &str) -> Outcome<Option<String>> {
        self.read(|connection| {
            let mut value =
                connection.prepare_cached("SELECT value FROM factlog_rows WHERE name = ?1 AND row = ?2")?;
            value.query_row(params![name, row], |row| row.get(0)).optional()
        })
    }

    fn count(&self, name: &str, prefix: &str) -> Outcome<u64> {
        let end = format!("{}0", prefix.trim_end_matches('/'));
        self.read(|connection| {
            let mut count = connection.prepare_cached(
                "SELECT count(*) FROM factlog_rows WHERE name = ?1 AND row >= ?2 AND row < ?3",
            )?;
            count.query_row(params![name, prefix, end], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
        })
    }

    fn put(&self, name: &str, row: &str, value: &str) -> Outcome {
        let put = "INSERT INTO factlog_rows (name, row, value) VALUES (?1, ?2, ?3)";
        let done = self.connection.execute(put, params![name, row, value]);
        done.map(|_| ()).map_err(|error| failed("leave an order in", &self.path, &error))
    }

    /// Takes a row away; its value, if it was there.
    fn take(&self, name: &str, row: &str) -> Outcome<Option<String>> {
        if self.row(name, row)?.is_none() {
            return Ok(None);
        }
        let take = "DELETE FROM factlog_rows WHERE name = ?1 AND row = ?2 RETURNING value";
        let taken = self.connection.query_row(take, params![name, row], |row| row.get(0)).optional();
        taken.map_err(|error| failed("take an answer from", &self.path, &error))
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Outcome<T> {
        work(&self.connection).map_err(|error| failed("read", &self.path, &error))
    }

    /// A row that is not as the format says.
    fn damaged(&self, name: &str, row: &str) -> Failure {
        let path = self.path.display();
        Failure::new(Kind::Damage, format!("row {} of {} in {path} makes no sense", printable(row), printable(name)))
            .advise("a newer program may have written it; otherwise move the file away, and the program builds it again")
    }
}

fn failed(doing: &str, path: &Path, error: &rusqlite::Error) -> Failure {
    let (kind, advice) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => (Kind::Invalid, "check --read-model; this is no SQLite file"),
        Some(ErrorCode::DatabaseCorrupt) => {
            (Kind::Damage, "move the file away; the program builds it again from the log")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Unavailable, "another program holds it for longer than 5 s; try again")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (Kind::Denied, "ask for the right to write to the file and its directory")
        }
        _ => (Kind::Failure, "check the path, its rights and the space left"),
    };
    Failure::new(kind, format!("cannot {doing} {}", path.display())).because(error.to_string()).advise(advice)
}
