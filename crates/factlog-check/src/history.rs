//! What clients asked of a store and were told, and when: what a checker needs to know of a run.

use factlog_core::{
    Append, Appended, Conflict, Position, Query, ReadOptions, RecordedEvent, StartFrom, Timestamp,
    TrackingSource,
};

/// A moment of a run: a counter that grows with everything that happens, not a time.
pub type Moment = u64;

/// A run as its clients saw it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Everything that was asked, in the order of asking.
    pub operations: Vec<Operation>,
    /// The whole log after the last crash and repair, in order.
    pub log: Vec<RecordedEvent>,
}

/// One question and its answer.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Who asked. A client asks one thing after the other.
    pub client: u32,
    /// When it was asked.
    pub begun: Moment,
    /// When the answer came; `None` if none ever came, because the store was gone by then. Without it the answers in
    /// `what` mean nothing, but those of deliveries and of an append that is said to be recorded or not.
    pub ended: Option<Moment>,
    /// What it was.
    pub what: What,
}

/// What was asked, and the answer.
#[derive(Clone, Debug)]
pub enum What {
    /// An append.
    Append {
        /// As it was given to the store.
        append: Append,
        /// What became of it.
        outcome: Outcome,
    },
    /// A read that was consumed at once.
    Read {
        /// What was looked for.
        query: Query,
        /// Where, how many, which way.
        options: ReadOptions,
        /// The head that the read said it was of.
        head: Option<Position>,
        /// What was found.
        found: Vec<RecordedEvent>,
    },
    /// What a subscription delivered in one go, from where it was begun or went on. The first of a subscription begins
    /// before the call that makes it: that is what "from the end" is measured against.
    Deliveries {
        /// The subscription: its deliveries follow each other.
        subscription: u64,
        /// What it asked for.
        query: Query,
        /// Where the subscription began.
        from: StartFrom,
        /// What came, in order.
        found: Vec<RecordedEvent>,
    },
    /// A subscription said that it had delivered all that matches up to the head. It follows the first
    /// [`What::Deliveries`] of the same subscription, which may have found nothing.
    CaughtUp {
        /// The subscription.
        subscription: u64,
        /// The head it had caught up with.
        found: Option<Position>,
    },
    /// How far a source was tracked.
    Tracking {
        /// The source.
        source: TrackingSource,
        /// What the store said.
        found: Option<Position>,
    },
    /// The last position recorded at or before a time.
    PositionAt {
        /// The time.
        time: Timestamp,
        /// What the store said.
        found: Option<Position>,
    },
    /// The head.
    Head {
        /// What the store said.
        found: Option<Position>,
    },
}

/// What became of an append.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is recorded.
    Appended(Appended),
    /// Its conditions did not hold; nothing was written.
    Conflict(Conflict),
    /// It was refused for another reason; nothing was written.
    Refused,
    /// Nobody knows: the store said so, or was gone before it answered.
    Unknown,
}
