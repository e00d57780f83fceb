//! SQLite as this crate uses it: how a file is opened, and what its failures mean to a caller.
//!
//! Write-ahead log with `synchronous = NORMAL`: a power cut may take the last transactions with it, but effect and
//! checkpoint together, so the runner applies them again. The event log is what is durable.

use std::path::Path;
use std::time::Duration;

use factlog_core::{Error, Result};
use rusqlite::{Connection, ErrorCode};

/// How long a writer waits for another one of the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn open(path: &Path) -> Result<Connection> {
    Connection::open(path)
        .and_then(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            Ok(connection)
        })
        .map_err(failed("open", path))
}

/// Turns a failure into what the caller should do about it: `doing` is what was tried with the file.
pub(crate) fn failed(doing: &str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Error {
    use rusqlite::Error as Failure;
    move |cause| {
        let path = path.display();
        let error = match (cause.sqlite_error_code(), &cause) {
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _) => Error::corrupt(format!(
                "cannot {doing} {path}: it is damaged or no SQLite file; it can be rebuilt from the log, so move it away"
            )),
            (
                _,
                Failure::InvalidColumnType(..)
                | Failure::FromSqlConversionFailure(..)
                | Failure::IntegralValueOutOfRange(..),
            ) => Error::corrupt(format!(
                "cannot {doing} {path}: it holds a value that is none of ours; it can be rebuilt from the log, so move it away"
            )),
            // Trying these again comes to the same, so a caller must not wait for them.
            (Some(ErrorCode::Unknown), _) | (_, Failure::SqlInputError { .. }) => Error::invalid(format!(
                "cannot {doing} {path}: its tables are not as this program makes them; give it a file of its own"
            )),
            (Some(ErrorCode::TooBig), _) => Error::invalid(format!(
                "cannot {doing} {path}: a value is too large for SQLite; keep less under one key"
            )),
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Error::unavailable(format!(
                "cannot {doing} {path}: another process holds it for more than {BUSY_TIMEOUT:?}; try again later"
            )),
            _ => Error::unavailable(format!(
                "cannot {doing} {path}; check the path, its rights and the space left"
            )),
        };
        error.because(cause)
    }
}
