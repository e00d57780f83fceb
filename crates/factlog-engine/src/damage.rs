//! Damage: a place where stored bytes are not what was written, said so that a person can act on it.

use std::fmt;

use factlog_core::{Error, Position, Result};

use crate::shared::Shared;

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the store's directory.
    pub file: String,
    /// Where in the file the damaged part begins, in bytes.
    pub offset: u64,
    /// The first position that cannot be served, where positions are concerned.
    pub first: Option<Position>,
    /// The last position that cannot be served.
    pub last: Option<Position>,
    /// What is wrong.
    pub what: String,
}

impl Damage {
    pub(crate) fn new(
        file: impl Into<String>,
        offset: u64,
        lost: (u64, u64),
        what: impl Into<String>,
    ) -> Self {
        let (first, last) = lost;
        let range = (first <= last).then(|| (Position::new(first), Position::new(last)));
        let (first, last) = range.unwrap_or((None, None));
        Self { file: file.into(), offset, first, last, what: what.into() }
    }

    /// The range of positions that cannot be served.
    pub(crate) fn lost(&self) -> Option<(u64, u64)> {
        self.first.zip(self.last).map(|(first, last)| (first.get(), last.get()))
    }

    /// The same as an error of kind [`ErrorKind::Corrupt`](factlog_core::ErrorKind::Corrupt).
    pub(crate) fn to_error(&self) -> Error {
        Error::corrupt(format!("{self}; run `factlog verify` and restore the file from a copy"))
    }
}

impl Shared {
    /// Tracking as of the sealed log is in the manifest; what came since is in the write-ahead log only.
    ///
    /// # Errors
    /// `Corrupt` when some of that is lost.
    pub(crate) fn is_tracking_known(&self) -> Result<()> {
        let sealed = self.view().sealed();
        let lost = |damage: &&Damage| damage.lost().is_some_and(|(_, last)| sealed < last);
        let known = self.damage.iter().find(lost).filter(|_| !planted!(TrackingPassesOverHole));
        known.map_or(Ok(()), |damage| Err(damage.to_error()))
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged at offset {}", self.file, self.offset)?;
        match self.lost() {
            Some((first, last)) if first == last => write!(f, " (position {first})")?,
            Some((first, last)) => write!(f, " (positions {first} to {last})")?,
            None => f.write_str(" (no position is lost)")?,
        }
        write!(f, ": {}", self.what)
    }
}
