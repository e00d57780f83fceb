//! Resuming: from the log to a runner that goes on where the last one stopped, or a refusal that says why not.

use factlog_core::{
    Append, AppendCondition, AppendError, ExpectedRevision, Position, Query, ReadOptions, StartFrom, Tracking,
};
use futures_util::stream::FuturesUnordered;

use super::book::Book;
use super::feed::Feed;
use super::inspect::place_of;
use super::instance::Instance;
use super::names::Names;
use super::react::{read, state_of};
use super::record::{Entry, Kind, Record, Through};
use super::runner::Runner;
use super::status::ParkedStep;
use super::{ProcessError, ProcessManager};
use crate::view::event_types;
use crate::{App, Metadata};

/// A runner that has folded the process's records.
///
/// It reads every record of the process once: in time this grows with what the process has ever done, in memory with
/// the instances that are open.
pub(super) async fn resume<P: ProcessManager>(
    app: App,
    process: P,
    first: StartFrom,
    parallel: usize,
) -> Result<Runner<P>, ProcessError> {
    let names = Names::new(P::NAME)?;
    // Before the records: what another runner adds in between must be met again, not missed.
    let tracked = match app.store().tracking(names.source.as_str()).await? {
        Some(tracked) => Some(tracked),
        None => begin::<P>(&app, &names, first).await?,
    };
    let (book, folded) = fold::<P>(&app, &names).await?;
    let parked: Vec<ParkedStep> = book.instances().flat_map(|instance| parked(&process, instance)).collect();
    if !parked.is_empty() {
        return Err(ProcessError::Parked { process: P::NAME, steps: parked });
    }
    let head = app.store().head().await?;
    let types = event_types::<P::Event>()?;
    let heard = vec![factlog_core::QueryItem::of_types(types), names.item(Kind::HEARD)];
    let feed = Feed::new(app.store().clone(), Query::any_of(heard)?, tracked);
    Ok(Runner {
        app,
        names,
        process,
        parallel,
        book,
        feed,
        flights: FuturesUnordered::new(),
        landed: Vec::new(),
        unsure: None,
        folded,
        tracked,
        handled: tracked,
        known: head.position,
        silent: 0,
        latest: head.recorded_at.unwrap_or_default(),
        resting: Vec::new(),
        problem: None,
    })
}

/// Records where a process begins that has never handled anything.
async fn begin<P: ProcessManager>(
    app: &App,
    names: &Names,
    first: StartFrom,
) -> Result<Option<Position>, ProcessError> {
    let head = app.store().head().await?.position;
    let Some(through) = first.exclusive_bound(head)? else { return Ok(None) };
    let entry = Entry { instance: None, version: P::VERSION, record: Record::Started(Through { through }) };
    let event = entry.encode(names, app.ids().next(), &Metadata::default());
    let append = Append::new([event])
        .when(AppendCondition::revision(names.own.clone(), ExpectedRevision::NoStream))
        .tracking(Tracking { source: names.source.clone(), position: through });
    match app.store().append(append).await {
        Ok(_) => Ok(Some(through)),
        Err(AppendError::Failed(error)) => Err(error.into()),
        // Somebody else was faster: theirs counts.
        Err(AppendError::Conflict(_)) => Ok(app.store().tracking(names.source.as_str()).await?),
    }
}

async fn fold<P: ProcessManager>(app: &App, names: &Names) -> Result<(Book, Option<Position>), ProcessError> {
    let mut book = Book::default();
    let mut records = app.store().read(names.records(), ReadOptions::default());
    let head = records.head().await?;
    while let Some(event) = records.next().await {
        let event = event?;
        let Some(entry) = Entry::decode(&event)? else { continue };
        if P::VERSION < entry.version {
            return Err(ProcessError::Newer {
                process: P::NAME,
                instance: entry.instance.unwrap_or_default(),
                recorded: entry.version,
                known: P::VERSION,
            });
        }
        if let (Some(place), Some(stream)) = (place_of(&event), &event.event.stream) {
            book.apply(stream, &entry, &place);
        }
    }
    Ok((book, head))
}

/// What an instance waits at and the present code cannot read.
fn parked<P: ProcessManager>(process: &P, instance: &Instance) -> Vec<ParkedStep> {
    let mut steps = Vec::new();
    let mut park = |step: String, problem: String| {
        steps.push(ParkedStep { instance: instance.instance.clone(), step, problem });
    };
    if let Err(problem) = state_of(process, instance) {
        park("its state".to_owned(), problem);
    }
    for open in &instance.timers {
        if let Err(problem) = read::<P::Timer>(open.timer.clone(), "timer") {
            park(format!("timer {}", open.timer), problem);
        }
    }
    for command in instance.commands.iter().map(|open| &open.command).chain(&instance.compensations) {
        if let Err(problem) = read::<P::Command>(command.clone(), "command") {
            park(format!("command {command}"), problem);
        }
    }
    steps
}
