//! Models: views side by side, folded together from one snapshot of the log.
//!
//! * Each view of a model has its own query item and sees only its own events, even next to a twin of another id.
//! * It does not know how events are read; it is offered each in order.

use factlog_core::Result;

use crate::View;
pub(crate) use crate::slot::Mark;
use crate::slot::{Slot, ViewSlot};

/// What a decision is made on: a [`View`], an `Option` or a `Vec` of models, a tuple of up to eight, or `()`.
///
/// Implemented for those. The id has the same shape: `(u64, Option<String>, Vec<u64>)` for
/// `(Account, Option<Coupon>, Vec<Seat>)`. Every view of it adds to the boundary.
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// let app = App::new(MemoryStore::new());
/// app.execute(Raise { counter: 2 }).await?;
/// let loaded = app.load::<(Option<Counter>, Vec<Counter>)>(&(None, vec![1, 2])).await?;
/// assert_eq!(loaded.state, (None, vec![Counter(0), Counter(1)]));
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "neither a view, nor an option, a list or a tuple of at most eight views",
    note = "write `impl View for {Self}`, or use views side by side such as `(Account, Vec<Customer>)`"
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

impl<V: View> sealed::Fold for V {
    type Slots = ViewSlot<V>;
    fn each(slots: &mut ViewSlot<V>) -> Vec<&mut dyn Slot> {
        vec![slots]
    }
    fn finish(slots: ViewSlot<V>) -> V {
        slots.into_state()
    }
}

impl<V: View> Model for V {
    type Id = V::Id;
    fn slots(id: &V::Id) -> Result<ViewSlot<V>> {
        ViewSlot::new(id)
    }
}

impl<M: Model> sealed::Fold for Option<M> {
    type Slots = Option<M::Slots>;
    fn each(slots: &mut Self::Slots) -> Vec<&mut dyn Slot> {
        slots.as_mut().map(M::each).unwrap_or_default()
    }
    fn finish(slots: Self::Slots) -> Self {
        slots.map(M::finish)
    }
}

impl<M: Model> Model for Option<M> {
    type Id = Option<M::Id>;
    fn slots(id: &Self::Id) -> Result<Self::Slots> {
        id.as_ref().map(M::slots).transpose()
    }
}

impl<M: Model> sealed::Fold for Vec<M> {
    type Slots = Vec<M::Slots>;
    fn each(slots: &mut Self::Slots) -> Vec<&mut dyn Slot> {
        slots.iter_mut().flat_map(M::each).collect()
    }
    fn finish(slots: Self::Slots) -> Self {
        slots.into_iter().map(M::finish).collect()
    }
}

impl<M: Model> Model for Vec<M> {
    type Id = Vec<M::Id>;
    fn slots(id: &Self::Id) -> Result<Self::Slots> {
        id.iter().map(M::slots).collect()
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
    ($($part:ident . $index:tt),+) => {
        impl<$($part: Model),+> sealed::Fold for ($($part,)+) {
            type Slots = ($($part::Slots,)+);
            fn each(slots: &mut Self::Slots) -> Vec<&mut dyn Slot> {
                let mut each = Vec::new();
                $(each.extend($part::each(&mut slots.$index));)+
                each
            }
            fn finish(slots: Self::Slots) -> Self {
                ($($part::finish(slots.$index),)+)
            }
        }

        impl<$($part: Model),+> Model for ($($part,)+) {
            type Id = ($($part::Id,)+);
            fn slots(id: &Self::Id) -> Result<Self::Slots> {
                Ok(($($part::slots(&id.$index)?,)+))
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
