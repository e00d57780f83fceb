//! The read model of monthly statements: one document per account and month. It knows no SQL.

use factlog::{Projection, Recorded};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::{AccountId, BankEvent, Money};

/// One document per account and month of booking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Months;

/// The key of a monthly statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
pub(crate) struct AccountMonth {
    pub(crate) account: AccountId,
    /// Such as `1993-05`.
    pub(crate) month: String,
}

/// A month of an account: its sums and its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Month {
    /// What came, in sum.
    pub(crate) credits: Money,
    /// What went, in sum; positive.
    pub(crate) debits: Money,
    /// Everything booked in the month, by day and then in the order the ledger learned of it.
    pub(crate) lines: Vec<Line>,
}

/// A line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) position: u64,
    pub(crate) on: Date,
    pub(crate) kind: String,
    /// By how much it changed the balance.
    pub(crate) change: Money,
    pub(crate) detail: String,
}

impl Month {
    /// What the month changed.
    pub(crate) fn change(&self) -> Money {
        self.credits - self.debits
    }
}

impl Projection for Months {
    type Event = BankEvent;
    type Key = AccountMonth;
    type Document = Month;
    const NAME: &'static str = "months";

    fn keys(&self, event: &Recorded<BankEvent>) -> Vec<AccountMonth> {
        let on = event.event.on();
        let month = format!("{:04}-{:02}", on.year(), on.month());
        vec![AccountMonth { account: event.event.account().clone(), month }]
    }

    fn apply(&self, _: &AccountMonth, document: Option<Month>, event: &Recorded<BankEvent>) -> Option<Month> {
        let mut month = document.unwrap_or_default();
        let change = event.event.change();
        if change.is_positive() {
            month.credits = month.credits + change;
        } else {
            month.debits = month.debits - change;
        }
        let line = Line {
            position: event.position.get(),
            on: event.event.on(),
            kind: event.event.kind().to_owned(),
            change,
            detail: event.event.detail(),
        };
        let place = month.lines.partition_point(|earlier| earlier.on <= line.on);
        month.lines.insert(place, line);
        Some(month)
    }
}
