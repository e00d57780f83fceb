//! Splits: a stored event read as the facts that took its place, none, one or many.
//!
//! * One stored event at a time, without context: what it is read as never depends on where a reader starts.
//! * Position, revision, time and identity stay those of what is stored. Facts of one event differ by their index.
//! * Boundaries stay exact: the older names are in every query, conditions are held against what is stored.

use factlog_core::Tags;

use crate::{CodecError, Event, EventSet, Stored};

/// Reads stored events of one kind as others: the way to tear a fact in two, or to let one go.
///
/// Each event that it yields names it with `split_from`; that is checked when it is compiled. From then on whoever
/// asks for one of them, a view, a history or a read model, also asks for the older names, and gets the facts that
/// are in its set, in this order, all at the position of what is stored. [`Recorded::index`](crate::Recorded::index)
/// tells them apart.
///
/// ```
/// # extern crate factlog_app as factlog;
/// # use factlog::{App, Event, EventSet, EventStoreExt as _, MemoryStore, Split, tags};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Event, Serialize, Deserialize)]
/// #[event(name = "account.moved", tags(account = account))]
/// struct Moved { account: u64, cents: i64 }
///
/// #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[event(name = "money.deposited", tags(account = account), split_from(Movements))]
/// struct Deposited { account: u64, cents: u64 }
///
/// #[derive(Event, Clone, Debug, PartialEq, Serialize, Deserialize)]
/// #[event(name = "money.withdrawn", tags(account = account), split_from(Movements))]
/// struct Withdrawn { account: u64, cents: u64 }
///
/// #[derive(EventSet, Clone, Debug, PartialEq)]
/// enum MoneyEvent { Deposited(Deposited), Withdrawn(Withdrawn) }
///
/// struct Movements;
/// impl Split for Movements {
///     type Old = Moved;
///     type Into = MoneyEvent;
///     fn split(Moved { account, cents }: Moved) -> Vec<MoneyEvent> {
///         match cents {
///             0 => vec![],
///             1.. => vec![Deposited { account, cents: cents.unsigned_abs() }.into()],
///             _ => vec![Withdrawn { account, cents: cents.unsigned_abs() }.into()],
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = MemoryStore::new();
/// # let moved = Moved { account: 1, cents: -5 }.encode()?;
/// # store.append_one(factlog_core::Event::new(moved.name.parse()?, moved.data).tagged(moved.tags)).await?;
/// // `account.moved` was recorded with -5 cents.
/// let history = App::new(store).history::<Withdrawn>(tags![account = 1]?).await?;
/// assert_eq!(history[0].event, Withdrawn { account: 1, cents: 5 });
/// # Ok(()) }
/// ```
///
/// A view sees a fact if what is stored and the fact itself have the tags it asks for: a transfer that was one event
/// with two accounts' tags is one account's withdrawal and the other's deposit.
///
/// What is stored is a struct like any other; where no struct fits it, let it hold a `serde_json::Value`. If the old
/// event lives on in a higher version, `Old` is its last version before that, and `Into` has the present one too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how an older event is split",
    label = "no `Split` here",
    note = "write `impl Split for {Self} {{ type Old = ...; type Into = ...; fn split(old: Self::Old) -> Vec<Self::Into> {{ ... }} }}`"
)]
pub trait Split: 'static {
    /// What is stored, with all its older names and versions.
    type Old: Event;
    /// What it is read as.
    type Into: EventSet;

    /// The facts that one stored event amounts to, in order. Total and pure: what is stored always has a meaning, and
    /// always the same. Raise the [`View::VERSION`](crate::View::VERSION) of views that keep snapshots when it changes.
    fn split(old: Self::Old) -> Vec<Self::Into>;
}

/// One fact of a stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact<E> {
    /// The fact.
    pub event: E,
    /// Its place among the facts of one stored event, from 0.
    pub index: u32,
    /// The labels it would be stored with, if it is not what is stored itself.
    pub tags: Option<Tags>,
}

impl<E> Fact<E> {
    /// What is stored itself.
    pub fn stored(event: E) -> Self {
        Self { event, index: 0, tags: None }
    }

    /// The same fact as one of a set.
    pub fn map<S>(self, set: impl FnOnce(E) -> S) -> Fact<S> {
        Fact { event: set(self.event), index: self.index, tags: self.tags }
    }
}

/// The facts of type `E` that an older event is split into; for the derive.
pub fn split<S: Split, E: Event>(
    stored: &Stored<'_>,
    fact: &mut dyn FnMut(Fact<E>),
) -> Result<(), CodecError> {
    if !S::Old::SOURCES.contains(&stored.event_type) {
        return Ok(());
    }
    if S::Old::VERSION < stored.version && <S::Old as Event>::NAMES.contains(&stored.event_type) {
        return lives_on::<S>(stored);
    }
    let (mut index, mut failed) = (0, None);
    <S::Old as Event>::facts(stored, &mut |old| {
        for new in S::split(old.event) {
            match one_of(&new, index) {
                Ok(Some(found)) => fact(found),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
            index += 1;
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// What was split, if it is an `E`.
fn one_of<S: EventSet, E: Event>(new: &S, index: u32) -> Result<Option<Fact<E>>, CodecError> {
    let encoded = new.encode()?;
    if E::NAME != encoded.name {
        return Ok(None);
    }
    let stored = Stored { event_type: encoded.name, version: encoded.version, data: &encoded.data };
    Ok(Some(Fact { event: E::decode(&stored)?, index, tags: Some(encoded.tags) }))
}

/// A version after the last one that is split: no fact of ours, if the event it lives on as can read it.
fn lives_on<S: Split>(stored: &Stored<'_>) -> Result<(), CodecError> {
    let known = |(name, version): &(&str, u32)| *name == stored.event_type && stored.version <= *version;
    if S::Into::SCHEMAS.iter().any(known) {
        return Ok(());
    }
    match S::Into::decode(stored) {
        Err(error) if error.is_unknown_type() => <S::Old as Event>::decode(stored).map(drop),
        other => other.map(drop),
    }
}
