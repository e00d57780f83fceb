//! `bank import`: books a statement file and says what became of its rows.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use super::answer::{Answer, counted};
use super::args::Import;
use super::progress::Progress;
use crate::domain::Money;
use crate::import::import;
use crate::ledger::Ledger;
use crate::statements::rows;

pub(super) async fn run(data: &Path, args: &Import) -> anyhow::Result<Answer> {
    let name = args.file.display();
    let file =
        File::open(&args.file).with_context(|| format!("the statement file {name} cannot be opened"))?;
    let progress = Progress::start("importing", file.metadata().map_or(0, |about| about.len()));
    // The file first: what is no statement must not leave an empty ledger behind.
    let rows = rows(progress.watch(file)).with_context(|| format!("{name} cannot be booked"))?;
    let ledger = Ledger::open_or_create(data)?;
    let imported = import(&ledger.app, rows, args.overdraft_limit).await.with_context(|| {
        format!(
            "importing {name} stopped; what was booked stays, and the same import again goes on from there"
        )
    })?;
    let models = ledger.read_models().await?;
    progress.finish();
    let accounts = models.accounts().await?;
    let of_file = accounts.iter().filter(|(id, _)| imported.accounts.contains(id));
    let total: Money = of_file.map(|(_, account)| account.balance).sum();
    ledger.close(Some(models)).await?;

    let (rows, count) = (imported.rows, imported.accounts.len() as u64);
    let text = format!(
        "{} of {}: {} accepted, {} refused and recorded as such; {} new to the ledger.\n\
         The balances of these accounts sum to {total}.\n",
        counted(rows, "row"),
        counted(count, "account"),
        imported.accepted,
        imported.refused,
        imported.added,
    );
    let json = json!({
        "rows": rows,
        "accounts": count,
        "accepted": imported.accepted,
        "refused": imported.refused,
        "added": imported.added,
        "total_balance": total,
    });
    Ok(Answer { text, json })
}
