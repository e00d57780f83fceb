//! What the bank does not allow, as pure functions over what a decision has read. They know no store and no clock.

use jiff::civil::Date;

use super::account::Standing;
use super::{AccountId, Money};

/// Why the bank refuses. The sentence is for people; [`Refusal::rule`] is the name that is recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing happens on an account that does not exist.
    #[error("account {account} was never opened; open it first")]
    NotOpened {
        /// The account that is missing.
        account: AccountId,
    },
    /// An account is opened once, also when it was closed since.
    #[error("account {account} is already opened; choose another number")]
    AlreadyOpened {
        /// The account that exists.
        account: AccountId,
    },
    /// Nothing moves on a closed account.
    #[error("account {account} was closed on {on}; nothing moves on it any more")]
    Closed {
        /// The account.
        account: AccountId,
        /// The day it was closed.
        on: Date,
    },
    /// A movement moves something, in the direction its name says.
    #[error("{amount} is not more than nothing; give a positive amount")]
    NotPositive {
        /// What was asked for.
        amount: Money,
    },
    /// A bound, so that no sum of an account can overflow.
    #[error("{amount} is more than one movement may move, {max}; split it", max = Money::MOVEMENT_MAX)]
    TooLarge {
        /// What was asked for.
        amount: Money,
    },
    /// An overdraft limit is how far below zero a balance may go, so it is not negative itself.
    #[error("an overdraft limit of {limit} is not between 0.00 and {max}", max = Money::MOVEMENT_MAX)]
    BadLimit {
        /// What was asked for.
        limit: Money,
    },
    /// The balance would fall below what was agreed.
    #[error("account {account} has {available} available, limit included; {amount} cannot be taken")]
    InsufficientFunds {
        /// The account to be debited.
        account: AccountId,
        /// Balance and overdraft limit together.
        available: Money,
        /// What was asked for.
        amount: Money,
    },
    /// A transfer needs two accounts.
    #[error("account {account} cannot transfer to itself; name another account")]
    SameAccount {
        /// The account named twice.
        account: AccountId,
    },
}

impl Refusal {
    /// The rule's name as it is recorded: never renamed.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::NotOpened { .. } => "not-opened",
            Self::AlreadyOpened { .. } => "already-opened",
            Self::Closed { .. } => "closed",
            Self::NotPositive { .. } => "not-positive",
            Self::TooLarge { .. } => "too-large",
            Self::BadLimit { .. } => "bad-limit",
            Self::InsufficientFunds { .. } => "insufficient-funds",
            Self::SameAccount { .. } => "same-account",
        }
    }
}

/// An account can be opened if nobody opened it before.
pub(super) fn can_open(account: &AccountId, standing: Standing) -> Result<(), Refusal> {
    match standing {
        Standing::Unknown => Ok(()),
        Standing::Open | Standing::Closed { .. } => Err(Refusal::AlreadyOpened { account: account.clone() }),
    }
}

/// Something can move on an account that is open.
pub(super) fn can_move(account: &AccountId, standing: Standing) -> Result<(), Refusal> {
    let account = account.clone();
    match standing {
        Standing::Open => Ok(()),
        Standing::Unknown => Err(Refusal::NotOpened { account }),
        Standing::Closed { on } => Err(Refusal::Closed { account, on }),
    }
}

/// An amount that one movement may move.
pub(super) fn can_be_moved(amount: Money) -> Result<(), Refusal> {
    if !amount.is_positive() {
        return Err(Refusal::NotPositive { amount });
    }
    if Money::MOVEMENT_MAX < amount {
        return Err(Refusal::TooLarge { amount });
    }
    Ok(())
}

/// A limit that can be agreed.
pub(super) fn can_be_agreed(limit: Money) -> Result<(), Refusal> {
    if limit < Money::ZERO || Money::MOVEMENT_MAX < limit {
        return Err(Refusal::BadLimit { limit });
    }
    Ok(())
}

/// What is available, the overdraft limit included, covers what is taken.
pub(super) fn can_take(account: &AccountId, available: Money, amount: Money) -> Result<(), Refusal> {
    if available < amount {
        let account = account.clone();
        return Err(Refusal::InsufficientFunds { account, available, amount });
    }
    Ok(())
}
