//! Inspecting: what the log tells of a process, and what an operator may record, without the process's code.
//!
//! * It reads the log and asks no runner, so it also tells of a process that is stopped or refuses to start.
//! * What an operator does is a record under the condition that the instance has not changed meanwhile. A runner hears
//!   of it as of everything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use factlog_core::{
    Append, AppendCondition, AppendError, Error, EventId, EventStore, ExpectedRevision, Position, Query,
    QueryItem, ReadOptions, RecordedEvent, Result, Revision, StreamId,
};
use serde::Serialize;
use serde_json::Value;

use super::instance::{Instance, Phase, Place};
use super::names::Names;
use super::record::{Because, Cancelled, Entry, Kind, Record};
use crate::Metadata;

/// How often an act is tried that loses the race against the process itself.
const ATTEMPTS: usize = 16;

/// What to do with what an instance has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// Dispatch the compensations it has recorded, the newest first.
    Compensate,
    /// Leave it as it is.
    Abandon,
}

/// A process as its records tell it.
///
/// ```
/// # extern crate factlog_app as factlog;
#[doc = include_str!("../docs/orders.txt")]
#[doc = include_str!("../docs/payments.txt")]
/// # let app = App::builder(MemoryStore::with_clock(clock.clone())).clock(clock.clone()).build();
/// # app.execute(Place { order: 7 }).await?;
/// # app.process(Payments).run_until_idle().await?;
/// use factlog::process::{Cancellation, Inspect};
///
/// let payments = Inspect::new(app.store().clone(), "payments")?;
/// let instance = payments.show("7").await?.expect("order 7 was placed");
/// assert_eq!(instance.timers[0].timer, "payment");
/// payments.cancel("7", Cancellation::Abandon, "a test order").await?;
/// assert!(payments.instances().await?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Inspect {
    store: Arc<dyn EventStore>,
    names: Names,
}

/// A process in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// Its name.
    pub process: String,
    /// The highest version that wrote a record.
    pub version: u32,
    /// Instances that are neither complete nor cancelled.
    pub open: usize,
    /// Timers that run.
    pub timers: usize,
    /// Commands whose outcome is not recorded.
    pub commands: usize,
    /// Instances that stand still.
    pub quarantined: usize,
}

impl Inspect {
    /// The process of this name, whether it has ever run or not.
    ///
    /// # Errors
    /// `Invalid` where it cannot be a name.
    pub fn new(store: Arc<dyn EventStore>, process: &str) -> Result<Self> {
        Ok(Self { store, names: Names::new(process)? })
    }

    /// Every process that has a record. It reads all records of all processes.
    ///
    /// # Errors
    /// What the store says; `Corrupt` where a record cannot be read.
    pub async fn all(store: Arc<dyn EventStore>) -> Result<Vec<Overview>> {
        let query = Query::any_of([QueryItem::of_types(Kind::ALL.map(Kind::event_type))])?;
        let mut processes: BTreeMap<String, (u32, Fold)> = BTreeMap::new();
        let mut records = store.read(query, ReadOptions::default());
        while let Some(event) = records.next().await {
            let event = event?;
            let Some(entry) = Entry::decode(&event)? else { continue };
            let Some(stream) = &event.event.stream else { continue };
            let own = stream.as_str().split(':').next().unwrap_or_default();
            let process = own.trim_start_matches("$process-").to_owned();
            let (version, fold) = processes.entry(process).or_default();
            *version = entry.version.max(*version);
            fold.apply(&event, &entry);
        }
        Ok(processes.into_iter().map(|(process, (version, fold))| fold.overview(process, version)).collect())
    }

    /// The instances that are not over, by name. It reads all records of the process.
    ///
    /// # Errors
    /// What the store says; `Corrupt` where a record cannot be read.
    pub async fn instances(&self) -> Result<Vec<Instance>> {
        let mut fold = Fold::default();
        let mut records = self.store.read(self.names.records(), ReadOptions::default());
        while let Some(event) = records.next().await {
            let event = event?;
            if let Some(entry) = Entry::decode(&event)? {
                fold.apply(&event, &entry);
            }
        }
        let mut instances: Vec<Instance> = fold.0.into_values().collect();
        instances.sort_by(|left, right| left.instance.cmp(&right.instance));
        Ok(instances)
    }

    /// One instance, also one that is over; `None` where there never was one.
    ///
    /// # Errors
    /// As [`instances`](Self::instances).
    pub async fn show(&self, instance: &str) -> Result<Option<Instance>> {
        let found = load(&*self.store, &self.names.stream(instance), instance).await?;
        Ok(found.revision.is_some().then_some(found))
    }

