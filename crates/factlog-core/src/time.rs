//! Time as data: [`Timestamp`] and the [`Clock`] it comes from.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// An instant in UTC with microsecond precision.
///
/// Shown and parsed as RFC 3339.
///
/// ```
/// # use factlog_core::Timestamp;
/// let time: Timestamp = "1994-03-31T12:00:00+02:00".parse()?;
/// assert_eq!(time.to_string(), "1994-03-31T10:00:00Z");
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z; negative before it.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} µs since 1970", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl FromStr for Timestamp {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let time = text.parse::<jiff::Timestamp>().map_err(|cause| {
            Error::invalid(format!("{text:?} is no RFC 3339 time such as 2026-11-21T10:00:00Z"))
                .because(cause)
        })?;
        Ok(Self(time.as_microsecond()))
    }
}

/// Where the present comes from. It enters a store or a framework through a parameter.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The present instant. It may jump; whoever needs order keeps it itself.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
        let now = std::time::SystemTime::now();
        match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
            Err(before) => {
                Timestamp(i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros))
            }
        }
    }
}
