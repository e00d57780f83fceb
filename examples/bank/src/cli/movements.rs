//! `bank open`, `deposit`, `withdraw`, `transfer`, `interest`, `fee`, `close`: one command each, one decision each.

use std::path::Path;

use anyhow::anyhow;
use factlog::{Clock as _, Decide, ExecuteError, Outcome, Position, SystemClock};
use jiff::civil::Date;
use serde_json::json;

use super::answer::Answer;
use super::args::{self, Booked};
use crate::domain::{
    AccountId, BankEvent, Booking, ChargeFee, Close, CollectInterest, Deposit, Money, Open, Refusal,
    Transfer, Withdraw,
};
use crate::ledger::Ledger;

pub(super) async fn open(data: &Path, args: args::Open) -> anyhow::Result<Answer> {
    let account_id = args.account.clone();
    let open = Open { account_id, on: day(&args.booked)?, overdraft_limit: args.overdraft_limit };
    let ledger = Ledger::open_or_create(data)?;
    let said = format!("opened account {} with an overdraft limit of {}", args.account, args.overdraft_limit);
    execute(ledger, open, args.booked.key, &said, &[&args.account]).await
}

pub(super) async fn deposit(data: &Path, args: args::Movement) -> anyhow::Result<Answer> {
    let (account_id, amount, booking) = movement(&args)?;
    let said = format!("deposited {amount} on account {account_id}");
    execute_movement(data, Deposit { account_id, amount, booking }, args, &said).await
}

pub(super) async fn withdraw(data: &Path, args: args::Movement) -> anyhow::Result<Answer> {
    let (account_id, amount, booking) = movement(&args)?;
    let said = format!("withdrew {amount} from account {account_id}");
    execute_movement(data, Withdraw { account_id, amount, booking }, args, &said).await
}

pub(super) async fn interest(data: &Path, args: args::Movement) -> anyhow::Result<Answer> {
    let (account_id, amount, booking) = movement(&args)?;
    let said = format!("credited interest of {amount} to account {account_id}");
    execute_movement(data, CollectInterest { account_id, amount, booking }, args, &said).await
}

pub(super) async fn fee(data: &Path, args: args::Fee) -> anyhow::Result<Answer> {
    let (account_id, amount, booking) = movement(&args.movement)?;
    let said = format!("charged {amount} to account {account_id}");
    let charge = ChargeFee { account_id, amount, kind: args.kind.into(), booking };
    execute_movement(data, charge, args.movement, &said).await
}

pub(super) async fn transfer(data: &Path, args: args::Transfer) -> anyhow::Result<Answer> {
    let args::Transfer { from, to, amount, booked } = args;
    let booking = Booking::on(day(&booked)?);
    let transfer = Transfer { from: from.clone(), to: to.clone(), amount, booking };
    let said = format!("transferred {amount} from account {from} to account {to}");
    execute(Ledger::open(data)?, transfer, booked.key, &said, &[&from, &to]).await
}

pub(super) async fn close(data: &Path, args: args::Close) -> anyhow::Result<Answer> {
    let close = Close { account_id: args.account.clone(), on: day(&args.booked)? };
    let said = format!("closed account {}", args.account);
    execute(Ledger::open(data)?, close, args.booked.key, &said, &[&args.account]).await
}

fn movement(args: &args::Movement) -> anyhow::Result<(AccountId, Money, Booking)> {
    Ok((args.account.clone(), args.amount, Booking::on(day(&args.booked)?)))
}

/// The day a movement is booked on: the one given, or today in UTC.
fn day(booked: &Booked) -> anyhow::Result<Date> {
    day_or_today(booked.on)
}

pub(super) fn day_or_today(on: Option<Date>) -> anyhow::Result<Date> {
    if let Some(day) = on {
        return Ok(day);
    }
    let now = jiff::Timestamp::from_microsecond(SystemClock.now().as_micros())?;
    Ok(jiff::tz::Offset::UTC.to_datetime(now).date())
}

async fn execute_movement<C>(
    data: &Path,
    command: C,
    args: args::Movement,
    said: &str,
) -> anyhow::Result<Answer>
where
    C: Decide<Event = BankEvent, Error = Refusal>,
{
    execute(Ledger::open(data)?, command, args.booked.key, said, &[&args.account]).await
}

/// Executes a command and answers with the balances it led to, which the read models show once they have seen it.
async fn execute<C>(
    ledger: Ledger,
    command: C,
    key: Option<String>,
    said: &str,
    accounts: &[&AccountId],
) -> anyhow::Result<Answer>
where
    C: Decide<Event = BankEvent, Error = Refusal>,
{
    let pending = ledger.app.execute(command);
    let pending = match key {
        Some(key) => pending.key(format!("command:{key}")),
        None => pending,
    };
    let outcome = match pending.await {
        Ok(outcome) => outcome,
        Err(error) => {
            ledger.close(None).await?;
            return Err(refused(error));
        }
    };
    let models = ledger.read_models().await?;
    let mut balances = Vec::new();
    for id in accounts {
        balances.push((*id, models.account(id).await?.balance));
    }
    ledger.close(Some(models)).await?;
    Ok(answer(said, &outcome, &balances))
}

/// A refusal speaks for itself; any other error keeps its cause.
fn refused(error: ExecuteError<Refusal>) -> anyhow::Error {
    match error {
        ExecuteError::Rejected(refusal) => anyhow::Error::new(refusal).context("refused"),
        error => anyhow!(error),
    }
}

fn answer(said: &str, outcome: &Outcome, balances: &[(&AccountId, Money)]) -> Answer {
    let position = outcome.position.map(Position::get);
    let place = Position::number(outcome.position);
    let mut text = if outcome.replayed {
        format!("this key was answered before, at position {place}; nothing is booked again\n")
    } else {
        format!("{said} (position {place})\n")
    };
    let mut accounts = Vec::new();
    for (account, balance) in balances {
        text.push_str(&format!("balance of account {account}: {balance}\n"));
        accounts.push(json!({ "account": account, "balance": balance }));
    }
    let json = json!({ "position": position, "replayed": outcome.replayed, "accounts": accounts });
    Answer { text, json }
}
