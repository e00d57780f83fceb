//! A bounded context written against the facade: accounts, a withdrawal, balances.

use factlog::{
    Context, Decide, Event, EventSet, Events, Projection, Recorded, Result, Tags, View, events, tags,
};
use serde::{Deserialize, Serialize};

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.deposited", tags(account))]
pub(crate) struct Deposited {
    pub(crate) account: u64,
    pub(crate) amount: u64,
}

#[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[event(name = "account.withdrawn", tags(account))]
pub(crate) struct Withdrawn {
    pub(crate) account: u64,
    pub(crate) amount: u64,
}

#[derive(EventSet, Clone, Debug, PartialEq)]
pub(crate) enum AccountEvent {
    Deposited(Deposited),
    Withdrawn(Withdrawn),
}

#[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Balance(pub(crate) u64);

impl View for Balance {
    type Id = u64;
    type Event = AccountEvent;
    const NAME: &'static str = "balance";
    fn tags(account: &u64) -> Result<Tags> {
        tags![account = account]
    }
    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Deposited(event) => self.0 += event.amount,
            AccountEvent::Withdrawn(event) => self.0 -= event.amount,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InsufficientFunds;

impl std::fmt::Display for InsufficientFunds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("insufficient funds")
    }
}

impl std::error::Error for InsufficientFunds {}

pub(crate) struct Deposit {
    pub(crate) account: u64,
    pub(crate) amount: u64,
}

impl Decide for Deposit {
    type Model = ();
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) {}
    fn decide(&self, (): &(), _: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        let (account, amount) = (self.account, self.amount);
        Ok(events![Deposited { account, amount }])
    }
}

pub(crate) struct Withdraw {
    pub(crate) account: u64,
    pub(crate) amount: u64,
}

impl Decide for Withdraw {
    type Model = Balance;
    type Event = AccountEvent;
    type Error = InsufficientFunds;
    fn boundary(&self) -> u64 {
        self.account
    }
    fn decide(&self, balance: &Balance, _: &Context) -> Result<Events<AccountEvent>, InsufficientFunds> {
        if balance.0 < self.amount {
            return Err(InsufficientFunds);
        }
        let (account, amount) = (self.account, self.amount);
        Ok(events![Withdrawn { account, amount }])
    }
}

pub(crate) struct Balances;

impl Projection for Balances {
    type Event = AccountEvent;
    type Key = u64;
    type Document = u64;
    const NAME: &'static str = "balances";
    fn keys(&self, recorded: &Recorded<AccountEvent>) -> Vec<u64> {
        match &recorded.event {
            AccountEvent::Deposited(event) => vec![event.account],
            AccountEvent::Withdrawn(event) => vec![event.account],
        }
    }
    fn apply(&self, _: &u64, balance: Option<u64>, recorded: &Recorded<AccountEvent>) -> Option<u64> {
        let balance = balance.unwrap_or(0);
        match &recorded.event {
            AccountEvent::Deposited(event) => Some(balance + event.amount),
            AccountEvent::Withdrawn(event) => Some(balance - event.amount),
        }
    }
}
