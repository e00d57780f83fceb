//! Rules: decisions as closures.

use std::fmt;
use std::marker::PhantomData;

use crate::{Context, Decide, EventSet, Events, Model};

/// A closure as a command. It is made by [`App::decide`](crate::App::decide), or for a test:
///
/// ```
#[doc = include_str!("docs/counter.txt")]
/// let rule = |_: &Counter, _: &Context| -> std::result::Result<Events<Raised>, std::fmt::Error> {
///     Ok(events![Raised { counter: 1 }])
/// };
/// given([Raised { counter: 1 }]).when(factlog::Rule::new(1, rule)).then([Raised { counter: 1 }]);
/// # Ok(()) }
/// ```
pub struct Rule<M: Model, E, X, F> {
    boundary: M::Id,
    rule: F,
    types: PhantomData<fn() -> (E, X)>,
}

impl<M, E, X, F> Rule<M, E, X, F>
where
    M: Model,
    F: Fn(&M, &Context) -> Result<Events<E>, X>,
{
    /// The rule for these facts.
    pub fn new(boundary: M::Id, rule: F) -> Self {
        Self { boundary, rule, types: PhantomData }
    }
}

impl<M, E, X, F> Decide for Rule<M, E, X, F>
where
    M: Model<Id: Clone>,
    E: EventSet,
    X: std::error::Error + Send + Sync + 'static,
    F: Fn(&M, &Context) -> Result<Events<E>, X> + Send + Sync + 'static,
{
    type Model = M;
    type Event = E;
    type Error = X;

    fn boundary(&self) -> M::Id {
        self.boundary.clone()
    }

    fn decide(&self, model: &M, context: &Context) -> Result<Events<E>, X> {
        (self.rule)(model, context)
    }
}

impl<M: Model, E, X, F> fmt::Debug for Rule<M, E, X, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").finish_non_exhaustive()
    }
}
