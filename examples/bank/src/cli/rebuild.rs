//! `bank rebuild`: builds the read models again from the facts and says whether they are what they were.

use std::path::Path;

use anyhow::bail;
use serde_json::json;

use super::answer::Answer;
use crate::ledger::Ledger;

pub(super) async fn run(data: &Path) -> anyhow::Result<Answer> {
    let ledger = Ledger::open(data)?;
    let models = ledger.read_models().await?;
    let before = (models.accounts().await?, models.all_months().await?);
    models.balances.rebuild().await?;
    models.months.rebuild().await?;
    ledger.catch_up(&models).await?;
    let after = (models.accounts().await?, models.all_months().await?);
    ledger.close(Some(models)).await?;
    let (accounts, months) = (after.0.len(), after.1.len());
    if before != after {
        bail!(
            "the read models were not what the facts say; they are now ({accounts} accounts, {months} months). \
             A fold has changed without a new version, or the file was edited"
        );
    }
    let text =
        format!("rebuilt {accounts} accounts and {months} months from the facts: equal to what was there\n");
    Ok(Answer { text, json: json!({ "accounts": accounts, "months": months, "equal": true }) })
}
