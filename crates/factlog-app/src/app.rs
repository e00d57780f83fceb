//! The app: a store with everything a bounded context needs around it, cheap to clone.
//!
//! It holds no facts of its own; two apps over one store are as right as one. Only commands of one app that lost a
//! race line up for the next attempt.

use std::fmt::Debug;
use std::sync::Arc;

use factlog_core::{Clock, EventId, EventStore, SystemClock};

use crate::cache::{VIEWS, Views};
use crate::contention::Contention;
use crate::lanes::Lanes;
use crate::snapshot::SnapshotCounts;
use crate::{
    BoundaryCounts, Context, Decide, EventSet, Events, Execute, History, Load, Model, Projection, Rule,
    Snapshots, Tags,
};

/// How often a command is decided at most, unless told otherwise.
const ATTEMPTS: u32 = 16;

/// Executes commands, answers from views and runs projections, over one store.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// let app = App::new(MemoryStore::new());
/// app.execute(Raise { counter: 1 }).await?;
/// assert_eq!(app.load::<Counter>(&1).await?.state, Counter(1));
/// let both = app.load::<(Counter, Counter)>(&(1, 2)).await?;
/// assert_eq!(both.state, (Counter(1), Counter(0)));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct App {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    attempts: u32,
    lanes: Lanes,
    snapshots: Option<Snapshots>,
    views: Views,
    contention: Contention,
}

impl App {
    /// On this store, with the system's clock, random ids, 16 attempts, 1,000 views in memory and no snapshots.
    pub fn new(store: impl EventStore) -> Self {
        Self::builder(store).build()
    }

    /// On this store, with components of your own.
    pub fn builder(store: impl EventStore) -> AppBuilder {
        AppBuilder {
            parts: Parts {
                store: Arc::new(store),
                clock: Arc::new(SystemClock),
                ids: Arc::new(NewIds),
                attempts: ATTEMPTS,
                lanes: Lanes::default(),
                snapshots: None,
                views: Views::new(VIEWS),
                contention: Contention::default(),
            },
        }
    }

    /// Decides a command on the facts and records what it decided. Await it, perhaps with a key:
    /// `app.execute(command).key("payment-17").await?`.
    ///
    /// A command that lost a race lines up behind those of this app that lost one on the same facts, and tries
    /// again in its turn. So either go on polling a command that was begun, or drop it.
    pub fn execute<C: Decide>(&self, command: C) -> Execute<C> {
        Execute::new(self.clone(), command)
    }

    /// Decides by a closure on the facts, where a command is too small to have a type of its own. It must be as pure as
    /// [`Decide::decide`], as it may be run again.
    ///
    /// ```
    #[doc = include_str!("docs/counter.txt")]
    /// let app = App::new(MemoryStore::new());
    /// let raise = |counter: &Counter, _: &Context| -> std::result::Result<Events<Raised>, std::fmt::Error> {
    ///     if counter.0 < 1 { Ok(events![Raised { counter: 7 }]) } else { Err(std::fmt::Error) }
    /// };
    /// app.decide(7, raise).key("only-once").await?;
    /// assert!(app.decide(7, raise).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn decide<M, E, X, F>(&self, boundary: M::Id, rule: F) -> Execute<Rule<M, E, X, F>>
    where
        M: Model<Id: Clone>,
        E: EventSet,
        X: std::error::Error + Send + Sync + 'static,
        F: Fn(&M, &Context) -> Result<Events<E>, X> + Send + Sync + 'static,
    {
        self.execute(Rule::new(boundary, rule))
    }

    /// What is so: a view, or a tuple of views from one snapshot. Await it, perhaps as of the past:
    /// `app.load::<Account>(&id).at(AsOf::Position(p)).await?`.
    pub fn load<'a, M: Model>(&'a self, id: &'a M::Id) -> Load<'a, M> {
        Load::new(self, id)
    }

