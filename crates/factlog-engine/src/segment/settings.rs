//! How a segment is written: a matter of speed and size only, any reader reads any of it.

use bytes::Bytes;

/// How much work compressing may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// None.
    Raw,
    /// zstd level 3. Level 1 is hardly faster, and no smaller.
    Dense,
}

impl Codec {
    pub(super) fn level(self) -> i32 {
        match self {
            Self::Raw => 0,
            Self::Dense => 3,
        }
    }
}

/// Where a segment's dictionary comes from. It is never used where it does not pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DictionaryPolicy {
    /// There is none.
    Without,
    /// Learned from the segment's first records: about 0.1 s of work.
    Train,
    /// That of a segment before, learned anew if it no longer pays.
    Reuse(Bytes),
}

/// How a segment is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) codec: Codec,
    pub(crate) dictionary: DictionaryPolicy,
    /// Records are gathered into blocks of at most this size; a larger record has a block of its own.
    pub(crate) block_bytes: usize,
}

impl Default for Settings {
    /// 4 KiB: with a dictionary 7 % larger than 8 KiB, and a look-up of one event takes half as long.
    fn default() -> Self {
        Self { codec: Codec::Dense, dictionary: DictionaryPolicy::Train, block_bytes: 4 << 10 }
    }
}
