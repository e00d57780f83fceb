//! A ledger on a directory: the store, the application over it, its read models. It knows no rule and no command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use factlog::engine::Settings;
use factlog::{App, Engine, EventStore as _, OnTimeout, Position, Projection, ReadModel};

use crate::domain::AccountId;
use crate::read_models::{AccountBalance, AccountMonth, Balances, Month, Months};

/// How long a read model may stand still before it is given up.
const ADVANCES_WITHIN: Duration = Duration::from_secs(30);

/// An open ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) app: App,
    pub(crate) engine: Engine,
    directory: PathBuf,
}

/// There is nothing of that name.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotFound(pub(crate) String);

impl Ledger {
    /// Opens the ledger of a directory, a new one if there is none.
    pub(crate) fn open_or_create(directory: &Path) -> anyhow::Result<Self> {
        let engine = Engine::open(directory, Settings::default())
            .with_context(|| format!("the ledger in {} cannot be opened", directory.display()))?;
        Ok(Self { app: App::new(engine.clone()), engine, directory: directory.to_owned() })
    }

    /// Opens the ledger of a directory that has one, so that a mistyped directory is not answered as an empty bank.
    pub(crate) fn open(directory: &Path) -> anyhow::Result<Self> {
        Self::open_or_create(log_directory(directory)?)
    }

    /// The read models, with everything in them that is recorded by now. Each has a file of its own, so that neither
    /// waits for the other to write.
    pub(crate) async fn read_models(&self) -> anyhow::Result<ReadModels> {
        let files = self.directory.join("read-models");
        std::fs::create_dir_all(&files).with_context(|| format!("{} cannot be created", files.display()))?;
        let models = ReadModels {
            balances: self.app.project(Balances).sqlite(files.join("balances.sqlite")).start()?,
            months: self.app.project(Months).sqlite(files.join("months.sqlite")).start()?,
        };
        self.catch_up(&models).await?;
        Ok(models)
    }

    /// Waits until the read models have seen everything that is recorded by now.
    pub(crate) async fn catch_up(&self, models: &ReadModels) -> anyhow::Result<()> {
        let head = self.app.store().head().await?.position;
        caught_up(&models.balances, head).await?;
        caught_up(&models.months, head).await
    }

    /// Finishes what is running and lets the directory go.
    pub(crate) async fn close(self, models: Option<ReadModels>) -> anyhow::Result<()> {
        if let Some(models) = models {
            models.stop().await?;
        }
        self.app.store().close().await?;
        Ok(())
    }
}

/// The running read models.
#[derive(Clone, Debug)]
pub(crate) struct ReadModels {
    pub(crate) balances: ReadModel<Balances>,
    pub(crate) months: ReadModel<Months>,
}

impl ReadModels {
    /// How an account stands.
    ///
    /// # Errors
    /// [`NotFound`] for an account that nothing is known of.
    pub(crate) async fn account(&self, id: &AccountId) -> anyhow::Result<AccountBalance> {
        let account = self.balances.get(id).await?;
        account.ok_or_else(|| unknown_account(id).into())
    }

    /// The monthly statements of an account, in order.
    pub(crate) async fn months_of(&self, id: &AccountId) -> anyhow::Result<Vec<(AccountMonth, Month)>> {
        let mut months = self.months.scan(|key| key.account == *id).await?;
        months.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(months)
    }

    /// Every month of every account, in order.
    pub(crate) async fn all_months(&self) -> anyhow::Result<Vec<(AccountMonth, Month)>> {
        let mut months = self.months.all().await?;
        months.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(months)
    }

    /// All accounts, in order.
    pub(crate) async fn accounts(&self) -> anyhow::Result<Vec<(AccountId, AccountBalance)>> {
        let mut accounts = self.balances.all().await?;
        accounts.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(accounts)
    }

    /// Ends the threads that keep them up to date; what they hold stays.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.balances.stop().await?;
        self.months.stop().await?;
        Ok(())
    }
}

/// Waits for one read model, however far it has to come, as long as it advances.
async fn caught_up<P: Projection>(model: &ReadModel<P>, head: Option<Position>) -> anyhow::Result<()> {
    loop {
        let before = model.checkpoint();
        if !model.at_least(head, ADVANCES_WITHIN, OnTimeout::Stale).await?.stale {
            return Ok(());
        }
        if model.checkpoint() == before {
            // It stands still: what this answers is the error that says so.
            model.at_least(head, Duration::ZERO, OnTimeout::Error).await?;
        }
    }
}

/// There is no such account.
pub(crate) fn unknown_account(id: &AccountId) -> NotFound {
    NotFound(format!("account {id} is not in this ledger; `bank accounts` lists those that are"))
}

/// The directory of an existing log.
///
/// # Errors
/// [`NotFound`] where there is none.
pub(crate) fn log_directory(directory: &Path) -> anyhow::Result<&Path> {
    let has_files = std::fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some());
    if !has_files {
        bail!(NotFound(format!(
            "there is no ledger in {}; name another directory with --data, or begin one with `bank open` or \
             `bank import`",
            directory.display()
        )));
    }
    Ok(directory)
}
