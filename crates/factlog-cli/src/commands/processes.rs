//! `factlog processes`: what the log tells of process managers, and what operators record for them.
//!
//! It opens the store, so it works while the program is stopped. What it records the program reads at its next start.

mod operate;
mod show;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use factlog_core::{EventStore, EventType, Query, QueryItem, ReadOptions, RecordedEvent, StreamId, Tags};
use factlog_engine::Engine;
use serde_json::json;

use crate::context::{Context, close};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::{answer, printable};
use crate::processes::{Instance, Names, Phase, TYPES, head, process_of};
use crate::table::{Align, table};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog processes list --data shop.db
  factlog processes list payments --data shop.db --json
  factlog processes show payments 7 --data shop.db
  factlog processes retry payments 7 --reason 'the bank is back' --data shop.db
  factlog processes cancel payments 7 --reason 'a test order' --abandon --data shop.db";

/// Process managers: look at their instances, retry, cancel
#[derive(Debug, Subcommand)]
pub(crate) enum Processes {
    /// Every process in the store, or the open instances of one
    #[command(before_help = EXAMPLES)]
    List(List),
    /// One instance: state, timers, commands on their way, why it stands still
    #[command(before_help = EXAMPLES)]
    Show(One),
    /// Let an instance that stands still go on, when its program runs next
    ///
    /// What failed is tried again, and what waited follows in order.
    #[command(before_help = EXAMPLES)]
    Retry(Retry),
    /// End an instance, when its program runs next
    ///
    /// Its timers and what it decided and did not do are dropped, later inputs are passed over. Its compensations run, the
    /// newest first, unless it is abandoned.
    #[command(before_help = EXAMPLES)]
    Cancel(Cancel),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// The instances of this process
    process: Option<String>,
}

/// Which instance.
#[derive(Args, Debug)]
pub(crate) struct One {
    /// The process
    process: String,
    /// The instance
    instance: String,
}

