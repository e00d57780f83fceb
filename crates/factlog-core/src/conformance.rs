//! The promises of [`EventStore`] as functions: each store calls all of them.
//!
//! One named async function per promise, grouped by what it is about. A function panics when the store breaks
//! the promise; its documentation tells the failure this would be for a user. Each restarts the store in its
//! middle through [`Subject::restart`], so that a durable store is checked across close and reopen.
//!
//! The suite knows no store: it sees a [`Subject`] and nothing but the public API. It needs no runtime
//! ([`block_on`] is all it polls with) and it never waits for time to pass. Racers are threads of their own.
//!
//! # Using it
//!
//! ```
//! use std::sync::Arc;
//! use factlog_core::conformance::{ManualClock, Subject};
//! use factlog_core::{BoxFuture, EventStore, MemoryStore, Timestamp};
//!
//! struct InMemory { store: Arc<MemoryStore>, clock: Arc<ManualClock> }
//!
//! impl Subject for InMemory {
//!     fn store(&self) -> Arc<dyn EventStore> { self.store.clone() }
//!     fn restart(&self) -> BoxFuture<'_, ()> { Box::pin(async {}) } // nothing to reopen
//!     fn set_time(&self, time: Timestamp) { self.clock.set(time); }
//! }
//!
//! fn in_memory() -> InMemory {
//!     let clock = Arc::new(ManualClock::default());
//!     InMemory { store: Arc::new(MemoryStore::with_clock(clock.clone())), clock }
//! }
//!
//! factlog_core::conformance_tests!(in_memory); // one #[test] per promise
//! # use factlog_core::conformance::{self, block_on};
//! # block_on(conformance::append::positions_and_revisions_are_dense(&in_memory()));
//! ```

use std::sync::Arc;

use crate::{BoxFuture, EventStore, Timestamp};

mod drive;
mod harness;

pub mod append;
pub mod conditions;

pub use drive::{ManualClock, block_on};

/// What a store's test hands over: a store that is empty at first, and the means to restart it and its clock.
pub trait Subject: Send + Sync {
    /// The store as it is now. After a [`restart`](Self::restart) the suite asks again.
    fn store(&self) -> Arc<dyn EventStore>;

    /// Closes and reopens the store where that can be; does nothing for a store that lives in memory.
    ///
    /// # Panics
    /// When the store does not close or open.
    fn restart(&self) -> BoxFuture<'_, ()>;

    /// Sets the clock that the store was opened with. It may jump back.
    fn set_time(&self, time: Timestamp);
}

/// One promise to check, for those who run the suite without [`conformance_tests!`](crate::conformance_tests).
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is about: the name of its module here.
    pub about: &'static str,
    /// The promise: the name of its function.
    pub name: &'static str,
    /// Checks it; panics where it is broken.
    pub run: for<'a> fn(&'a dyn Subject) -> BoxFuture<'a, ()>,
}

/// Every promise of the suite.
pub const ALL: &[Scenario] = crate::conformance_tests!(@list all);

/// Expands to one `#[test]` per promise, each on a subject of its own.
///
/// Its argument is a function (or closure) without parameters that makes a [`Subject`] on an empty store.
/// See [`conformance`](crate::conformance) for an example.
#[macro_export]
macro_rules! conformance_tests {
    (@list $($then:tt)*) => {
        $crate::conformance_tests! { @$($then)*;
            append {
                positions_and_revisions_are_dense
            }
            conditions {
                stale_boundary_conflicts
            }
        }
    };
    (@all; $($about:ident { $($name:ident)* })*) => {
        &[$($($crate::conformance::Scenario {
            about: stringify!($about),
            name: stringify!($name),
            run: |subject| Box::pin($crate::conformance::$about::$name(subject)),
        }),*),*]
    };
    (@tests $make:expr; $($about:ident { $($name:ident)* })*) => {
        $($(
            #[test]
            fn $name() {
                let subject = ($make)();
                $crate::conformance::block_on($crate::conformance::$about::$name(&subject));
            }
        )*)*
    };
    ($make:expr) => { $crate::conformance_tests!(@list tests $make); };
}
