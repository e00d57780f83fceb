//! What decisions and questions need to know of an account: folds over its facts. Each view reads only the kinds
//! of facts it needs, because what a decision reads is what it conflicts with.

use std::collections::BTreeMap;

use factlog::{EventSet, Result, Tags, View, tags};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::events::*;
use super::{AccountId, Money};

/// Whether anything may move on an account. All that a deposit needs: two deposits never conflict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Nobody opened it.
    #[default]
    Unknown,
    /// It is open.
    Open,
    /// It was closed.
    Closed {
        /// The day.
        on: Date,
    },
}

/// The facts that change an account's standing.
#[derive(Clone, Debug, PartialEq, Eq, EventSet)]
pub enum StandingEvent {
    /// See [`AccountOpened`].
    Opened(AccountOpened),
    /// See [`AccountClosed`].
    Closed(AccountClosed),
}

impl View for Standing {
    type Id = AccountId;
    type Event = StandingEvent;
    const NAME: &'static str = "standing";

    fn tags(id: &AccountId) -> Result<Tags> {
        tags![account = id]
    }

    fn apply(&mut self, event: &StandingEvent) {
        *self = match event {
            StandingEvent::Opened(_) => Self::Open,
            StandingEvent::Closed(closed) => Self::Closed { on: closed.on },
        };
    }
}

/// What can be taken from an account: its standing, its limit and its balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funds {
    /// Whether anything may move.
    pub standing: Standing,
    /// How far below zero the balance may go.
    pub overdraft_limit: Money,
    /// The sum of all that moved.
    pub balance: Money,
}

/// The facts that change what can be taken.
#[derive(Clone, Debug, PartialEq, Eq, EventSet)]
pub enum FundsEvent {
    /// See [`AccountOpened`].
    Opened(AccountOpened),
    /// See [`AccountClosed`].
    Closed(AccountClosed),
    /// See [`MoneyDeposited`].
    Deposited(MoneyDeposited),
    /// See [`MoneyWithdrawn`].
    Withdrawn(MoneyWithdrawn),
    /// See [`TransferSent`].
    Sent(TransferSent),
    /// See [`TransferReceived`].
    Received(TransferReceived),
    /// See [`InterestCollected`].
    Interest(InterestCollected),
    /// See [`FeeCharged`].
    Fee(FeeCharged),
}

impl Funds {
    /// The balance and what may be overdrawn.
    #[must_use]
    pub fn available(&self) -> Money {
        self.balance + self.overdraft_limit
    }
}

impl View for Funds {
    type Id = AccountId;
    type Event = FundsEvent;
    const NAME: &'static str = "funds";

    fn tags(id: &AccountId) -> Result<Tags> {
        tags![account = id]
    }

    fn apply(&mut self, event: &FundsEvent) {
        match event {
            FundsEvent::Opened(opened) => {
                self.standing = Standing::Open;
                self.overdraft_limit = opened.overdraft_limit;
            }
            FundsEvent::Closed(closed) => self.standing = Standing::Closed { on: closed.on },
            FundsEvent::Deposited(MoneyDeposited { amount, .. })
            | FundsEvent::Received(TransferReceived { amount, .. })
            | FundsEvent::Interest(InterestCollected { amount, .. }) => self.balance = self.balance + *amount,
            FundsEvent::Withdrawn(MoneyWithdrawn { amount, .. })
            | FundsEvent::Sent(TransferSent { amount, .. })
            | FundsEvent::Fee(FeeCharged { amount, .. }) => self.balance = self.balance - *amount,
        }
    }
}

/// What an account's balance was at the end of each day on which something counted.
///
/// Two times meet here: the day a fact counts on is in the fact, and when the ledger learned of it is in the
/// store. The fold up to a position, asked for a day, answers for both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    changes: BTreeMap<Date, Money>,
}

impl Days {
    /// Whether nothing is known of the account.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The balance at the end of this day; of the last known day without one.
    #[must_use]
    pub fn balance(&self, day: Option<Date>) -> Money {
        let days = self.changes.iter();
        days.take_while(|(on, _)| day.is_none_or(|day| **on <= day)).map(|(_, change)| *change).sum()
    }
}

impl View for Days {
    type Id = AccountId;
    type Event = BankEvent;
    const NAME: &'static str = "days";

    fn tags(id: &AccountId) -> Result<Tags> {
        tags![account = id]
    }

    fn apply(&mut self, event: &BankEvent) {
        let change = self.changes.entry(event.on()).or_default();
        *change = *change + event.change();
    }
}
