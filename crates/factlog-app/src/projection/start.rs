//! Starting a projection of any shape.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{QueryItem, Result};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use xxhash_rust::xxh3::xxh3_64;

use super::ProjectionStatus;
use super::board::Board;
use super::debts::Debts;
use super::effects::{Dispatcher, Effects};
use super::generations;
use super::operations::{Operations, parked_in};
use super::settings::Settings;
use super::shared::Shared;
use super::supervisor::{Running, Supervisor};
use super::target::Target;
use super::waits::Halt;
use crate::view::{event_types, query_of};
use crate::{App, EventSet};

/// Orders that wait at most; the next caller waits.
const ORDERS_MAX: usize = 8;

/// How a projection is to be run.
pub(super) struct Run {
    pub(super) settings: Settings,
    pub(super) lease: Option<Duration>,
    pub(super) effects: Option<Arc<dyn Effects>>,
    /// Where side effects begin if nothing is kept yet; `None` where it was not said.
    pub(super) begin: Option<Debts>,
}

pub(super) fn start<T: Target>(app: &App, target: T, run: Run) -> Result<Operations> {
    run.settings.validate()?;
    let target = Arc::new(target);
    let (owner, clock) = (app.ids().next().to_string(), app.clock_shared());
    let fingerprint = fingerprint::<T>();
    let opened = generations::open(&*target, &fingerprint, &owner, run.begin.as_ref(), clock.now())?;
    let types = event_types::<T::Event>()?;
    let query = query_of(vec![QueryItem::of_types(types.clone())]).expect("one item is a query");
    let (status, watched) = watch::channel(ProjectionStatus::first(T::NAME, T::VERSION, opened.because));
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    let rows = target.clone();
    let operations = Operations {
        name: T::NAME,
        status: watched,
        orders,
        rows: Arc::new(move || parked_in(|prefix, limit| rows.rows(prefix, limit))),
        clock: clock.clone(),
        store: Arc::downgrade(app.store()),
    };
    let shared = Arc::new(Shared {
        target: target.clone(),
        store: app.store().clone(),
        clock,
        query,
        types: Arc::new(types.into_iter().collect()),
        lease: run.lease,
        owner: owner.clone(),
        settings: run.settings,
        supervisor: Arc::new(Halt::default()),
        fingerprint,
        status,
        board: Mutex::new(Board::default()),
    });
    shared.look()?;
    let runtime = Handle::try_current().ok();
    let dispatcher = match run.effects {
        None => None,
        Some(effects) => {
            let clock = shared.clock.clone();
            let (dispatcher, shared) = (Dispatcher { target, effects, owner, clock }, shared.clone());
            let name = format!("effects {}", T::NAME);
            Some(Running::start(&name, runtime.clone(), move |halt| {
                Supervisor::dispatch(&halt, &dispatcher, &shared);
            })?)
        }
    };
    let supervisor = Supervisor {
        shared,
        orders: received,
        runtime: runtime.clone(),
        workers: BTreeMap::new(),
        dispatcher,
        verifier: None,
        waiting: Vec::new(),
        asked: 0,
    };
    supervisor.start(runtime)?;
    Ok(operations)
}

/// A hash of the names and versions of the events a projection folds. With another set an old checkpoint would
/// have passed events that now concern it.
fn fingerprint<T: Target>() -> String {
    let set = format!("{:?}{:?}", T::Event::SCHEMAS, T::Event::NAMES);
    format!("{:016x}", xxh3_64(set.as_bytes()))
}
