//! `bank balance`: what an account holds now, held at a past day, or was known to hold at a past moment.

use std::path::Path;

use factlog::{AsOf, Position};
use serde_json::json;

use super::answer::Answer;
use super::args::{Balance, KnownAt};
use crate::domain::{Days, Money};
use crate::ledger::{Ledger, unknown_account};

pub(super) async fn run(data: &Path, args: Balance) -> anyhow::Result<Answer> {
    let ledger = Ledger::open(data)?;
    let (balance, position) = match (args.at, args.known_at) {
        (None, None) => now(&ledger, &args).await?,
        _ => then(&ledger, &args).await?,
    };
    ledger.close(None).await?;
    let mut text = format!("account {}: {balance}", args.account);
    if let Some(day) = args.at {
        text.push_str(&format!(" at the end of {day}"));
    }
    match args.known_at {
        Some(KnownAt::Position(position)) => text.push_str(&format!(", as known at position {position}")),
        Some(KnownAt::Time(time)) => text.push_str(&format!(", as known at {time}")),
        None => {}
    }
    let json = json!({
        "account": args.account,
        "balance": balance,
        "at": args.at,
        "known_at": args.known_at,
        "position": position.map(Position::get),
    });
    Ok(Answer { text: text + "\n", json })
}

/// The balance now is in the read model.
async fn now(ledger: &Ledger, args: &Balance) -> anyhow::Result<(Money, Option<Position>)> {
    let models = ledger.read_models().await?;
    let account = models.account(&args.account).await?;
    let position = models.balances.checkpoint();
    models.stop().await?;
    Ok((account.balance, position))
}

/// Any other is a fold over the facts: those known then, of which those count that are booked by that day.
async fn then(ledger: &Ledger, args: &Balance) -> anyhow::Result<(Money, Option<Position>)> {
    let load = ledger.app.load::<Days>(&args.account);
    let days = match args.known_at {
        None => load.await?,
        Some(KnownAt::Position(position)) => load.at(AsOf::Position(position)).await?,
        Some(KnownAt::Time(time)) => load.at(AsOf::Time(time)).await?,
    };
    if days.state.is_empty() && ledger.app.load::<Days>(&args.account).await?.state.is_empty() {
        return Err(unknown_account(&args.account).into());
    }
    Ok((days.state.balance(args.at), days.position))
}