    /// What happened: every event of the set that has all the tags, oldest first, in memory.
    pub fn history<E: EventSet>(&self, tags: Tags) -> History<'_, E> {
        History::new(self, tags)
    }

    /// A read model to be started: `app.project(Balances).in_memory().start()?`.
    pub fn project<P: Projection>(&self, projection: P) -> crate::projection::Project<P> {
        crate::projection::Project::new(self.clone(), projection)
    }

    /// A read model in SQL tables of its own, in an SQLite file: `app.project_sql(Totals, path).start()?`.
    #[cfg(feature = "sqlite")]
    pub fn project_sql<P: crate::projection::SqlProjection>(
        &self,
        projection: P,
        path: impl AsRef<std::path::Path>,
    ) -> crate::projection::ProjectSql<P> {
        crate::projection::ProjectSql::new(self.clone(), projection, path.as_ref())
    }

    /// What was recorded, to be told to others in order, under a name that its checkpoint is kept by:
    /// `app.publish("orders-out").of::<OrderEvent>()?.start(publisher, checkpoints)?`.
    pub fn publish(&self, name: impl Into<String>) -> crate::publish::Publish {
        crate::publish::Publish::new(self.parts.store.clone(), name.into())
    }

    /// A process manager to be started: `app.process(Payments).start().await?`.
    pub fn process<P: crate::ProcessManager>(&self, process: P) -> crate::process::Process<P> {
        crate::process::Process::new(self.clone(), process)
    }

    /// The store underneath.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.parts.store
    }

    /// What became of snapshots since this app was built.
    pub fn snapshot_counts(&self) -> SnapshotCounts {
        self.snapshots().map(Snapshots::counts).unwrap_or_default()
    }

    /// How often commands of this app were decided and lost the race since it was built, for each kind of boundary, by
    /// name. A boundary with many conflicts has views that are too wide, or a rule that everybody needs at once.
    ///
    /// ```
    #[doc = include_str!("docs/counter.txt")]
    /// let app = App::new(MemoryStore::new());
    /// app.execute(Raise { counter: 1 }).await?;
    /// let counts = &app.boundary_counts()[0];
    /// assert_eq!((counts.boundary.as_str(), counts.attempts, counts.conflicts), ("counter", 1, 0));
    /// # Ok(()) }
    /// ```
    pub fn boundary_counts(&self) -> Vec<BoundaryCounts> {
        self.parts.contention.read()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.parts.clock
    }

    pub(crate) fn clock_shared(&self) -> Arc<dyn Clock> {
        self.parts.clock.clone()
    }

    pub(crate) fn ids(&self) -> &dyn IdSource {
        &*self.parts.ids
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.parts.attempts
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        &self.parts.lanes
    }

    pub(crate) fn views(&self) -> &Views {
        &self.parts.views
    }

    pub(crate) fn contention(&self) -> &Contention {
        &self.parts.contention
    }

    pub(crate) fn snapshots(&self) -> Option<&Snapshots> {
        self.parts.snapshots.as_ref()
    }
}

/// Puts an [`App`] together.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// let app = App::builder(MemoryStore::new()).attempts(32).snapshots(Snapshots::in_memory(100)).build();
/// # app.execute(Raise { counter: 1 }).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct AppBuilder {
    parts: Parts,
}

impl AppBuilder {
    /// Where [`Context::now`](crate::Context::now) comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.parts.clock = clock;
        self
    }

    /// Where the ids of events come from that are executed without a key.
    #[must_use]
    pub fn ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.parts.ids = ids;
        self
    }

    /// How often a command is decided at most when it keeps losing the race; at least once.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.parts.attempts = attempts.max(1);
        self
    }

    /// Caches folds, so that a load reads only what came after.
    #[must_use]
    pub fn snapshots(mut self, snapshots: Snapshots) -> Self {
        self.parts.snapshots = Some(snapshots);
        self
    }

    /// How many views it keeps in memory at most, so that a load reads only what came after; 0 for none. They take the
    /// place of what a process would otherwise read again and again, so count what a view weighs.
    #[must_use]
    pub fn views_in_memory(mut self, views: usize) -> Self {
        self.parts.views = Views::new(views);
        self
    }

    /// The app.
    pub fn build(self) -> App {
        App { parts: Arc::new(self.parts) }
    }
}

/// Where ids of new events come from. It enters through a parameter, so that a run can be repeated.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of event ids",
    note = "write `impl IdSource for {Self} {{ fn next(&self) -> EventId {{ ... }} }}`"
)]
pub trait IdSource: Debug + Send + Sync + 'static {
    /// An id that was never given before.
    fn next(&self) -> EventId;
}

/// Time-ordered random ids.
#[derive(Clone, Copy, Debug)]
struct NewIds;

impl IdSource for NewIds {
    fn next(&self) -> EventId {
        EventId::generate()
    }
}
