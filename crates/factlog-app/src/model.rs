//! Models: one view or a tuple of views, folded together from one snapshot of the log.
//!
//! * Each view of a tuple has its own query item and sees only its own events, even next to a twin of another id.
//! * It does not know how events are read; it is offered each in order.

use factlog_core::{
    AppendCondition, EventId, ExpectedRevision, Position, QueryItem, RecordedEvent, Result, Revision,
};

use crate::snapshot::{Kept, SnapshotKey};
use crate::view::Scope;
use crate::{CodecError, EventSet, Recorded, UnknownTypes, View};

/// What a decision is made on: a [`View`], a tuple of up to eight, or `()`.
///
/// Implemented for those; the id of a tuple is the tuple of ids.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "neither a view nor a tuple of at most eight views",
    note = "write `impl View for {Self}`, or use a tuple of views such as `(Account, Customer)`"
)]
pub trait Model: Sized + Send + Sync + 'static + sealed::Fold {
    /// Which facts it is about.
    type Id: Send + Sync + 'static;

    /// The empty folds of this model about these facts.
    #[doc(hidden)]
    fn slots(id: &Self::Id) -> Result<Self::Slots>;
}

pub(crate) mod sealed {
    use super::Slot;

    /// How a model is folded: its views side by side. Only this crate implements it.
    pub trait Fold: Sized {
        type Slots: Send;
        /// The folds, one per view, in order.
        fn each(slots: &mut Self::Slots) -> Vec<&mut dyn Slot>;
        /// The states they have come to.
        fn finish(slots: Self::Slots) -> Self;
    }
}

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
    #[doc(hidden)]
    fn snapshot_key(&self) -> SnapshotKey;
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
    /// Events folded since the beginning or the snapshot.
    pub(crate) folded: u64,
    /// Events of an aggregate's stream among them whose types are not in the set.
    pub(crate) unknown: u64,
    /// The snapshot's last event, until it is met again in the log.
    pub(crate) unproven: Option<Mark>,
    /// Whether the log does not hold what the snapshot was made from.
    pub(crate) foreign: bool,
}

impl Progress {
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
    state: V,
    scope: Scope,
    progress: Progress,
}

impl<V: View> ViewSlot<V> {
    fn new(id: &V::Id) -> Result<Self> {
        Ok(Self { state: V::default(), scope: Scope::of::<V>(id)?, progress: Progress::default() })
    }
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
        let known = <V::Event as EventSet>::NAMES.contains(&raw.event.event_type.as_str());
        if known || self.scope.aggregate.is_none() || V::UNKNOWN == UnknownTypes::Stop {
            for fact in Recorded::<V::Event>::facts(raw)?.filter(|fact| fact.has(&self.scope.item.tags)) {
                self.state.apply_recorded(&fact);
            }
        } else {
            self.progress.unknown += 1;
        }
        self.progress.last = Some(mark);
        self.progress.revision = raw.revision;
        self.progress.folded += 1;
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

    fn snapshot_key(&self) -> SnapshotKey {
        SnapshotKey::of::<V>(&self.scope)
    }

    fn restore(&mut self, kept: &Kept) -> bool {
        let Some(state) = kept.state() else { return false };
        self.state = state;
        self.progress = Progress {
            last: Some(kept.mark),
            revision: kept.revision,
            folded: 0,
            unknown: 0,
            unproven: Some(kept.mark),
            foreign: false,
        };
        true
    }

    fn keep(&self) -> Option<Kept> {
        Kept::new(&self.state, self.progress.last?, self.progress.revision)
    }
}

impl<V: View> sealed::Fold for V {
    type Slots = ViewSlot<V>;
    fn each(slots: &mut ViewSlot<V>) -> Vec<&mut dyn Slot> {
        vec![slots]
    }
    fn finish(slots: ViewSlot<V>) -> V {
        slots.state
    }
}

impl<V: View> Model for V {
    type Id = V::Id;
    fn slots(id: &V::Id) -> Result<ViewSlot<V>> {
        ViewSlot::new(id)
    }
}

impl sealed::Fold for () {
    type Slots = ();
    fn each((): &mut ()) -> Vec<&mut dyn Slot> {
        Vec::new()
    }
    fn finish((): ()) {}
}

impl Model for () {
    type Id = ();
    fn slots((): &()) -> Result<()> {
        Ok(())
    }
}

macro_rules! tuple {
    ($($view:ident . $index:tt),+) => {
        impl<$($view: View),+> sealed::Fold for ($($view,)+) {
            type Slots = ($(ViewSlot<$view>,)+);
            fn each(slots: &mut Self::Slots) -> Vec<&mut dyn Slot> {
                vec![$(&mut slots.$index),+]
            }
            fn finish(slots: Self::Slots) -> Self {
                ($(slots.$index.state,)+)
            }
        }

        impl<$($view: View),+> Model for ($($view,)+) {
            type Id = ($($view::Id,)+);
            fn slots(id: &Self::Id) -> Result<Self::Slots> {
                Ok(($(ViewSlot::<$view>::new(&id.$index)?,)+))
            }
        }
    };
}

tuple!(A.0);
tuple!(A.0, B.1);
tuple!(A.0, B.1, C.2);
tuple!(A.0, B.1, C.2, D.3);
tuple!(A.0, B.1, C.2, D.3, E.4);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5, G.6);
tuple!(A.0, B.1, C.2, D.3, E.4, F.5, G.6, H.7);
