//! Booking a statement file: many accounts at a time, one account's rows in file order, every row once.
//!
//! * Every row is one command under its own idempotency key, so an import that was cut off is simply repeated.
//! * A row that breaks a rule is recorded as refused, with the reason; that record is the row's one outcome too.
//! * At most [`LANES`] × [`LANE_ROWS`] rows are in memory, and of every booked row its position.

mod lane;
mod movement;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::Context as _;
use factlog::{App, Position, Tags};
use tokio::sync::mpsc::{Sender, channel};

use crate::domain::{AccountId, Money, MovementRefused};
use crate::statements::Row;
use lane::{Booked, Lane};

/// How many accounts are booked at a time; commits of different lanes share one disk write.
const LANES: usize = 64;
/// How many rows may wait in each lane.
const LANE_ROWS: usize = 64;

/// What became of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Rows in the file.
    pub(crate) rows: u64,
    /// Accounts in the file.
    pub(crate) accounts: BTreeSet<AccountId>,
    /// Rows whose movement is in the ledger.
    pub(crate) accepted: u64,
    /// Rows whose refusal is in the ledger.
    pub(crate) refused: u64,
    /// Rows that were not in the ledger before.
    pub(crate) added: u64,
}

/// Books every row of a statement file. Accounts are opened at their first row, with this overdraft limit.
///
/// # Errors
/// A row that cannot be read, or the store's failure. What was booked until then stays; repeating the import goes
/// on from there.
pub(crate) async fn import(
    app: &App,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    overdraft_limit: Money,
) -> anyhow::Result<Imported> {
    let mut lanes = Vec::with_capacity(LANES);
    let mut booking = Vec::with_capacity(LANES);
    for _ in 0..LANES {
        let (lane, rows) = channel(LANE_ROWS);
        lanes.push(lane);
        booking.push(tokio::spawn(Lane::new(app.clone(), overdraft_limit).run(rows)));
    }
    let mut imported = Imported::default();
    let read = fill(lanes, rows, &mut imported).await;
    let mut booked = Vec::new();
    for lane in booking {
        booked.extend(lane.await.context("a lane of the import panicked")??);
    }
    read?;
    count(app, &booked, imported).await
}

/// Hands every row to its lane, and lets go of the lanes at the end, so that they end too.
async fn fill(
    lanes: Vec<Sender<Row>>,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    imported: &mut Imported,
) -> anyhow::Result<()> {
    for row in rows {
        let row = row?;
        imported.rows += 1;
        imported.accounts.insert(row.account_id.clone());
        if lanes[lane_of(&row.account_id)].send(row).await.is_err() {
            break; // The lane has failed, and says why when it is joined.
        }
    }
    Ok(())
}

/// All rows of an account take the same lane, which keeps their order.
fn lane_of(account: &AccountId) -> usize {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    (hasher.finish() % LANES as u64) as usize
}

/// Which of the recorded outcomes are refusals: asked of the facts, since a repeated row was decided long ago.
async fn count(app: &App, booked: &[Booked], mut imported: Imported) -> anyhow::Result<Imported> {
    let refusals = app.history::<MovementRefused>(Tags::NONE).await?;
    let refused: HashSet<Position> = refusals.iter().map(|refusal| refusal.position).collect();
    imported.refused = booked.iter().filter(|row| refused.contains(&row.position)).count() as u64;
    imported.accepted = booked.len() as u64 - imported.refused;
    imported.added = booked.iter().filter(|row| row.added).count() as u64;
    Ok(imported)
}
