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
mod generate;
mod harness;

pub mod append;
pub mod bounds;
pub mod closing;
pub mod conditions;
pub mod idempotency;
pub mod reads;
pub mod subscriptions;
pub mod time;
pub mod tracking;

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

    /// Whether the way to the store may bring an append there more than once, as a client does that sends again what a torn connection
    /// left unanswered. The promises are the same. But an answer is then about the copy that was answered: it may say `deduplicated`
    /// because an earlier copy was written, and name what broke a condition by then, which is more than at first.
    fn sends_again(&self) -> bool {
        false
    }
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
                what_is_appended_is_what_is_read
                positions_and_revisions_are_dense
                an_append_is_seen_whole
                a_refused_append_leaves_no_trace
                what_is_acknowledged_is_visible_and_stays
                a_checkpoint_never_skips
                appends_take_their_place_in_the_order_of_calls
            }
            conditions {
                stale_boundary_conflicts
                a_boundary_is_exact
                conditions_count_appends_in_flight
                each_expected_revision_is_exact
                all_failed_conditions_are_told_in_order
                sixteen_racers_withdraw_what_is_there
                racers_on_one_revision_have_one_winner
                crossing_boundaries_have_one_winner
                disjoint_boundaries_never_conflict
            }
            idempotency {
                a_repeat_answers_where_the_events_are
                a_first_id_with_other_content_is_invalid
                racing_repeats_record_once
                a_repeat_leaves_tracking_alone
            }
            tracking {
                tracking_grows_or_conflicts
                tracking_and_events_are_one_commit
                tracking_counts_appends_in_flight
                racing_consumers_process_each_position_once
            }
            reads {
                an_empty_store_reads_as_empty
                a_read_ends_at_the_head_it_started_with
                each_bound_of_a_read_is_exact
                the_index_agrees_with_matches
                senseless_reads_are_invalid
            }
            subscriptions {
                a_subscription_catches_up_says_so_and_goes_on
                a_subscription_starts_where_it_is_told
                nothing_is_lost_or_repeated_at_the_hand_over
                a_filtered_subscription_passes_what_does_not_match
                a_slow_subscriber_loses_nothing
                every_checkpoint_resumes_exactly
            }
            bounds {
                data_and_metadata_are_bounded
                events_of_one_append_are_bounded
                bytes_of_one_append_are_bounded
                queries_and_conditions_are_bounded
                tracking_sources_are_bounded
            }
            time {
                recorded_at_never_decreases
                an_append_has_one_time_and_the_head_tells_it
                positions_are_found_by_time
                what_was_known_then_stays_known
            }
            closing {
                after_close_everything_says_closed
                closing_ends_subscriptions
                a_racing_close_loses_nothing_acknowledged
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
