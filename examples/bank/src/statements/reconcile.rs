//! Comparing the ledger's running balances with the bank's own, row by row. It knows no store and no file.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::Row;
use crate::domain::{AccountId, Money};

/// Balances this close are equal: the bank rounded every step of its own arithmetic.
pub(crate) const TOLERANCE: Money = Money::from_minor(100);

/// What the comparison has found so far.
#[derive(Debug, Default)]
pub(crate) struct Reconciliation {
    rows: u64,
    equal: u64,
    /// Whether each account has a row that is farther off.
    accounts: BTreeMap<AccountId, bool>,
    differences: Vec<Difference>,
}

/// One row where the ledger and the bank disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) account: AccountId,
    pub(crate) date: Date,
    pub(crate) transaction_id: String,
    /// The ledger's balance after the movement; none if the ledger has no such movement.
    pub(crate) ledger: Option<Money>,
    /// The bank's.
    pub(crate) bank: Money,
}

impl Reconciliation {
    /// Compares one row with the ledger's balance after the same movement, if the ledger has it.
    pub(crate) fn compare(&mut self, row: &Row, ledger: Option<Money>) {
        self.rows += 1;
        let off = self.accounts.entry(row.account_id.clone()).or_default();
        if ledger.is_some_and(|balance| balance.distance(row.balance_after) <= TOLERANCE) {
            self.equal += 1;
            return;
        }
        *off = true;
        self.differences.push(Difference {
            account: row.account_id.clone(),
            date: row.date,
            transaction_id: row.transaction_id.clone(),
            ledger,
            bank: row.balance_after,
        });
    }

    /// Rows compared.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows within [`TOLERANCE`].
    pub(crate) fn equal(&self) -> u64 {
        self.equal
    }

    /// Accounts that appear in the file.
    pub(crate) fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Accounts with at least one row that is farther off.
    pub(crate) fn accounts_off(&self) -> usize {
        self.accounts.values().filter(|off| **off).count()
    }

    /// The rows that are farther off, in file order.
    pub(crate) fn differences(&self) -> &[Difference] {
        &self.differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statements::Direction;

    fn row(account: &str, balance_after: i64) -> Row {
        Row {
            transaction_id: "7".into(),
            account_id: account.parse().unwrap(),
            date: jiff::civil::date(1993, 1, 1),
            direction: Direction::Credit,
            operation: None,
            purpose: None,
            amount: Money::from_minor(1),
            balance_after: Money::from_minor(balance_after),
            partner_bank: None,
            partner_account: None,
        }
    }

    #[test]
    fn one_crown_apart_is_equal_and_a_hundredth_more_is_not() {
        let mut found = Reconciliation::default();
        for ledger in [900, 1_000, 1_100] {
            found.compare(&row("1", 1_000), Some(Money::from_minor(ledger)));
        }
        assert_eq!((found.rows(), found.equal(), found.accounts_off()), (3, 3, 0));
        found.compare(&row("1", 1_000), Some(Money::from_minor(1_101)));
        found.compare(&row("1", 1_000), Some(Money::from_minor(899)));
        assert_eq!((found.rows(), found.equal(), found.accounts_off()), (5, 3, 1));
    }

    #[test]
    fn a_movement_the_ledger_does_not_have_is_never_equal() {
        let mut found = Reconciliation::default();
        found.compare(&row("1", 0), None);
        found.compare(&row("2", 0), Some(Money::ZERO));
        assert_eq!((found.equal(), found.accounts(), found.accounts_off()), (1, 2, 1));
        assert_eq!(found.differences()[0].ledger, None);
    }
}
