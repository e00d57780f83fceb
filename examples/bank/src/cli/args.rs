//! What can be typed: the commands, their arguments, the help. It does nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use factlog::{Position, Timestamp};
use jiff::civil::Date;
use serde::{Serialize, Serializer};

use crate::domain::{AccountId, FeeKind, Money};

const EXAMPLES: &str = "\
Examples:
  bank demo
  bank import transactions.csv --overdraft-limit 6000
  bank open 42 --overdraft-limit 500
  bank transfer 42 576 120.50
  bank balance 576 --at 1993-12-31
  bank statement 576 --month 1993-12 --json

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no such account or file, 4 lost a race,
6 unavailable (try again), 7 damaged log";

/// A ledger on factlog: every movement a fact, every balance a fold.
#[derive(Debug, Parser)]
#[command(name = "bank", version, after_help = EXAMPLES, subcommand_required = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes, before or after its name.
#[derive(Clone, Debug, Args)]
pub(super) struct Common {
    /// Directory of the ledger; created if missing [default: bank-data]
    #[arg(long, global = true, env = "BANK_DATA", value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Answer, and fail, in JSON: one document on one line
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Book the rows of a statement file; repeating it adds nothing
    Import(Import),
    /// Open an account
    Open(Open),
    /// Pay money in
    Deposit(Movement),
    /// Take money out
    Withdraw(Movement),
    /// Move money between two accounts, in one decision
    Transfer(Transfer),
    /// Credit interest to an account
    Interest(Movement),
    /// Charge a fee or sanction interest; it may go below the overdraft limit
    Fee(Fee),
    /// Close an account
    Close(Close),
    /// The balance now, at a past day, or as the ledger knew it at a past moment
    Balance(Balance),
    /// A month of an account line by line, or all its months in sums
    Statement(Statement),
    /// The facts of an account, oldest first
    History(Account),
    /// All accounts with their balances
    Accounts,
    /// Compare the ledger with the balances in a statement file
    Reconcile(File),
    /// Build the read models again from the facts and compare
    Rebuild,
    /// Check every byte of the log
    Verify,
    /// Serve the bank over HTTP, to those who show a key, until interrupted
    Serve(Serve),
    /// A short story with the sample statements
    Demo,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The statement file (CSV)
    pub(super) file: PathBuf,
    /// How far below zero the accounts opened by this import may go
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    pub(super) overdraft_limit: Money,
}

#[derive(Debug, Args)]
pub(super) struct Open {
    /// The new account
    pub(super) account: AccountId,
    /// How far below zero it may go
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    pub(super) overdraft_limit: Money,
    #[command(flatten)]
    pub(super) booked: Booked,
}

#[derive(Debug, Args)]
pub(super) struct Movement {
    /// The account
    pub(super) account: AccountId,
    /// How much, such as 120.50
    #[arg(allow_negative_numbers = true)]
    pub(super) amount: Money,
    #[command(flatten)]
    pub(super) booked: Booked,
}

#[derive(Debug, Args)]
pub(super) struct Transfer {
    /// The account that pays
    pub(super) from: AccountId,
    /// The account that receives
    pub(super) to: AccountId,
    /// How much, such as 120.50
    #[arg(allow_negative_numbers = true)]
    pub(super) amount: Money,
    #[command(flatten)]
    pub(super) booked: Booked,
}

#[derive(Debug, Args)]
pub(super) struct Fee {
    #[command(flatten)]
    pub(super) movement: Movement,
    /// What is charged for
    #[arg(long, value_enum, default_value = "statement")]
    pub(super) kind: Kind,
}

/// What a fee is charged for, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    Statement,
    SanctionInterest,
}

impl From<Kind> for FeeKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Statement => Self::Statement,
            Kind::SanctionInterest => Self::SanctionInterest,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Close {
    /// The account
    pub(super) account: AccountId,
    #[command(flatten)]
    pub(super) booked: Booked,
}

/// When a movement counts, and how it is recognised if it is sent again.
#[derive(Debug, Args)]
pub(super) struct Booked {
    /// The day it is booked on [default: today, UTC]
    #[arg(long, value_name = "DATE")]
    pub(super) on: Option<Date>,
    /// Idempotency key: the same key again answers as the first time and books nothing
    #[arg(long, value_name = "TEXT")]
    pub(super) key: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Balance {
    /// The account
    pub(super) account: AccountId,
    /// At the end of this booking day
    #[arg(long, value_name = "DATE")]
    pub(super) at: Option<Date>,
    /// With what the ledger had recorded up to this position or time
    #[arg(long, value_name = "POSITION|TIME")]
    pub(super) known_at: Option<KnownAt>,
}

#[derive(Debug, Args)]
pub(super) struct Statement {
    /// The account
    pub(super) account: AccountId,
    /// Only this month, line by line
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) month: Option<Month>,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4271")]
    pub(super) listen: SocketAddr,
    /// Write the first key of the ledger here, in place of showing it
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Account {
    /// The account
    pub(super) account: AccountId,
}

#[derive(Debug, Args)]
pub(super) struct File {
    /// The statement file (CSV)
    pub(super) file: PathBuf,
}

/// A moment in the ledger's own history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnownAt {
    Position(Position),
    Time(Timestamp),
}

impl Serialize for KnownAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Position(position) => serializer.serialize_u64(position.get()),
            Self::Time(time) => serializer.collect_str(time),
        }
    }
}

impl FromStr for KnownAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(position) = text.parse().ok().and_then(Position::new) {
            return Ok(Self::Position(position));
        }
        let explain = |_| {
            format!(
                "{text:?} is neither a position from 1 on nor an RFC 3339 time such as 2026-11-21T10:00:00Z"
            )
        };
        text.parse().map(Self::Time).map_err(explain)
    }
}

/// A month as it is typed and shown: `1993-05`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Month(String);

impl Month {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let first: Result<Date, _> = format!("{text}-01").parse();
        match first {
            Ok(_) if text.len() == 7 => Ok(Self(text.to_owned())),
            _ => Err(format!("{text:?} is no month; write it as 1993-05")),
        }
    }
}
