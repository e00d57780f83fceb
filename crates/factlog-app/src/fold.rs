//! Folding: a model from what is in memory, in snapshots and in the log.
//!
//! * All views of a model come from one read, so they agree with each other and with the head it returns.
//! * A view in memory and a snapshot only shorten the read. A snapshot that the log does not prove, and a view of a log
//!   that was longer, is dropped, and the fold begins again.

use factlog_core::{Error, Position, ReadOptions, Timestamp};

use crate::cache::Cached;
use crate::load::{End, no_revision};
use crate::policy::LoadPolicy;
use crate::slot::Progress;
use crate::view::query_of;
use crate::{App, LoadError, Model};

/// A model's folds, and the head of the snapshot they come from.
pub(crate) struct Folded<M: Model> {
    pub(crate) slots: M::Slots,
    pub(crate) head: Option<Position>,
    /// Whether that was the head of the log when it was asked for.
    pub(crate) latest: bool,
}

/// Folds a model, and remembers what it has come to.
pub(crate) async fn fold<M: Model>(
    app: &App,
    id: &M::Id,
    end: End,
    policy: LoadPolicy,
) -> Result<Folded<M>, LoadError> {
    let mut slots = M::slots(id)?;
    if end == End::Nothing || (policy == LoadPolicy::AssumeEmpty && end == End::Head) {
        return Ok(Folded { slots, head: None, latest: end == End::Nothing });
    }
    let begun = app.clock().now();
    if end == End::Head
        && let Some(Agreed { head }) = recall::<M>(app, &mut slots, policy, begun)
    {
        return Ok(Folded { slots, head, latest: false });
    }
    if let (Some(snapshots), false) = (app.snapshots(), matches!(end, End::Revision(_))) {
        snapshots.restore(M::each(&mut slots), end).await;
    }
    let mut head = read::<M>(app, &mut slots, end).await?;
    let each = M::each(&mut slots);
    let foreign = each.iter().filter(|slot| slot.progress().is_disproved()).count();
    let shrunk = end == End::Head && each.iter().any(|slot| head < slot.progress().taken);
    if 0 < foreign || shrunk {
        if let Some(snapshots) = app.snapshots() {
            snapshots.discarded(foreign);
        }
        each.iter().for_each(|slot| app.views().forget(&slot.cache_key()));
        slots = M::slots(id)?;
        head = read::<M>(app, &mut slots, end).await?;
    }
    if end == End::Head {
        if let Some(snapshots) = app.snapshots() {
            let took = app.clock().now().as_micros().saturating_sub(begun.as_micros());
            snapshots.keep(M::each(&mut slots), took).await;
        }
        for slot in M::each(&mut slots) {
            app.views().put(slot.cache_key(), Cached { fold: slot.give(), head, at: begun });
        }
    }
    Ok(Folded { slots, head, latest: true })
}

/// The head that all views of a model are of.
struct Agreed {
    head: Option<Position>,
}

/// Takes what is in memory; answers the head it is all of, if nothing needs to be read under the policy.
fn recall<M: Model>(app: &App, slots: &mut M::Slots, policy: LoadPolicy, now: Timestamp) -> Option<Agreed> {
    let mut each = M::each(slots);
    let mut heads = Vec::with_capacity(each.len());
    for slot in &mut each {
        if let Some(Cached { fold, head, at }) = app.views().get(&slot.cache_key())
            && slot.take(&*fold, head)
            && policy.accepts(at, now)
        {
            heads.push(head);
        }
    }
    // Of several views in memory, only those of one head agree with each other.
    let head = *heads.first()?;
    (heads.len() == each.len() && heads.iter().all(|other| *other == head)).then_some(Agreed { head })
}

/// Reads what the folds lack and offers it to each; returns the position they are then valid for.
async fn read<M: Model>(app: &App, slots: &mut M::Slots, end: End) -> Result<Option<Position>, LoadError> {
    let mut slots = M::each(slots);
    let after = slots.iter().map(|slot| slot.progress().known()).min().flatten();
    let mut options = ReadOptions::default().after(after);
    if matches!(end, End::Revision(_)) && (slots.len() != 1 || slots[0].revision_condition().is_none()) {
        return Err(no_revision("this model").into());
    }
    match end {
        End::Position(position) => options.until = Some(position),
        End::Revision(revision) => options.limit = Some(revision.get().saturating_add(1)),
        End::Head | End::Nothing => {}
    }
    let Some(query) = query_of(slots.iter().map(|slot| slot.item().clone()).collect()) else {
        let head = app.store().head().await?.position;
        return Ok(if let End::Position(position) = end { Some(position) } else { head });
    };
    let mut events = app.store().read(query, options);
    let head = events.head().await?;
    while let Some(raw) = events.next().await {
        let raw = raw?;
        for slot in &mut slots {
            slot.offer(&raw)?;
        }
    }
    valid_for(*slots[0].progress(), head, end)
}

/// The position a fold that has read to its end is valid for.
fn valid_for(progress: Progress, head: Option<Position>, end: End) -> Result<Option<Position>, LoadError> {
    match end {
        End::Head | End::Nothing => Ok(head),
        End::Position(position) => Ok(Some(position)),
        End::Revision(revision) if progress.revision == Some(revision) => {
            Ok(progress.last.map(|mark| mark.position))
        }
        End::Revision(revision) => {
            let last = progress.revision.map_or("has no event".to_owned(), |last| format!("is at {last}"));
            let message = format!("revision {revision} is not recorded yet; the stream {last}");
            Err(Error::invalid(message).into())
        }
    }
}
