//! What can be asked of the bank. Each command is its own decision: pure, so that a lost race decides again.

use factlog::{Context, Decide, Events, events};
use jiff::civil::Date;

use super::account::{Funds, Standing};
use super::events::*;
use super::rules::{Refusal, can_be_agreed, can_be_moved, can_move, can_open, can_take};
use super::{AccountId, Money};

type Decision = Result<Events<BankEvent>, Refusal>;

/// Open an account.
#[derive(Clone, Debug)]
pub struct Open {
    /// The new account.
    pub account_id: AccountId,
    /// The day it is opened on.
    pub on: Date,
    /// How far below zero it may go.
    pub overdraft_limit: Money,
}

impl Decide for Open {
    type Model = Standing;
    type Event = BankEvent;
    type Error = Refusal;

    fn boundary(&self) -> AccountId {
        self.account_id.clone()
    }

    fn decide(&self, standing: &Standing, _: &Context) -> Decision {
        can_be_agreed(self.overdraft_limit)?;
        can_open(&self.account_id, *standing)?;
        let Self { account_id, on, overdraft_limit } = self.clone();
        Ok(events![AccountOpened { account_id, on, overdraft_limit }])
    }
}

/// Close an account. What it still holds stays on it; nothing moves any more.
#[derive(Clone, Debug)]
pub struct Close {
    /// The account.
    pub account_id: AccountId,
    /// The day it is closed on.
    pub on: Date,
}

impl Decide for Close {
    type Model = Standing;
    type Event = BankEvent;
    type Error = Refusal;

    fn boundary(&self) -> AccountId {
        self.account_id.clone()
    }

    fn decide(&self, standing: &Standing, _: &Context) -> Decision {
        can_move(&self.account_id, *standing)?;
        Ok(events![AccountClosed { account_id: self.account_id.clone(), on: self.on }])
    }
}

/// Pay money in.
#[derive(Clone, Debug)]
pub struct Deposit {
    /// The account to pay into.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts and what the bank noted.
    pub booking: Booking,
}

impl Decide for Deposit {
    type Model = Standing;
    type Event = BankEvent;
    type Error = Refusal;

    fn boundary(&self) -> AccountId {
        self.account_id.clone()
    }

    fn decide(&self, standing: &Standing, _: &Context) -> Decision {
        can_be_moved(self.amount)?;
        can_move(&self.account_id, *standing)?;
        let Self { account_id, amount, booking } = self.clone();
        Ok(events![MoneyDeposited { account_id, amount, booking }])
    }
}

/// Take money out, within the agreed limit.
#[derive(Clone, Debug)]
pub struct Withdraw {
    /// The account to take from.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts and what the bank noted.
    pub booking: Booking,
}

impl Decide for Withdraw {
    type Model = Funds;
    type Event = BankEvent;
    type Error = Refusal;

    fn boundary(&self) -> AccountId {
        self.account_id.clone()
    }

    fn decide(&self, funds: &Funds, _: &Context) -> Decision {
        can_be_moved(self.amount)?;
        can_move(&self.account_id, funds.standing)?;
        can_take(&self.account_id, funds.available(), self.amount)?;
        let Self { account_id, amount, booking } = self.clone();
        Ok(events![MoneyWithdrawn { account_id, amount, booking }])
    }
}

/// Move money between two accounts: one decision over both, two facts, recorded together or not at all.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The account that pays, within its agreed limit.
    pub from: AccountId,
    /// The account that receives.
    pub to: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts.
    pub booking: Booking,
}

impl Decide for Transfer {
    /// Of the payer everything that moves, of the receiver only whether it is open.
    type Model = (Funds, Standing);
    type Event = BankEvent;
    type Error = Refusal;

    fn boundary(&self) -> (AccountId, AccountId) {
        (self.from.clone(), self.to.clone())
    }

    fn decide(&self, (payer, receiver): &(Funds, Standing), _: &Context) -> Decision {
        if self.from == self.to {
            return Err(Refusal::SameAccount { account: self.from.clone() });
        }
        can_be_moved(self.amount)?;
        can_move(&self.from, payer.standing)?;
        can_move(&self.to, *receiver)?;
        can_take(&self.from, payer.available(), self.amount)?;
        let Self { from, to, amount, booking } = self.clone();
        let sent =
            TransferSent { account_id: from.clone(), to: to.clone(), amount, booking: booking.clone() };
        Ok(events![sent, TransferReceived { account_id: to, from, amount, booking }])
    }
}

/// Credit interest to an account.
#[derive(Clone, Debug)]
pub struct CollectInterest {
    /// The account that earned it.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// When it counts and what the bank noted.
    pub booking: Booking,
}

impl Decide for CollectInterest {
    type Model = Standing;
    type Event = BankEvent;
    type Error = Refusal;

    fn boundary(&self) -> AccountId {
        self.account_id.clone()
    }

    fn decide(&self, standing: &Standing, _: &Context) -> Decision {
        can_be_moved(self.amount)?;
        can_move(&self.account_id, *standing)?;
        let Self { account_id, amount, booking } = self.clone();
        Ok(events![InterestCollected { account_id, amount, booking }])
    }
}

/// Charge a fee or sanction interest. The bank helps itself below any limit, so the balance does not matter.
#[derive(Clone, Debug)]
pub struct ChargeFee {
    /// The account to charge.
    pub account_id: AccountId,
    /// How much.
    pub amount: Money,
    /// What for.
    pub kind: FeeKind,
    /// When it counts and what the bank noted.
    pub booking: Booking,
}

impl Decide for ChargeFee {
    type Model = Standing;
    type Event = BankEvent;
    type Error = Refusal;

    fn boundary(&self) -> AccountId {
        self.account_id.clone()
    }

    fn decide(&self, standing: &Standing, _: &Context) -> Decision {
        can_be_moved(self.amount)?;
        can_move(&self.account_id, *standing)?;
        let Self { account_id, amount, kind, booking } = self.clone();
        Ok(events![FeeCharged { account_id, amount, kind, booking }])
    }
}
