//! Slots: the folds of a model's views in progress, each with how far it has come and where it began.
//!
//! * A slot sees only its own events, each once, in order, wherever the read began.
//! * A state that was taken from memory or from a snapshot is shared until it is changed, and copied then.

use std::any::{Any, TypeId};
use std::sync::Arc;

use factlog_core::{
    AppendCondition, EventId, ExpectedRevision, Position, QueryItem, RecordedEvent, Result, Revision,
};

use crate::cache::CacheKey;
use crate::snapshot::{Kept, SnapshotKey};
use crate::view::Scope;
use crate::{CodecError, EventSet, Recorded, SnapshotPolicy, UnknownTypes, View};

/// One view's fold in progress.
pub trait Slot: Send {
    /// Which events it is about.
    #[doc(hidden)]
    fn item(&self) -> &QueryItem;
    /// Folds an event if it is one of its own.
    #[doc(hidden)]
    fn offer(&mut self, event: &RecordedEvent) -> Result<(), CodecError>;
    #[doc(hidden)]
    fn progress(&self) -> &Progress;
    /// The condition of an aggregate; `None` where the query is the condition.
    #[doc(hidden)]
    fn revision_condition(&self) -> Option<AppendCondition>;
    /// The view's name.
    #[doc(hidden)]
    fn name(&self) -> &'static str;
    #[doc(hidden)]
    fn snapshot_key(&self) -> SnapshotKey;
    /// The view's own idea of when to keep it, if it has one.
    #[doc(hidden)]
    fn policy(&self) -> Option<SnapshotPolicy>;
    /// Whether it has folded an event stored under this name since the last snapshot.
    #[doc(hidden)]
    fn has_met(&self, event_type: &str) -> bool;
    /// What was folded so far is in a snapshot.
    #[doc(hidden)]
    fn saved(&mut self);
    #[doc(hidden)]
    fn cache_key(&self) -> CacheKey;
    /// The fold as it is, for another slot of the same view.
    #[doc(hidden)]
    fn give(&self) -> Arc<dyn Any + Send + Sync>;
    /// Takes over a fold that was given and read up to this head; answers whether it fitted.
    #[doc(hidden)]
    fn take(&mut self, given: &(dyn Any + Send + Sync), head: Option<Position>) -> bool;
    /// Takes over a cached state; answers whether it fitted.
    #[doc(hidden)]
    fn restore(&mut self, kept: &Kept) -> bool;
    /// The state to cache, with the place of the last event in it; `None` before the first.
    #[doc(hidden)]
    fn keep(&self) -> Option<Kept>;
}

/// How far a fold has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last event folded.
    pub(crate) last: Option<Mark>,
    /// The last revision seen in an aggregate's stream.
    pub(crate) revision: Option<Revision>,
    /// Events folded for this answer.
    pub(crate) folded: u64,
    /// Events of an aggregate's stream among them whose types are not in the set.
    pub(crate) unknown: u64,
    /// Events folded since the first one or the last snapshot.
    pub(crate) unsaved: u64,
    /// Which of the set's names are among those, by place; the last bit stands for all from the 64th on.
    met: u64,
    /// Where the read can begin, as everything up to here is in what was taken from memory.
    pub(crate) taken: Option<Position>,
    /// The snapshot's last event, until it is met again in the log.
    pub(crate) unproven: Option<Mark>,
    /// Whether the log does not hold what the snapshot was made from.
    pub(crate) foreign: bool,
}

impl Progress {
    /// Where a read may begin after.
    pub(crate) fn known(&self) -> Option<Position> {
        match self.unproven {
            Some(mark) => mark.position.previous(),
            None => self.taken,
        }
    }

    /// Whether the log does not hold the event the snapshot ends with, so that the fold is worth nothing.
    pub(crate) fn is_disproved(&self) -> bool {
        self.foreign || self.unproven.is_some()
    }
}

/// One event of one log: the place and the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) position: Position,
    pub(crate) id: EventId,
}

/// The fold of one view.
#[derive(Debug)]
pub struct ViewSlot<V> {
    state: Arc<V>,
    scope: Scope,
    progress: Progress,
}

