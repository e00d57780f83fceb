//! The bank's statement files: reading them and comparing them with the ledger.

mod reconcile;
mod row;

pub(crate) use reconcile::{Difference, Reconciliation, TOLERANCE};
pub(crate) use row::{Direction, Row, rows};
