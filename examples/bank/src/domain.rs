//! The bank itself: money, facts, rules, decisions. It knows no file, no command line and no concrete store.

mod account;
mod commands;
mod events;
mod ids;
mod money;
mod rules;
#[cfg(test)]
mod tests;
mod wording;

pub use account::{Days, Funds, FundsEvent, Standing, StandingEvent};
pub use commands::{ChargeFee, Close, CollectInterest, Deposit, Open, Transfer, Withdraw};
pub use events::{
    AccountClosed, AccountOpened, BankEvent, Booking, FeeCharged, FeeKind, InterestCollected, MoneyDeposited,
    MoneyWithdrawn, MovementRefused, Partner, TransferReceived, TransferSent,
};
pub use ids::{AccountId, AccountIdError};
pub use money::{Money, MoneyError};
pub use rules::Refusal;