impl<V: View> ViewSlot<V> {
    pub(crate) fn new(id: &V::Id) -> Result<Self> {
        Ok(Self { state: Arc::default(), scope: Scope::of::<V>(id)?, progress: Progress::default() })
    }

    pub(crate) fn into_state(self) -> V {
        Arc::unwrap_or_clone(self.state)
    }
}

/// What is kept of a slot in memory.
struct Given<V> {
    state: Arc<V>,
    progress: Progress,
}

/// The bit of a name.
fn bit<E: EventSet>(event_type: &str) -> Option<u64> {
    let at = E::NAMES.iter().position(|name| *name == event_type)?;
    Some(1 << at.min(63))
}

impl<V: View> Slot for ViewSlot<V> {
    fn item(&self) -> &QueryItem {
        &self.scope.item
    }

    fn offer(&mut self, raw: &RecordedEvent) -> Result<(), CodecError> {
        let mark = Mark { position: raw.position, id: raw.event.id };
        if self.progress.foreign || !self.scope.item.matches(&raw.event) {
            return Ok(());
        }
        if let Some(known) = self.progress.unproven {
            if mark.position < known.position {
                return Ok(());
            }
            self.progress.unproven = None;
            self.progress.foreign = mark != known;
            return Ok(());
        }
        if self.progress.last.is_some_and(|last| mark.position <= last.position) {
            return Ok(());
        }
        let known = bit::<V::Event>(raw.event.event_type.as_str());
        if known.is_some() || self.scope.aggregate.is_none() || V::UNKNOWN == UnknownTypes::Stop {
            for fact in Recorded::<V::Event>::facts(raw)?.filter(|fact| fact.has(&self.scope.item.tags)) {
                Arc::make_mut(&mut self.state).apply_recorded(&fact);
            }
        } else {
            self.progress.unknown += 1;
        }
        self.progress.met |= known.unwrap_or(0);
        self.progress.last = Some(mark);
        self.progress.revision = raw.revision;
        self.progress.folded += 1;
        self.progress.unsaved += 1;
        Ok(())
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn revision_condition(&self) -> Option<AppendCondition> {
        let stream = self.scope.aggregate.clone()?;
        let expected = match self.progress.revision {
            None => ExpectedRevision::NoStream,
            Some(revision) => ExpectedRevision::At(revision),
        };
        Some(AppendCondition::Revision { stream, expected })
    }

    fn name(&self) -> &'static str {
        V::NAME
    }

    fn snapshot_key(&self) -> SnapshotKey {
        SnapshotKey::of::<V>(&self.scope)
    }

    fn policy(&self) -> Option<SnapshotPolicy> {
        V::snapshot_policy()
    }

    fn has_met(&self, event_type: &str) -> bool {
        bit::<V::Event>(event_type).is_some_and(|bit| self.progress.met & bit != 0)
    }

    fn saved(&mut self) {
        self.progress.unsaved = 0;
        self.progress.met = 0;
    }

    fn cache_key(&self) -> CacheKey {
        CacheKey { view: TypeId::of::<V>(), scope: self.scope.key().into() }
    }

    fn give(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::new(Given { state: self.state.clone(), progress: self.progress })
    }

    fn take(&mut self, given: &(dyn Any + Send + Sync), head: Option<Position>) -> bool {
        let Some(given) = given.downcast_ref::<Given<V>>() else { return false };
        self.state = given.state.clone();
        self.progress = Progress { folded: 0, unknown: 0, taken: head, ..given.progress };
        true
    }

    fn restore(&mut self, kept: &Kept) -> bool {
        let Some(state) = kept.state() else { return false };
        self.state = Arc::new(state);
        self.progress = Progress {
            last: Some(kept.mark),
            revision: kept.revision,
            unproven: Some(kept.mark),
            ..Progress::default()
        };
        true
    }

    fn keep(&self) -> Option<Kept> {
        Kept::new(&*self.state, self.progress.last?, self.progress.revision)
    }
}
