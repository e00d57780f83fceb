//! `bank reconcile`: the ledger's running balances against those in a statement file.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use factlog::{App, tags};
use serde_json::json;

use super::answer::{Answer, Table, counted};
use super::args;
use crate::domain::{AccountId, BankEvent, Money};
use crate::ledger::Ledger;
use crate::statements::{Difference, Reconciliation, Row, TOLERANCE, rows};

/// How many differences are listed for people; JSON has them all.
const LISTED: usize = 40;

pub(super) async fn run(data: &Path, args: &args::File) -> anyhow::Result<Answer> {
    let name = args.file.display();
    let file =
        File::open(&args.file).with_context(|| format!("the statement file {name} cannot be opened"))?;
    let rows = rows(file).with_context(|| format!("{name} cannot be compared"))?;
    let ledger = Ledger::open(data)?;
    let found = reconcile(&ledger.app, rows).await.with_context(|| format!("comparing {name} stopped"))?;
    ledger.close(None).await?;
    Ok(answer(&found))
}

/// Compares every row with the running balance of the account's facts, in the order they were recorded.
pub(crate) async fn reconcile(
    app: &App,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
) -> anyhow::Result<Reconciliation> {
    let mut found = Reconciliation::default();
    let mut accounts: HashMap<AccountId, HashMap<String, Money>> = HashMap::new();
    for row in rows {
        let row = row?;
        if !accounts.contains_key(&row.account_id) {
            accounts.insert(row.account_id.clone(), running_balances(app, &row.account_id).await?);
        }
        let balance = accounts[&row.account_id].get(&row.transaction_id);
        found.compare(&row, balance.copied());
    }
    Ok(found)
}

/// The balance of an account after each of the bank's transactions that moved something.
async fn running_balances(app: &App, account: &AccountId) -> anyhow::Result<HashMap<String, Money>> {
    let mut balances = HashMap::new();
    let mut balance = Money::ZERO;
    for fact in app.history::<BankEvent>(tags![account = account]?).await? {
        balance = balance + fact.event.change();
        if let BankEvent::Refused(_) = fact.event {
            continue;
        }
        let transaction = fact.event.booking().and_then(|booking| booking.transaction_id.clone());
        balances.extend(transaction.map(|transaction| (transaction, balance)));
    }
    Ok(balances)
}

fn answer(found: &Reconciliation) -> Answer {
    let off = found.differences();
    let mut text = format!(
        "{} of {}: {} within {TOLERANCE} of the bank's balance, {} farther off on {}.\n",
        counted(found.rows(), "row"),
        counted(found.accounts() as u64, "account"),
        found.equal(),
        off.len(),
        counted(found.accounts_off() as u64, "account"),
    );
    if !off.is_empty() {
        text.push_str(&format!("\n{}", differences(off)));
    }
    if LISTED < off.len() {
        text.push_str(&format!("and {} more; --json lists all\n", off.len() - LISTED));
    }
    let json = json!({
        "rows": found.rows(),
        "equal": found.equal(),
        "accounts": found.accounts(),
        "accounts_off": found.accounts_off(),
        "differences": off,
    });
    Answer { text, json }
}

fn differences(off: &[Difference]) -> String {
    let mut table = Table::new("<<>>>>", &["day", "account", "transaction", "ledger", "bank", "apart"]);
    for row in off.iter().take(LISTED) {
        let apart = row.ledger.map(|ledger| ledger.distance(row.bank));
        let or_missing =
            |amount: Option<Money>| amount.map_or_else(|| "not booked".to_owned(), |it| it.to_string());
        table.row([
            row.date.to_string(),
            row.account.to_string(),
            row.transaction_id.clone(),
            or_missing(row.ledger),
            row.bank.to_string(),
            apart.map_or_else(String::new, |apart| apart.to_string()),
        ]);
    }
    table.text()
}
