//! What questions are answered from: balances and monthly statements, kept up to date in SQLite by the facts.
//! They can be thrown away at any time and decide nothing.

mod balances;
mod months;

pub(crate) use balances::{AccountBalance, Balances};
pub(crate) use months::{AccountMonth, Month, Months};
