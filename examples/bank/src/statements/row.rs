//! The bank's statement file: one row is one movement as the bank booked it. It knows no command and no store.

use std::io::Read;

use anyhow::{Context as _, bail};
use jiff::civil::Date;
use serde::Deserialize;

use crate::domain::{AccountId, Money};

/// One line of the statement file, checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Row {
    /// The bank's own number of the movement, unique in the file.
    pub(crate) transaction_id: String,
    /// The account it is on.
    pub(crate) account_id: AccountId,
    /// The day it was booked.
    pub(crate) date: Date,
    /// Whether money came or went.
    pub(crate) direction: Direction,
    /// How: `cash-deposit`, `remittance-out` ...; the bank left it out for interest.
    pub(crate) operation: Option<String>,
    /// What for: `interest`, `statement-fee`, `pension` ...
    pub(crate) purpose: Option<String>,
    /// How much, positive.
    pub(crate) amount: Money,
    /// The account's balance afterwards, in the bank's own arithmetic.
    pub(crate) balance_after: Money,
    /// The other bank of a transfer between banks.
    pub(crate) partner_bank: Option<String>,
    /// The account there.
    pub(crate) partner_account: Option<String>,
}

/// Which way the money went, as the account's owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    Credit,
    Withdrawal,
}

/// The columns that make a file a statement; the rest of [`Row`] may be absent.
const COLUMNS: [&str; 6] = ["transaction_id", "account_id", "date", "direction", "amount", "balance_after"];

/// The rows of a statement file, in file order, without holding the file in memory.
///
/// # Errors
/// A first line that does not name the columns of a statement: a file without rows would otherwise pass for an empty
/// one. Then, for each item, the line and what is wrong with it.
pub(crate) fn rows<R: Read>(file: R) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Row>> + use<R>> {
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().context("the first line cannot be read")?;
    let missing: Vec<&str> =
        COLUMNS.into_iter().filter(|column| !header.iter().any(|name| name == *column)).collect();
    if !missing.is_empty() {
        bail!(
            "it is no statement: its first line lacks the columns {}; the first line names the columns",
            missing.join(", ")
        );
    }
    let rows = reader.into_deserialize::<Row>();
    Ok(rows.map(|row| {
        row.context("the statement file cannot be read on; nothing after this line was looked at")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "transaction_id,account_id,date,direction,operation,purpose,amount,balance_after,\
                          partner_bank,partner_account";

    fn read(lines: &str) -> anyhow::Result<Vec<Row>> {
        rows(format!("{HEADER}\n{lines}").as_bytes())?.collect()
    }

    /// Would fail if any file at all were taken for a statement without rows, and its import reported as done.
    #[test]
    fn a_file_that_is_no_statement_is_refused_before_its_first_row() {
        for other in ["", "{\"a\":", "a,b\n1,2\n", "transaction_id,account_id,date,direction,amount\n"] {
            let error = rows(other.as_bytes()).err().expect(other).to_string();
            assert!(error.contains("lacks the columns") && error.contains("balance_after"), "{error}");
        }
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn a_row_keeps_everything_the_bank_wrote() {
        let rows =
            read("232961,793,1993-01-05,credit,collection-in,pension,3401.00,4201.00,IJ,6149286\n").unwrap();
        let row = &rows[0];
        assert_eq!(row.transaction_id, "232961");
        assert_eq!(row.account_id.as_str(), "793");
        assert_eq!(row.date, jiff::civil::date(1993, 1, 5));
        assert_eq!(row.direction, Direction::Credit);
        assert_eq!(row.operation.as_deref(), Some("collection-in"));
        assert_eq!(row.purpose.as_deref(), Some("pension"));
        assert_eq!((row.amount, row.balance_after), (Money::from_minor(340_100), Money::from_minor(420_100)));
        assert_eq!(row.partner_bank.as_deref(), Some("IJ"));
        assert_eq!(row.partner_account.as_deref(), Some("6149286"));
    }

    #[test]
    fn an_empty_column_is_absent_and_not_an_empty_name() {
        let rows = read("3449867,4034,1993-06-30,credit,,interest,102.50,-2892.00,,\n").unwrap();
        assert_eq!((&rows[0].operation, &rows[0].partner_bank), (&None, &None));
        assert_eq!(rows[0].balance_after, Money::from_minor(-289_200));
    }

    #[test]
    fn a_damaged_line_is_named_and_never_skipped() {
        let good = "1,793,1993-01-05,credit,,,1.00,1.00,,";
        for bad in [
            "2,793,1993-13-05,credit,,,1.00,1.00,,",
            "2,793,1993-01-05,gift,,,1.00,1.00,,",
            "2,793,1993-01-05,credit,,,1.001,1.00,,",
            "2,,1993-01-05,credit,,,1.00,1.00,,",
            "2,793,1993-01-05,credit,,,1.00",
        ] {
            let error = read(&format!("{good}\n{bad}\n")).unwrap_err();
            let sentence = format!("{error:#}");
            assert!(sentence.contains("line: 3") || sentence.contains("line 3"), "{bad}: {sentence}");
        }
    }
}
