//! Whose tables are whose: the names that can be used, and the claim a read model has to them in its file.
//!
//! * A claim is a row of the read model, made before any table is: what another has made is neither dropped nor written.

use factlog_core::{Error, Result};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::projection::sink::{Committed, SERVING};
use crate::projection::sqlite::SqliteSink;
use crate::sqlite::failed;

/// Whether a table may be called so.
pub(super) fn check(name: &str, table: &str) -> Result<()> {
    let plain = table.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !plain || table.is_empty() || table.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Error::invalid(format!(
            "table {table:?} of read model {name} is no plain name; use letters, digits and `_`"
        )));
    }
    let lower = table.to_ascii_lowercase();
    let generation = lower
        .rsplit_once("_g")
        .is_some_and(|(_, number)| !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit()));
    if generation || ["factlog_", "sqlite_"].iter().any(|taken| lower.starts_with(taken)) {
        return Err(Error::invalid(format!(
            "table {table:?} of read model {name} could be one of the framework's or of SQLite's; call it something else"
        )));
    }
    Ok(())
}

/// Takes tables for this read model, all or none.
pub(super) fn claim(sink: &SqliteSink, name: &str, tables: &[&str]) -> Result<()> {
    let work = |transaction: &Transaction<'_>| {
        for table in tables {
            let found =
                holder(transaction, name, table).map_err(failed("look at the tables in", sink.path()))?;
            let holder = match found {
                Holder::This => continue,
                Holder::Nobody => {
                    sink.write_rows(transaction, &[(row(table), Some(String::new()))])?;
                    continue;
                }
                Holder::Other(other) => format!("read model {other}"),
                Holder::Unknown => "somebody else".to_owned(),
            };
            let path = sink.path().display();
            return Err(Error::invalid(format!(
                "table {table} of read model {name} is {holder}'s in {path}; call it something else, or use a file of its own"
            )));
        }
        Ok(Committed::Written)
    };
    // There is nothing that could be refused.
    let (Committed::Written | Committed::Refused) = sink.transaction(work)?;
    Ok(())
}

/// Who has a table.
enum Holder {
    Nobody,
    This,
    Other(String),
    Unknown,
}

/// SQLite does not tell capital letters.
fn row(table: &str) -> String {
    format!("table/{}", table.to_ascii_lowercase())
}

fn holder(transaction: &Transaction<'_>, name: &str, table: &str) -> rusqlite::Result<Holder> {
    let claimed = "SELECT name FROM factlog_rows WHERE row = ?1 ORDER BY name <> ?2 LIMIT 1";
    let claimed: Option<String> =
        transaction.query_row(claimed, params![row(table), name], |row| row.get(0)).optional()?;
    if let Some(other) = claimed {
        return Ok(if other == name { Holder::This } else { Holder::Other(other) });
    }
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?1))";
    let exists: bool = transaction.query_row(exists, [table], |row| row.get(0))?;
    // A file from before there were claims: its read model has tables and has claimed none.
    let before = "SELECT EXISTS (SELECT 1 FROM factlog_rows WHERE name = ?1 AND row = ?2)
        AND NOT EXISTS (SELECT 1 FROM factlog_rows WHERE name = ?1 AND substr(row, 1, 6) = 'table/')";
    let before: bool = transaction.query_row(before, params![name, SERVING], |row| row.get(0))?;
    Ok(if exists && !before { Holder::Unknown } else { Holder::Nobody })
}
