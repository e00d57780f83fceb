//! The facts of the ledger. Their names and fields are what is stored: they are never renamed, only added to.

use factlog::{Event, EventSet};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{AccountId, Money};

/// An account came into being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "account.opened", tags(account = account_id), stream = "account-{account_id}")]
pub struct AccountOpened {
    /// The new account.
    pub account_id: AccountId,
    /// The day it was opened on.
    pub on: Date,
    /// How far below zero it may go.
    pub overdraft_limit: Money,
}

/// An account came to its end. Nothing moves on it afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "account.closed", tags(account = account_id), stream = "account-{account_id}")]
pub struct AccountClosed {
    /// The account.
    pub account_id: AccountId,
    /// The day it was closed on.
    pub on: Date,
}

/// Money was paid in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "money.deposited", tags(account = account_id), stream = "account-{account_id}")]
pub struct MoneyDeposited {
    /// The account it was paid into.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts and what the bank noted.
    pub booking: Booking,
}

/// Money was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "money.withdrawn", tags(account = account_id), stream = "account-{account_id}")]
pub struct MoneyWithdrawn {
    /// The account it was taken from.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts and what the bank noted.
    pub booking: Booking,
}

/// Money left for another account of this bank. Always recorded together with [`TransferReceived`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "transfer.sent", tags(account = account_id), stream = "account-{account_id}")]
pub struct TransferSent {
    /// The account that paid.
    pub account_id: AccountId,
    /// The account that received.
    pub to: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts.
    pub booking: Booking,
}

/// Money arrived from another account of this bank. Always recorded together with [`TransferSent`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "transfer.received", tags(account = account_id), stream = "account-{account_id}")]
pub struct TransferReceived {
    /// The account that received.
    pub account_id: AccountId,
    /// The account that paid.
    pub from: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts.
    pub booking: Booking,
}

/// The account earned interest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "interest.collected", tags(account = account_id), stream = "account-{account_id}")]
pub struct InterestCollected {
    /// The account.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts.
    pub booking: Booking,
}

/// The bank charged for something. This may take an account below its limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "fee.charged", tags(account = account_id), stream = "account-{account_id}")]
pub struct FeeCharged {
    /// The account.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// What for.
    pub kind: FeeKind,
    /// When it counts.
    pub booking: Booking,
}

/// A row of a statement file broke a rule. It moved nothing, and it is not forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[event(name = "movement.refused", tags(account = account_id), stream = "account-{account_id}")]
pub struct MovementRefused {
    /// The account.
    pub account_id: AccountId,
    /// What was to happen: `deposit`, `withdrawal`, `interest`, `fee`.
    pub movement: String,
    /// How much.
    pub amount: Money,
    /// The rule's name.
    pub rule: String,
    /// The reason, as a sentence.
    pub reason: String,
    /// When it would have counted and what the bank noted.
    pub booking: Booking,
}

/// What a fee is charged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FeeKind {
    /// Printing a statement, and whatever else has a price.
    Statement,
    /// Interest on a balance below zero.
    SanctionInterest,
}

/// When a movement counts (its valid time, where the store only knows when it learned of it), and what the bank
/// noted about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Booking {
    /// The day it counts on.
    pub on: Date,
    /// The bank's number of the movement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// How: `cash-deposit`, `remittance-out` ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// What for: `pension`, `household` ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The account at another bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<Partner>,
}

/// An account at another bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Partner {
    /// The bank's letters.
    pub bank: Option<String>,
    /// The account there.
    pub account: Option<String>,
}

impl Booking {
    /// A booking of which only the day is known.
    pub fn on(day: Date) -> Self {
        Self { on: day, transaction_id: None, operation: None, purpose: None, partner: None }
    }
}

/// Everything that can have happened to an account.
#[derive(Clone, Debug, PartialEq, Eq, EventSet)]
pub enum BankEvent {
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
    /// See [`MovementRefused`].
    Refused(MovementRefused),
}

impl BankEvent {
    /// The account it happened to.
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Opened(event) => &event.account_id,
            Self::Closed(event) => &event.account_id,
            Self::Deposited(event) => &event.account_id,
            Self::Withdrawn(event) => &event.account_id,
            Self::Sent(event) => &event.account_id,
            Self::Received(event) => &event.account_id,
            Self::Interest(event) => &event.account_id,
            Self::Fee(event) => &event.account_id,
            Self::Refused(event) => &event.account_id,
        }
    }

    /// What the bank noted about it, if it is a movement (also a refused one).
    pub fn booking(&self) -> Option<&Booking> {
        match self {
            Self::Opened(_) | Self::Closed(_) => None,
            Self::Deposited(event) => Some(&event.booking),
            Self::Withdrawn(event) => Some(&event.booking),
            Self::Sent(event) => Some(&event.booking),
            Self::Received(event) => Some(&event.booking),
            Self::Interest(event) => Some(&event.booking),
            Self::Fee(event) => Some(&event.booking),
            Self::Refused(event) => Some(&event.booking),
        }
    }

    /// The day it counts on.
    pub fn on(&self) -> Date {
        match self {
            Self::Opened(event) => event.on,
            Self::Closed(event) => event.on,
            movement => movement.booking().expect("all others are movements").on,
        }
    }

    /// By how much it changed the account's balance.
    pub fn change(&self) -> Money {
        match self {
            Self::Opened(_) | Self::Closed(_) | Self::Refused(_) => Money::ZERO,
            Self::Deposited(event) => event.amount,
            Self::Received(event) => event.amount,
            Self::Interest(event) => event.amount,
            Self::Withdrawn(event) => -event.amount,
            Self::Sent(event) => -event.amount,
            Self::Fee(event) => -event.amount,
        }
    }
}
