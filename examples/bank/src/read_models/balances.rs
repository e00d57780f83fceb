//! The read model of balances: one document per account. It knows no SQL.

use factlog::{Projection, Recorded};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::{AccountId, BankEvent, Money};

/// One document per account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balances;

/// How an account stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountBalance {
    pub(crate) balance: Money,
    pub(crate) overdraft_limit: Money,
    /// Movements that moved something.
    pub(crate) movements: u64,
    /// Movements that were refused.
    pub(crate) refused: u64,
    /// The day it was closed on.
    pub(crate) closed: Option<Date>,
}

impl Projection for Balances {
    type Event = BankEvent;
    type Key = AccountId;
    type Document = AccountBalance;
    const NAME: &'static str = "balances";

    fn keys(&self, event: &Recorded<BankEvent>) -> Vec<AccountId> {
        vec![event.event.account().clone()]
    }

    fn apply(
        &self,
        _: &AccountId,
        document: Option<AccountBalance>,
        event: &Recorded<BankEvent>,
    ) -> Option<AccountBalance> {
        let mut account = document.unwrap_or_default();
        match &event.event {
            BankEvent::Opened(opened) => account.overdraft_limit = opened.overdraft_limit,
            BankEvent::Closed(closed) => account.closed = Some(closed.on),
            BankEvent::Refused(_) => account.refused += 1,
            movement => {
                account.balance = account.balance + movement.change();
                account.movements += 1;
            }
        }
        Some(account)
    }
}
