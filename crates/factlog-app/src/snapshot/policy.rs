//! When a fold is worth keeping.

use std::time::Duration;

use crate::Event;
use crate::slot::Slot;

/// When a load leaves a snapshot of a view.
///
/// ```
#[doc = include_str!("../docs/counter.txt")]
/// use factlog::snapshot::{MemorySnapshots, SnapshotPolicy};
/// let policy = SnapshotPolicy::every(100)
///     .or(SnapshotPolicy::slower_than(std::time::Duration::from_millis(5)))
///     .or(SnapshotPolicy::on_event::<Raised>());
/// let app = App::builder(MemoryStore::new()).snapshots(Snapshots::new(policy, MemorySnapshots::default())).build();
/// app.execute(Raise { counter: 1 }).await?;
/// app.load::<Counter>(&1).await?;
/// assert_eq!(app.snapshot_counts().written, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotPolicy {
    every: Option<u64>,
    slower_than: Option<Duration>,
    on_events: Vec<&'static str>,
}

impl SnapshotPolicy {
    /// None: the view is always folded from its first event, or from memory.
    pub fn never() -> Self {
        Self::default()
    }

    /// Where the load after this one would read `events` events or more; `1` for after every event. As long as views
    /// are loaded at least so often, none reads more than `events`.
    pub fn every(events: u64) -> Self {
        Self { every: Some(events.max(1)), ..Self::default() }
    }

    /// Where reading and folding took longer than this by the app's clock, and folded anything.
    pub fn slower_than(time: Duration) -> Self {
        Self { slower_than: Some(time), ..Self::default() }
    }

    /// Where an event of this type, under any name it ever had, was folded since the last snapshot: the end of a month,
    /// the closing of an order.
    pub fn on_event<E: Event>() -> Self {
        Self { on_events: E::NAMES.to_vec(), ..Self::default() }
    }

    /// Where either says so.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.every = self.every.into_iter().chain(other.every).min();
        self.slower_than = self.slower_than.into_iter().chain(other.slower_than).min();
        self.on_events.extend(other.on_events);
        self
    }

    /// Whether a fold that a load came to in so many microseconds is worth keeping.
    pub(crate) fn wants(&self, slot: &dyn Slot, took: i64) -> bool {
        let unsaved = slot.progress().unsaved;
        // The next load reads the snapshot's last event as well, to prove it.
        let far = self.every.is_some_and(|every| every <= unsaved + 1);
        let slow = self.slower_than.is_some_and(|most| most.as_micros() < u128::try_from(took).unwrap_or(0));
        let met = || self.on_events.iter().any(|name| slot.has_met(name));
        0 < unsaved && (far || slow || met())
    }
}
