//! The shapes of events as a committed file, `events.lock`, checked by a test of the program that has the events.
//!
//! * A [`Catalog`] takes the events of every set, with each version that is still read, and makes a
//!   [`Lock`] of them: names, versions, JSON Schemas and fingerprints.
//! * [`Catalog::check`] holds it against the committed file and says, in words, what a difference means for programs
//!   and data that are there already. `factlog schema` does the same for two files, in CI.
//!
//! Needs the feature `schema`. Events, their fields, and older versions derive [`schemars::JsonSchema`] as well; where
//! a type only needs a shape in tests, `#[cfg_attr(test, derive(JsonSchema))]` keeps it out of the program.
//!
//! ```
//! # extern crate factlog_app as factlog;
//! use factlog::schema::{Catalog, schemars::JsonSchema};
//! use factlog::{Event, EventSet};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Event, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
//! # #[schemars(crate = "factlog::schema::schemars")]
//! #[event(name = "account.opened")]
//! struct Opened { owner: String }
//!
//! #[derive(Event, JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
//! # #[schemars(crate = "factlog::schema::schemars")]
//! #[event(name = "account.closed")]
//! struct Closed;
//!
//! #[derive(EventSet, Clone, Debug, PartialEq)]
//! enum AccountEvent { Opened(Opened), Closed(Closed) }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = std::env::temp_dir().join(format!("factlog-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&home)?;
//! # let file = home.join("events.lock");
//! let catalog = Catalog::new().with::<AccountEvent>();
//! assert_eq!(catalog.lock()?.get("account.opened").map(|event| event.version), Some(1));
//! // In a test; the path is relative to the package: catalog.check("events.lock")?;
//! # std::fs::write(&file, catalog.lock()?.to_text())?;
//! # catalog.check(&file)?;
//! # std::fs::remove_dir_all(&home)?;
//! # Ok(()) }
//! ```

mod check;
mod describe;

use std::collections::{BTreeMap, BTreeSet};

pub use check::{CheckError, Checked, UPDATE_VARIABLE};
pub use describe::Described;
pub use factlog_schema::{
    Change, Comparison, Event as EventShape, EventChange, Lock, LockError, Problem, Shape, Verdict, compare,
};
pub use schemars;

use crate::EventSet;
use crate::lineage::Members;

/// The events of a program, and the shape of every version that it reads.
///
/// See the [module](self) for an example.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    events: Vec<EventShape>,
    /// What is read only to be split, with the names it is split into.
    splits: BTreeMap<String, (EventShape, BTreeSet<String>)>,
}

impl Catalog {
    /// Without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the events of this set too, or this one event; one that is in several sets counts once.
    #[must_use]
    pub fn with<E>(mut self) -> Self
    where
        E: EventSet + Members,
        E::Tree: Described,
    {
        <E::Tree as Described>::describe(&mut self);
        self
    }

    /// What the file is to say.
    ///
    /// # Errors
    /// Where two events that differ are stored under one name.
    pub fn lock(&self) -> Result<Lock, LockError> {
        let lives =
            |split: &EventShape| self.events.iter().any(|event| event.names().any(|name| name == split.name));
        // What lives on in a higher version is not given up by being split, too.
        let splits = self
            .splits
            .values()
            .filter(|(split, _)| !lives(split))
            .map(|(split, into)| EventShape { split_into: into.clone(), ..split.clone() });
        Lock::new(self.events.iter().cloned().chain(splits))
    }

    fn add(&mut self, event: EventShape) {
        self.events.push(event);
    }

    fn add_split(&mut self, old: EventShape, into: &str) {
        let (_, names) = self.splits.entry(old.name.clone()).or_insert_with(|| (old, BTreeSet::new()));
        names.insert(into.to_owned());
    }
}
