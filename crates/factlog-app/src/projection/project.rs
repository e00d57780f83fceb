//! Before a projection runs: where it is kept, and how it is run.

use std::fmt::{self, Debug};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Error, Position, Result};

use super::debts::Debts;
use super::deliver::{Delivered, IdempotentSink};
use super::documents::{DocumentSink, Documents};
use super::effects::Effects;
use super::settings::{Settings, Switch, Unreadable};
use super::sink::TransactionalSink;
use super::{MemorySink, Projection, ReadModel, start};
use crate::App;

/// A read model that has yet to be told where it is kept.
#[must_use = "nothing runs until it is started"]
pub struct Project<P> {
    app: App,
    projection: P,
}

impl<P: Projection> Project<P> {
    pub(crate) fn new(app: App, projection: P) -> Self {
        Self { app, projection }
    }

    /// Kept in memory, all of it: built again from the first event whenever it is started. Not for one with
    /// [side effects](Projection::EFFECTS), because nobody would know which were carried out: to start it is `Invalid`.
    pub fn in_memory(self) -> Startable<P> {
        if P::EFFECTS {
            let name = P::NAME;
            let message = format!(
                "read model {name} has side effects, and in memory nobody knows after a restart which were carried out; keep it in a file"
            );
            return Startable::new(self, Err(Error::invalid(message)));
        }
        self.kept_in(MemorySink::default())
    }

    /// Kept in an SQLite file, documents and checkpoint in one transaction. Several projections may share a file;
    /// one process at a time may run the same one, unless they [share](Startable::shared) it.
    ///
    /// A person may look at the documents with SQL: table `factlog_documents`, keys and documents as JSON.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(self, path: impl AsRef<std::path::Path>) -> Startable<P> {
        let sink = super::SqliteSink::open(P::NAME, path);
        let sink = sink.map(|sink| Arc::new(sink) as Arc<DocumentSink<P>>);
        Startable::new(self, sink)
    }

    /// Kept in a sink without transactions, which takes each delivery once by its number; `rows` keeps how far it is.
    pub fn delivered_to<S: IdempotentSink<P::Key, P::Document>>(
        self,
        sink: S,
        rows: impl TransactionalSink<P::Key, P::Document>,
    ) -> Startable<P> {
        self.kept_in(Delivered::new(sink, rows))
    }

    /// Kept in a sink of your own.
    pub fn kept_in(self, sink: impl TransactionalSink<P::Key, P::Document>) -> Startable<P> {
        Startable::new(self, Ok(Arc::new(sink)))
    }
}

/// A read model that knows where it is kept.
///
/// ```
#[doc = include_str!("../docs/counter.txt")]
/// # let app = App::new(MemoryStore::new());
/// use factlog::projection::{Switch, Unreadable};
/// let counters = app.project(Counters).in_memory()
///     .workers(2)
///     .unreadable(Unreadable::Stop)
///     .switch(Switch::WhenBuilt)
///     .start()?;
/// counters.stop().await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing runs until it is started"]
pub struct Startable<P: Projection> {
    project: Project<P>,
    sink: Result<Arc<DocumentSink<P>>>,
    settings: Settings,
    lease: Option<Duration>,
    effects: Option<Arc<dyn Effects>>,
    begin: Option<Debts>,
}

impl<P: Projection> Startable<P> {
    fn new(project: Project<P>, sink: Result<Arc<DocumentSink<P>>>) -> Self {
        let begin = (!P::EFFECTS).then(Debts::default);
        Self { project, sink, settings: Settings::default(), lease: None, effects: None, begin }
    }

    /// How many threads follow the log, each for its share of the partitions; 1 unless told otherwise, at most 1024.
    /// With more than one, the events of one append become visible together only for keys of one worker.
    pub fn workers(mut self, workers: u16) -> Self {
        self.settings.workers = workers;
        self.settings.slots = self.settings.slots.max(workers);
        self
    }

