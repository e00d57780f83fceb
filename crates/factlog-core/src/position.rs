//! Places: [`Position`] in the store's one total order, [`Revision`] in a stream.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use crate::{Error, Result};

/// A place in the store's one total order: the first event is 1, dense, assigned at commit.
///
/// "Nothing yet" is `None`, never zero, so that `Option<Position>` serves as an exclusive lower bound.
///
/// ```
/// # use factlog_core::Position;
/// assert_eq!(Position::FIRST.next().get(), 2);
/// assert_eq!(Position::new(0), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(NonZeroU64);

impl Position {
    /// The position of a store's first event.
    pub const FIRST: Self = Self(NonZeroU64::MIN);
    /// The greatest position there can be.
    pub const MAX: Self = Self(NonZeroU64::MAX);

    /// The position with this number, or `None` for zero.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// Its number, 1 or more.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The place after this one.
    ///
    /// # Panics
    /// After 2^64 - 1 events.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("fewer than 2^64 events"))
    }

    /// The place before this one, or `None` before the first.
    pub fn previous(self) -> Option<Self> {
        Self::new(self.get() - 1)
    }

    /// The number behind an optional position, with 0 for "nothing".
    pub fn number(position: Option<Self>) -> u64 {
        position.map_or(0, Self::get)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({})", self.0)
    }
}

impl FromStr for Position {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let number = text
            .parse()
            .map_err(|_| Error::invalid(format!("{text:?} is no position; give 1, 2, 3, ...")))?;
        Ok(Self(number))
    }
}

/// A place in a stream: the first event is 0, dense.
///
/// ```
/// # use factlog_core::Revision;
/// assert_eq!(Revision::FIRST.next(), Revision::new(1));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The revision of a stream's first event.
    pub const FIRST: Self = Self(0);

    /// The revision with this number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The place after this one.
    ///
    /// # Panics
    /// After 2^64 - 1 events.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("fewer than 2^64 events"))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({})", self.0)
    }
}

impl FromStr for Revision {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let number = text
            .parse()
            .map_err(|_| Error::invalid(format!("{text:?} is no revision; give 0, 1, 2, ...")))?;
        Ok(Self(number))
    }
}
