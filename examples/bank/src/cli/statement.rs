//! `bank statement`: the months of an account in sums, or one month line by line.

use std::path::Path;

use serde_json::json;

use super::answer::{Answer, Table};
use super::args::Statement;
use crate::domain::{AccountId, Money};
use crate::ledger::{Ledger, NotFound, ReadModels};
use crate::read_models::{AccountMonth, Month};

pub(super) async fn run(data: &Path, args: Statement) -> anyhow::Result<Answer> {
    let ledger = Ledger::open(data)?;
    let models = ledger.read_models().await?;
    let answer = of(&models, &args).await;
    ledger.close(Some(models)).await?;
    answer
}

/// What the read models say.
pub(super) async fn of(models: &ReadModels, args: &Statement) -> anyhow::Result<Answer> {
    models.account(&args.account).await?;
    let months = models.months_of(&args.account).await?;
    match &args.month {
        None => Ok(sums(&args.account, &months)),
        Some(month) => lines(&args.account, month.as_str(), &months),
    }
}

fn sums(account: &AccountId, months: &[(AccountMonth, Month)]) -> Answer {
    let mut table = Table::new("<>>>>", &["month", "before", "credits", "debits", "after"]);
    let mut entries = Vec::new();
    let mut balance = Money::ZERO;
    for (key, month) in months {
        let before = balance;
        balance = balance + month.change();
        let cells = [before, month.credits, month.debits, balance].map(|amount| amount.to_string());
        let [opening, credits, debits, closing] = cells;
        entries.push(json!({
            "month": key.month, "before": before, "credits": month.credits, "debits": month.debits, "after": balance,
        }));
        table.row([key.month.clone(), opening, credits, debits, closing]);
    }
    let text = format!("Statements of account {account}\n\n{}", table.text());
    Answer { text, json: json!({ "account": account, "months": entries }) }
}

fn lines(account: &AccountId, wanted: &str, months: &[(AccountMonth, Month)]) -> anyhow::Result<Answer> {
    let Some((_, month)) = months.iter().find(|(key, _)| key.month == wanted) else {
        let message = format!(
            "account {account} has nothing booked in {wanted}; `bank statement {account}` lists its months"
        );
        return Err(NotFound(message).into());
    };
    let earlier = months.iter().take_while(|(key, _)| key.month.as_str() < wanted);
    let before: Money = earlier.map(|(_, month)| month.change()).sum();
    let mut table = Table::new("<>><<", &["day", "change", "balance", "what", ""]);
    let mut entries = Vec::new();
    let mut balance = before;
    for line in &month.lines {
        balance = balance + line.change;
        let amount = if line.change == Money::ZERO { String::new() } else { line.change.to_string() };
        table.row([line.on.to_string(), amount, balance.to_string(), line.kind.clone(), line.detail.clone()]);
        entries.push(json!({
            "position": line.position, "on": line.on, "kind": line.kind, "change": line.change,
            "balance": balance, "detail": line.detail,
        }));
    }
    let text = format!(
        "Account {account}, {wanted}\n\nbefore: {before}\n\n{}\nafter: {balance} (credits {}, debits {})\n",
        table.text(),
        month.credits,
        month.debits,
    );
    let json = json!({
        "account": account, "month": wanted, "before": before, "credits": month.credits, "debits": month.debits,
        "after": balance, "lines": entries,
    });
    Ok(Answer { text, json })
}