    /// How many threads read and decode for each worker while it is more than 20,000 events behind, 1 to 64; half as many
    /// fold. Unless told otherwise as many as the machine has, 8 at most, shared among the workers.
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = Some(threads);
        self
    }

    /// Several processes run it together: the partitions are cut in `slots`, and each worker takes one that nobody
    /// holds. A lease that is not renewed for its length may be taken by another; whoever was paused meanwhile writes
    /// nothing. Without this, whoever starts last takes over at once.
    ///
    /// Partitions are not dealt anew while all of them are held: a worker beyond the number of slots waits until a slot is
    /// given back or its lease ends, and a slot that nobody takes goes to a worker that has one already.
    pub fn shared(mut self, slots: u16, lease: Duration) -> Self {
        self.settings.slots = slots;
        self.lease = Some(lease);
        self
    }

    /// What to do with events that cannot be read; stop, unless told otherwise.
    pub fn unreadable(mut self, unreadable: Unreadable) -> Self {
        self.settings.unreadable = unreadable;
        self
    }

    /// When a generation that was built takes over; as soon as it has caught up, unless told otherwise.
    pub fn switch(mut self, switch: Switch) -> Self {
        self.settings.switch = switch;
        self
    }

    /// Builds a generation with at most so many events per second, to leave the machine to others.
    pub fn throttle(mut self, events_per_second: NonZeroU32) -> Self {
        self.settings.throttle = Some(events_per_second);
        self
    }

    /// How many documents each worker holds in memory, beyond those of 4,096 events, before they are written while it is
    /// far behind; 50,000 unless told otherwise. While it folds, those of the last 4,096 events are there twice.
    ///
    /// Each is then written once: it is also written after 1,000,000 events, and every 2 seconds, or every half a second
    /// where readers see it, so that what was done is not lost.
    pub fn documents_in_memory(mut self, documents: usize) -> Self {
        self.settings.documents = documents;
        self
    }

    /// How long it may be behind without advancing before it is said to be
    /// [stalled](super::ProjectionState::Stalled); 10 seconds unless told otherwise.
    pub fn stalled_after(mut self, patience: Duration) -> Self {
        self.settings.stalled_after = patience;
        self
    }

    /// Who carries out the projection's side effects. Without it they are kept until somebody does.
    pub fn effects(mut self, effects: impl Effects) -> Self {
        self.effects = Some(Arc::new(effects));
        self
    }

    /// Where side effects begin when the read model is first made, in a sink that has nothing of it: those of events
    /// behind the position are carried out, of all events for `None`. A later start goes on where it was, whatever is
    /// said here.
    ///
    /// A sink that was lost is one that has nothing. Leave this out once the read model is there, and the start is refused
    /// instead of repeating or passing over in silence what was carried out in the past.
    pub fn effects_after(mut self, position: impl Into<Option<Position>>) -> Self {
        self.begin = Some(Debts::above(position.into()));
        self
    }

    /// Starts threads that follow the log, and answers with the handle to read, wait and stop.
    ///
    /// It uses the tokio runtime of the caller if there is one, for stores that need it. What goes wrong later is
    /// in [`ReadModel::status`] and in every answer.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt` or `Invalid` where the file cannot be opened or a thread not be started. `Invalid` where
    /// there are side effects and nothing says where they [begin](Self::effects_after).
    pub fn start(self) -> Result<ReadModel<P>> {
        let sink = self.sink?;
        let target = Documents { projection: self.project.projection, sink: sink.clone() };
        let run = start::Run {
            settings: self.settings,
            lease: self.lease,
            effects: self.effects,
            begin: self.begin,
        };
        let operations = start::start(&self.project.app, target, run)?;
        Ok(ReadModel { sink, operations })
    }
}

impl<P: Projection> Debug for Project<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Project").field("name", &P::NAME).finish_non_exhaustive()
    }
}

impl<P: Projection> Debug for Startable<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Startable").field("name", &P::NAME).finish_non_exhaustive()
    }
}
