//! The bank as others call it: what is sent, and the command or query it becomes. It knows no socket.

use factlog::projection::ProjectionError;
use factlog::service::{Refused, Service};
use factlog::{App, Error};
use jiff::civil::Date;
use serde::Deserialize;

use super::args::Statement;
use super::movements::day_or_today;
use super::statement;
use crate::domain::{AccountId, Booking, Deposit, Money, Open, Refusal, Transfer, Withdraw};
use crate::ledger::{NotFound, ReadModels};

/// `POST /app/bank/open`
#[derive(Deserialize)]
struct ToOpen {
    account: AccountId,
    #[serde(default)]
    overdraft_limit: Money,
    /// Today, unless it is said.
    on: Option<Date>,
}

/// `POST /app/bank/deposit`, `POST /app/bank/withdraw`
#[derive(Deserialize)]
struct Movement {
    account: AccountId,
    amount: Money,
    on: Option<Date>,
}

/// `POST /app/bank/transfer`
#[derive(Deserialize)]
struct ToTransfer {
    from: AccountId,
    to: AccountId,
    amount: Money,
    on: Option<Date>,
}

/// `GET /app/bank/balance?account=42`
#[derive(Deserialize)]
struct OfAccount {
    account: AccountId,
}

/// `GET /app/bank/statement?account=42&month=1994-04`
#[derive(Deserialize)]
struct OfMonth {
    account: AccountId,
    month: Option<String>,
}

/// What the bank does and tells.
pub(crate) fn bank(app: &App, models: &ReadModels) -> Service {
    let (balances, statements) = (models.clone(), models.clone());
    Service::new("bank", app.clone())
        .rule(Refusal::rule)
        .command_from("open", |it: ToOpen, _| {
            Ok(Open { account_id: it.account, on: day(it.on)?, overdraft_limit: it.overdraft_limit })
        })
        .command_from("deposit", |it: Movement, _| {
            Ok(Deposit { account_id: it.account, amount: it.amount, booking: Booking::on(day(it.on)?) })
        })
        .command_from("withdraw", |it: Movement, _| {
            Ok(Withdraw { account_id: it.account, amount: it.amount, booking: Booking::on(day(it.on)?) })
        })
        .command_from("transfer", |it: ToTransfer, _| {
            Ok(Transfer { from: it.from, to: it.to, amount: it.amount, booking: Booking::on(day(it.on)?) })
        })
        .query("balance", [models.balances.operations()], move |of: OfAccount, _| {
            let models = balances.clone();
            async move { models.account(&of.account).await.map_err(refused) }
        })
        .query(
            "statement",
            [models.balances.operations(), models.months.operations()],
            move |of: OfMonth, _| {
                let models = statements.clone();
                async move { month(&models, of.account, of.month).await }
            },
        )
}

async fn month(
    models: &ReadModels,
    account: AccountId,
    month: Option<String>,
) -> Result<serde_json::Value, Refused> {
    let month = month.map(|text| text.parse()).transpose().map_err(|why: String| Refused::invalid(why))?;
    let answer = statement::of(models, &Statement { account, month }).await.map_err(refused)?;
    Ok(answer.json)
}

fn day(on: Option<Date>) -> Result<Date, Refused> {
    day_or_today(on).map_err(refused)
}

/// What is not there is told as that; anything else is a trouble of the bank's.
fn refused(error: anyhow::Error) -> Refused {
    match error.downcast::<NotFound>() {
        Ok(NotFound(what)) => Refused::not_found(what),
        Err(error) => match error.downcast::<ProjectionError>() {
            Ok(error) => error.into(),
            Err(error) => Error::unavailable(error.to_string()).into(),
        },
    }
}
