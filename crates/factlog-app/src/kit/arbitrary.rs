//! Strategies for `proptest`: events of a set, made from the shapes that its structs have, and sequences of them.
//!
//! Needs the feature `proptest`, and with it `JsonSchema` on each event as for [`schema`](crate::schema); in a test
//! `#[cfg_attr(test, derive(JsonSchema))]` is enough.
//!
//! * What is made is JSON of the struct's JSON Schema, read as an event of the set. What serde does not read, and what
//!   cannot be recorded, is thrown away and made again: a struct that refuses nearly all of its schema's values (by
//!   `try_from`, say) is too rare for it and needs a strategy of its own.
//! * Small numbers, short texts and a few ids are more likely than others, so that events meet on the same ids. Numbers
//!   still come from their whole type, and texts hold any character.
//! * It knows shapes, not rules: a sequence of events is any sequence, also one that no command would have decided. To
//!   test rules, make commands.
//! * Formats known are `uuid`, `date`, `date-time`, `partial-date-time`, `ipv4` and `ipv6`, and whatever has a `pattern`.
//!   Recursive types are made two levels deep, lists and maps with at most three items.
//!
//! ```
//! # extern crate factlog_app as factlog;
//! use factlog::arbitrary::any_events;
//! use factlog::schema::schemars::JsonSchema;
//! use factlog::{Event, EventSet, given};
//! use proptest::prelude::*;
//! use serde::{Deserialize, Serialize};
//! # use factlog::{Result, Tags, View, tags};
//!
//! #[derive(Event, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
//! # #[schemars(crate = "factlog::schema::schemars")]
//! #[event(name = "money.deposited", tags(account = account))]
//! struct Deposited { account: u64, cents: u32 }
//! # #[derive(Default, Clone, Debug, PartialEq, Serialize, Deserialize)]
//! # struct Balance(u128);
//! # impl View for Balance {
//! #     type Id = u64;
//! #     type Event = Deposited;
//! #     const NAME: &'static str = "balance";
//! #     fn tags(account: &u64) -> Result<Tags> { tags![account = account] }
//! #     fn apply(&mut self, event: &Deposited) { self.0 += u128::from(event.cents); }
//! # }
//!
//! proptest!(|(mut events in any_events::<Deposited>(1..20))| {
//!     events[0].account = 1;
//!     given(events).snapshots_equal_replay::<Balance>(&1);
//! });
//! ```

mod json;

use std::fmt::Debug;

use proptest::collection::{SizeRange, vec};
use proptest::strategy::{Strategy, Union};
use serde_json::Value;

use crate::lineage::Members;
use crate::schema::{Catalog, Described};
use crate::{EventSet, Stored};

/// Any event of the set, each type as likely as another, in its present shape.
///
/// See the [module](self) for an example and for what it can make.
///
/// # Panics
/// Where two events of the set that differ are stored under one name.
pub fn any_event<E>() -> impl Strategy<Value = E> + Clone + use<E>
where
    E: EventSet + Members + Debug,
    E::Tree: Described,
{
    let lock = match Catalog::new().with::<E>().lock() {
        Ok(lock) => lock,
        Err(error) => panic!("{error}"),
    };
    let events = E::SCHEMAS.iter().map(|(name, version)| {
        let shape = lock.get(name).and_then(|event| event.shapes.get(version));
        let shape = shape.expect("the catalog has the present shape of each event of the set");
        let why = format!(
            "{name} version {version} refuses what is made of its shape; give it a strategy of its own"
        );
        json::of(&shape.reads).prop_filter_map(why, move |data| read::<E>(name, *version, &data)).boxed()
    });
    Union::new(events)
}

/// So many of [any event](any_event) of the set: `any_events::<AccountEvent>(0..20)`.
///
/// # Panics
/// As [`any_event`].
pub fn any_events<E>(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<E>>
where
    E: EventSet + Members + Debug,
    E::Tree: Described,
{
    vec(any_event::<E>(), count)
}

/// The event, if serde reads it and it can be recorded.
fn read<E: EventSet>(name: &str, version: u32, data: &Value) -> Option<E> {
    let data = serde_json::to_vec(data).ok()?;
    let event = E::decode(&Stored { event_type: name, version, data: &data }).ok()?;
    event.encode().ok()?;
    Some(event)
}