#[derive(Args, Debug)]
pub(crate) struct Retry {
    #[command(flatten)]
    one: One,
    /// Why, for those who read the log later
    #[arg(long)]
    reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct Cancel {
    #[command(flatten)]
    one: One,
    /// Why, for those who read the log later
    #[arg(long)]
    reason: String,
    /// Run no compensation: what it did stays as it is
    #[arg(long)]
    abandon: bool,
}

pub(super) fn run(processes: &Processes, context: &Context) -> Outcome {
    let store = open(context)?;
    let done = match processes {
        Processes::List(List { process: None }) => all(&store, context.json),
        Processes::List(List { process: Some(process) }) => instances(&store, process, context.json),
        Processes::Show(one) => show::run(one, &store, context.json),
        Processes::Retry(arguments) => operate::retry(arguments, &store, context.json),
        Processes::Cancel(arguments) => operate::cancel(arguments, &store, context.json),
    };
    done.and(close(&store))
}

/// The store, which one program at a time may have.
fn open(context: &Context) -> Outcome<Engine> {
    context.existing_store().map_err(|failure| match failure.kind() {
        Kind::Unavailable => failure.advise(
            "stop the program that has it; while it runs, its own handle retries and cancels (`Processes`)",
        ),
        _ => failure,
    })
}

/// The instances of a process that are not over, and what is known of it.
#[derive(Debug, Default)]
struct Process {
    version: u32,
    instances: BTreeMap<StreamId, Instance>,
}

impl Process {
    fn apply(&mut self, event: &RecordedEvent) -> Outcome {
        let (version, instance) = head(event)?;
        self.version = self.version.max(version);
        let (Some(stream), Some(instance)) = (&event.event.stream, instance) else { return Ok(()) };
        let found = self.instances.entry(stream.clone()).or_insert_with(|| Instance::new(instance));
        found.apply(event)?;
        if found.is_over() {
            self.instances.remove(stream);
        }
        Ok(())
    }
}

/// Every process that has a record with these tags.
fn fold(store: &dyn EventStore, tags: Tags) -> Outcome<BTreeMap<String, Process>> {
    let failed = |error| Failure::store("read the records of processes", &error);
    let types =
        TYPES.map(EventType::new).into_iter().collect::<factlog_core::Result<Vec<_>>>().map_err(failed)?;
    let query = Query::any_of([QueryItem { types, tags, stream: None }]).map_err(failed)?;
    let mut processes: BTreeMap<String, Process> = BTreeMap::new();
    let mut records = store.read(query, ReadOptions::default());
    while let Some(event) = pollster::block_on(records.next()) {
        let event = event.map_err(failed)?;
        if let Some(process) = process_of(&event) {
            processes.entry(process.to_owned()).or_default().apply(&event)?;
        }
    }
    Ok(processes)
}

fn no_process(process: &str) -> Failure {
    Failure::new(Kind::NotFound, format!("no process {} has a record in this store", printable(process)))
        .advise("`factlog processes list` shows those that have")
}

fn all(store: &dyn EventStore, json: bool) -> Outcome {
    let processes = fold(store, Tags::default())?;
    let counted = processes.iter().map(|(name, process)| {
        let instances = || process.instances.values();
        let open = instances().filter(|instance| instance.phase == Phase::Open).count();
        let timers: usize = instances().map(|instance| instance.timers.len()).sum();
        let commands: usize = instances().map(|instance| instance.commands.len()).sum();
        let quarantined = instances().filter(|instance| instance.quarantine.is_some()).count();
        (name, process.version, [open, timers, commands, quarantined])
    });
    let counted: Vec<_> = counted.collect();
    answer(
        json,
        || {
            let rows = counted.iter().map(|(name, version, [open, timers, commands, quarantined])| {
                json!({
                    "process": name, "version": version, "open": open, "timers": timers, "commands": commands,
                    "quarantined": quarantined,
                })
            });
            json!({ "processes": rows.collect::<Vec<_>>() })
        },
        || {
            let columns = [
                ("PROCESS", Align::Left),
                ("VERSION", Align::Right),
                ("OPEN", Align::Right),
                ("TIMERS", Align::Right),
                ("COMMANDS", Align::Right),
                ("QUARANTINED", Align::Right),
            ];
            let rows = counted.iter().map(|(name, version, counts)| {
                let [open, timers, commands, quarantined] = counts.map(|count| count.to_string());
                [printable(name), version.to_string(), open, timers, commands, quarantined]
            });
            table(columns, &rows.collect::<Vec<_>>())
        },
    )
}

fn instances(store: &dyn EventStore, process: &str, json: bool) -> Outcome {
    let names = Names { process: process.to_owned() };
    let found = fold(store, names.tags()?)?.remove(process).ok_or_else(|| no_process(process))?;
    let mut instances: Vec<Instance> = found.instances.into_values().collect();
    instances.sort_by(|left, right| left.instance.cmp(&right.instance));
    answer(
        json,
        || json!({ "process": process, "version": found.version, "instances": instances }),
        || {
            let columns = [
                ("INSTANCE", Align::Left),
                ("PHASE", Align::Left),
                ("TIMERS", Align::Right),
                ("NEXT DUE", Align::Left),
                ("COMMANDS", Align::Right),
                ("WAITING", Align::Right),
                ("STANDS STILL BECAUSE", Align::Left),
            ];
            let rows = instances.iter().map(|instance| {
                let due = instance.timers.iter().map(|timer| timer.due.as_str()).min();
                let quarantine = instance.quarantine.as_ref();
                [
                    printable(&instance.instance),
                    instance.phase.name().to_owned(),
                    instance.timers.len().to_string(),
                    due.map_or("-".to_owned(), printable),
                    instance.commands.len().to_string(),
                    instance.waiting.len().to_string(),
                    quarantine.map_or("-".to_owned(), |quarantine| printable(&quarantine.reason)),
                ]
            });
            table(columns, &rows.collect::<Vec<_>>())
        },
    )
}

/// One instance, also one that is over.
fn instance(store: &dyn EventStore, one: &One) -> Outcome<(Names, Instance)> {
    let names = Names { process: one.process.clone() };
    let failed = |error| Failure::store("read the records of this instance", &error);
    let mut records = store.read(Query::stream(names.stream(&one.instance)?), ReadOptions::default());
    let mut found = Instance::new(one.instance.clone());
    while let Some(event) = pollster::block_on(records.next()) {
        found.apply(&event.map_err(failed)?)?;
    }
    if found.revision.is_some() {
        return Ok((names, found));
    }
    if fold(store, names.tags()?)?.is_empty() {
        return Err(no_process(&one.process));
    }
    let (process, instance) = (printable(&one.process), printable(&one.instance));
    Err(Failure::new(Kind::NotFound, format!("process {process} has no instance {instance}"))
        .advise(format!("`factlog processes list {process}` shows those that are open")))
}
