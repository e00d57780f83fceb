//! `bank history`: the facts of an account as they are recorded.

use std::path::Path;

use factlog::{EventSet as _, tags};
use serde_json::{Value, json};

use super::answer::{Answer, Table};
use super::args::Account;
use crate::domain::{BankEvent, Money};
use crate::ledger::{Ledger, unknown_account};

pub(super) async fn run(data: &Path, args: Account) -> anyhow::Result<Answer> {
    let ledger = Ledger::open(data)?;
    let account = &args.account;
    let facts = ledger.app.history::<BankEvent>(tags![account = account]?).await?;
    ledger.close(None).await?;
    if facts.is_empty() {
        return Err(unknown_account(account).into());
    }
    let mut table = Table::new(">><>><", &["position", "revision", "day", "change", "balance", "fact"]);
    let mut entries = Vec::new();
    let mut balance = Money::ZERO;
    for fact in &facts {
        let (event, stored) = (&fact.event, fact.event.encode()?);
        let data: Value = serde_json::from_slice(&stored.data)?;
        let change = event.change();
        balance = balance + change;
        let revision = fact.revision.map(|revision| revision.get());
        table.row([
            fact.position.to_string(),
            revision.map_or_else(String::new, |revision| revision.to_string()),
            event.on().to_string(),
            if change == Money::ZERO { String::new() } else { change.to_string() },
            balance.to_string(),
            format!("{} {}", stored.name, event.detail()),
        ]);
        entries.push(json!({
            "position": fact.position.get(),
            "revision": revision,
            "recorded_at": fact.recorded_at.to_string(),
            "id": fact.id.to_string(),
            "type": stored.name,
            "data": data,
            "balance": balance,
        }));
    }
    let text = format!("Facts of account {account}\n\n{}", table.text());
    Ok(Answer { text, json: json!({ "account": account, "facts": entries }) })
}
