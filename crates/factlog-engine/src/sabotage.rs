//! Deliberate bugs, to see whether the simulator notices them: a harness that finds nothing proves nothing.
//!
//! Without the feature `simulation` none of this is compiled. With it a bug is planted for one thread, and by nobody but
//! a simulator's sensitivity check.

use std::cell::Cell;

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Bug {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

bugs! {
    /// Groups are answered when their write has begun.
    AcknowledgeBeforeDurable,
    /// Groups are answered as their writes end, not in their order.
    AnswerOutOfOrder,
    /// The content of a new segment is not synced.
    SkipSegmentSync,
    /// The name of a new segment is not synced.
    SkipSegmentDirectorySync,
    /// The content of a new manifest is not synced.
    SkipManifestSync,
    /// The name of a new manifest is not synced.
    SkipManifestDirectorySync,
    /// A new write-ahead file is not synced.
    SkipWriteAheadSync,
    /// The name of a new write-ahead file is not synced.
    SkipWriteAheadDirectorySync,
    /// Sealing frees one write-ahead file too many.
    FreeOneFileTooMany,
    /// An opening has the epoch of the one before.
    EpochStays,
    /// Recovery takes frames of an earlier epoch behind those of a later one.
    AnyEpochFollows,
    /// Recovery cuts off the last whole frame of a file too.
    CutOneFrameTooMany,
    /// A subscription goes on one event too far.
    ResumeOffByOne,
    /// A subscription passes over what was committed while it slept.
    PassOverNews,
    /// A read ends in front of the head.
    ReadEndsEarly,
    /// A backward read leaves out its first event.
    BackwardsOffByOne,
    /// Conditions are checked where the append was asked, not where it is decided.
    ConditionOutsideWriter,
    /// Conditions are checked against what is not sealed only.
    ConditionForgetsSealed,
    /// Revisions are compared with the number of events.
    RevisionOffByOne,
    /// Streams begin anew where the sealed log ends.
    RevisionRestarts,
    /// A repeated append is not recognised while its first is not sealed.
    RepeatForgottenInTail,
    /// A repeated append is not recognised once its first is sealed.
    RepeatForgottenInSegments,
    /// A refused append is written all the same.
    ConflictIsWritten,
    /// Merged runs of the index are passed over.
    MergedRunSkipped,
    /// The index of a segment has no tags.
    SealForgetsTags,
    /// Tracking is not written when it is sealed.
    TrackingNotSealed,
    /// Tracking is not read from frames.
    TrackingNotRecovered,
    /// Tracking may go back.
    TrackingUnchecked,
    /// The clock is taken as it is.
    TimeGoesBack,
    /// What was recorded at the very time is not recorded by then.
    TimeIsExclusive,
    /// An opening does not make the names durable that are there.
    NamesNotSyncedAgain,
    /// An opening does not make the store's own directory durable that is there.
    DirectoryNotSyncedAgain,
    /// The checksum of a block is not compared.
    BlockUnchecked,
    /// The checksum of an index page is not compared.
    PageUnchecked,
    /// The checksum of a frame is not compared.
    FrameUnchecked,
    /// The checksum of a manifest is not compared.
    ManifestUnchecked,
    /// A damaged frame ends the log, whatever a later one vouches for.
    HoleEndsLog,
    /// A damaged store is served as if nothing were missing.
    HoleIsPassedOver,
    /// Tracking is told of a damaged store as if nothing were missing.
    TrackingPassesOverHole,
    /// What an opening makes durable again is written as it reads, whole or not.
    WriteAgainUnchecked,
    /// Both copies of the manifest are one.
    ManifestHasOneCopy,
    /// A store is written in spite of damage.
    DamageIsWritable,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug for this thread, or none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

pub(crate) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