    /// Lets an instance that stands still go on: what failed is tried again, and what waited follows in order.
    /// Answers where that is recorded.
    ///
    /// # Errors
    /// `Invalid` where it does not stand still; what the store says.
    pub async fn retry(&self, instance: &str, reason: &str) -> Result<Position> {
        self.operate(instance, |found| match found.quarantine {
            Some(_) => Ok(Record::Retried(Because { reason: reason.to_owned() })),
            None => Err(Error::invalid(format!(
                "instance {instance:?} does not stand still; there is nothing to retry"
            ))),
        })
        .await
    }

    /// Ends an instance: its timers and what it had decided and not yet done are dropped, later inputs passed over.
    /// A command that is just on its way may still happen. Answers where that is recorded.
    ///
    /// # Errors
    /// `Invalid` where it has ended; what the store says.
    pub async fn cancel(&self, instance: &str, how: Cancellation, reason: &str) -> Result<Position> {
        self.operate(instance, |found| {
            if found.phase != Phase::Open {
                return Err(Error::invalid(format!("instance {instance:?} has ended already")));
            }
            let commands: Vec<Value> = match how {
                Cancellation::Compensate => found.compensations.iter().rev().cloned().collect(),
                Cancellation::Abandon => Vec::new(),
            };
            Ok(Record::Cancelled(Cancelled { reason: reason.to_owned(), commands }))
        })
        .await
    }

    async fn operate(
        &self,
        instance: &str,
        decide: impl Fn(&Instance) -> Result<Record>,
    ) -> Result<Position> {
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            let Some(found) = self.show(instance).await? else {
                let process = &self.names.process;
                return Err(Error::invalid(format!("process {process} has no instance {instance:?}")));
            };
            let record = decide(&found)?;
            let entry = Entry { instance: Some(instance.to_owned()), version: found.version, record };
            let expected = found.revision.map_or(ExpectedRevision::NoStream, ExpectedRevision::At);
            let event = entry.encode(&self.names, EventId::generate(), &Metadata::default());
            let append =
                Append::new([event]).when(AppendCondition::revision(self.names.stream(instance), expected));
            match self.store.append(append).await {
                Ok(appended) => return Ok(appended.last),
                Err(AppendError::Conflict(conflict)) => lost = Some(conflict),
                Err(AppendError::Failed(error)) => return Err(error),
            }
        }
        let conflict = lost.map(|conflict| conflict.to_string()).unwrap_or_default();
        Err(Error::unavailable(format!(
            "instance {instance:?} changed {ATTEMPTS} times meanwhile ({conflict}); try again"
        )))
    }
}

/// Instances by their streams.
#[derive(Debug, Default)]
struct Fold(BTreeMap<StreamId, Instance>);

impl Fold {
    fn apply(&mut self, event: &RecordedEvent, entry: &Entry) {
        let (Some(stream), Some(place), Some(name)) = (&event.event.stream, place_of(event), &entry.instance)
        else {
            return;
        };
        let instance = self.0.entry(stream.clone()).or_insert_with(|| Instance::new(name.clone()));
        instance.apply(entry, &place);
        if instance.is_over() {
            self.0.remove(stream);
        }
    }

    fn overview(&self, process: String, version: u32) -> Overview {
        let instances = || self.0.values();
        Overview {
            process,
            version,
            open: instances().filter(|instance| instance.phase == Phase::Open).count(),
            timers: instances().map(|instance| instance.timers.len()).sum(),
            commands: instances().map(|instance| instance.commands.len()).sum(),
            quarantined: instances().filter(|instance| instance.quarantine.is_some()).count(),
        }
    }
}

/// The instance of a stream, as its records tell it; one without records is new.
pub(super) async fn load(store: &dyn EventStore, stream: &StreamId, name: &str) -> Result<Instance> {
    let mut instance = Instance::new(name);
    for (entry, place) in records_after(store, stream, None).await? {
        instance.apply(&entry, &place);
    }
    Ok(instance)
}

/// The records of an instance above a revision.
pub(super) async fn records_after(
    store: &dyn EventStore,
    stream: &StreamId,
    folded: Option<Revision>,
) -> Result<Vec<(Entry, Place)>> {
    let options = ReadOptions { from_revision: folded.map(Revision::next), ..ReadOptions::default() };
    let mut events = store.read(Query::stream(stream.clone()), options);
    let mut records = Vec::new();
    while let Some(event) = events.next().await {
        let event = event?;
        if let (Some(entry), Some(place)) = (Entry::decode(&event)?, place_of(&event)) {
            records.push((entry, place));
        }
    }
    Ok(records)
}

/// Where a record is; `None` for an event in no stream, which is none of ours.
pub(super) fn place_of(event: &RecordedEvent) -> Option<Place> {
    Some(Place {
        position: event.position,
        revision: event.revision?,
        id: event.event.id,
        correlation: Metadata::parse(&event.event.metadata).correlation_id().map(str::to_owned),
    })
}
