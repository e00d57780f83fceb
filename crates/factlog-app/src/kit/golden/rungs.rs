//! Every name and version that a set reads, as its derives say: the rungs of each event's ladder.

use std::collections::BTreeMap;

use crate::lineage::{Lineage, One};
use crate::{Event, Split};

/// A name and a version that may be stored, and the name under which its struct is stored today.
pub(super) type Found = BTreeMap<(&'static str, u32), &'static str>;

/// Events of which every name and version that is read is known. Implemented for what the derives say.
#[diagnostic::on_unimplemented(
    message = "the versions of these events are not known",
    note = "write `#[derive(EventSet)]` on the enum, and `#[derive(Event)]` on each event and its older versions"
)]
pub trait Rungs {
    /// Adds them.
    #[doc(hidden)]
    fn add(found: &mut BTreeMap<(&'static str, u32), &'static str>);
    /// Every name of theirs.
    #[doc(hidden)]
    const NAMES: &'static [&'static str] = &[];
}

impl Rungs for () {
    fn add(_: &mut Found) {}
}

impl<L: Rungs, R: Rungs> Rungs for (L, R) {
    fn add(found: &mut Found) {
        L::add(found);
        R::add(found);
    }
}

impl<E: Event + Lineage> Rungs for One<E>
where
    E::Older: Rungs,
    E::Splits: Sources,
{
    const NAMES: &'static [&'static str] = E::NAMES;

    fn add(found: &mut Found) {
        // A name of the shape before is stored with the versions up to that one.
        let own =
            E::NAMES.iter().filter(|name| **name == E::NAME || !<E::Older as Rungs>::NAMES.contains(name));
        found.extend(own.map(|name| ((*name, E::VERSION), E::NAME)));
        E::Older::add(found);
        E::Splits::add(found);
    }
}

/// What an event is split from.
pub trait Sources {
    #[doc(hidden)]
    fn add(found: &mut BTreeMap<(&'static str, u32), &'static str>);
}

impl Sources for () {
    fn add(_: &mut Found) {}
}

impl<S: Split, R: Sources> Sources for (S, R)
where
    S::Old: Lineage,
    <S::Old as Lineage>::Older: Rungs,
    <S::Old as Lineage>::Splits: Sources,
{
    fn add(found: &mut Found) {
        One::<S::Old>::add(found);
        R::add(found);
    }
}
