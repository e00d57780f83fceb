//! What the derives know of a type's relatives, as types: whoever needs them asks for what they must be able to do.
//!
//! So the catalog of shapes needs no attribute, and nobody has to describe shapes who does not ask for it.

use std::marker::PhantomData;

/// The relatives of an event. The derive implements it.
pub trait Lineage {
    /// `One` of the shape it had one version before, or `()`.
    type Older;
    /// What it is split from: `(First, (Second, ()))`.
    type Splits;
}

/// The events of a set. The derives implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which events it has",
    note = "write `#[derive(EventSet)]` on the enum, or `#[derive(Event)]` on the struct"
)]
pub trait Members {
    /// `One` of each, paired up.
    type Tree;
}

/// One event, as a type without a value.
#[derive(Debug)]
pub struct One<E>(PhantomData<fn() -> E>);
