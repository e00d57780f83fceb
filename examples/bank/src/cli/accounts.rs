//! `bank accounts`: all accounts with their balances.

use std::path::Path;

use serde_json::json;

use super::answer::{Answer, Table};
use crate::domain::Money;
use crate::ledger::Ledger;

pub(super) async fn run(data: &Path) -> anyhow::Result<Answer> {
    let ledger = Ledger::open(data)?;
    let models = ledger.read_models().await?;
    let accounts = models.accounts().await?;
    ledger.close(Some(models)).await?;
    let mut table = Table::new("<>>>><", &["account", "balance", "limit", "movements", "refused", ""]);
    let mut entries = Vec::new();
    for (id, account) in &accounts {
        table.row([
            id.to_string(),
            account.balance.to_string(),
            account.overdraft_limit.to_string(),
            account.movements.to_string(),
            account.refused.to_string(),
            account.closed.map_or_else(String::new, |on| format!("closed {on}")),
        ]);
        entries.push(json!({
            "account": id, "balance": account.balance, "overdraft_limit": account.overdraft_limit,
            "movements": account.movements, "refused": account.refused, "closed": account.closed,
        }));
    }
    let total: Money = accounts.iter().map(|(_, account)| account.balance).sum();
    let text = format!("{}\n{} accounts, {total} in sum\n", table.text(), accounts.len());
    Ok(Answer { text, json: json!({ "accounts": entries, "total_balance": total }) })
}
