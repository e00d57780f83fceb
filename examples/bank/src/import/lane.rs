//! One lane of an import: rows of some accounts, one after the other. It knows no file and no other lane.

use std::collections::HashSet;

use anyhow::{anyhow, bail};
use factlog::{App, Decide, ExecuteError, Position};
use tokio::sync::mpsc::Receiver;

use super::movement::{Movement, OrRefused};
use crate::domain::{AccountId, BankEvent, Money, Open, Refusal};
use crate::statements::Row;

/// A row that is in the ledger.
#[derive(Clone, Copy, Debug)]
pub(super) struct Booked {
    pub(super) position: Position,
    /// Whether this import put it there.
    pub(super) added: bool,
}

pub(super) struct Lane {
    app: App,
    overdraft_limit: Money,
    opened: HashSet<AccountId>,
    /// Where the rows of this lane are: two rows at one place are one transaction.
    places: HashSet<Position>,
}

impl Lane {
    pub(super) fn new(app: App, overdraft_limit: Money) -> Self {
        Self { app, overdraft_limit, opened: HashSet::new(), places: HashSet::new() }
    }

    /// Books rows until no more come.
    pub(super) async fn run(mut self, mut rows: Receiver<Row>) -> anyhow::Result<Vec<Booked>> {
        let mut booked = Vec::new();
        while let Some(row) = rows.recv().await {
            if !self.opened.contains(&row.account_id) {
                self.open(&row).await?;
                self.opened.insert(row.account_id.clone());
            }
            booked.push(self.book(row).await?);
        }
        Ok(booked)
    }

    /// Opens the account on the day of its first row, unless it is open already.
    async fn open(&self, row: &Row) -> anyhow::Result<()> {
        let account_id = row.account_id.clone();
        let key = format!("statement-account:{account_id}");
        let open = Open { account_id, on: row.date, overdraft_limit: self.overdraft_limit };
        match self.app.execute(open).key(key).await {
            Ok(_) | Err(ExecuteError::Rejected(Refusal::AlreadyOpened { .. })) => Ok(()),
            Err(error) => Err(anyhow!(error).context(format!("account {} cannot be opened", row.account_id))),
        }
    }

    async fn book(&mut self, row: Row) -> anyhow::Result<Booked> {
        let key = format!("statement-row:{}:{}", row.account_id, row.transaction_id);
        match Movement::from(row) {
            Movement::Deposit(command) => self.execute(command, key).await,
            Movement::Withdraw(command) => self.execute(command, key).await,
            Movement::Interest(command) => self.execute(command, key).await,
            Movement::Fee(command) => self.execute(command, key).await,
        }
    }

    /// Books one row under its key: decided once, whenever and however often it is imported.
    async fn execute<C>(&mut self, command: OrRefused<C>, key: String) -> anyhow::Result<Booked>
    where
        C: Decide<Event = BankEvent, Error = Refusal>,
    {
        let outcome = self.app.execute(command).key(key.as_str()).await?;
        let Some(position) = outcome.position else {
            bail!("{key} was decided without a fact");
        };
        if !self.places.insert(position) {
            bail!("{key} is in the file twice; a transaction has one row");
        }
        Ok(Booked { position, added: !outcome.replayed })
    }
}
