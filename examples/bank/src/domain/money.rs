//! Money as whole minor units, read and shown exactly. It knows no currency and no account.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in hundredths, exact; may be negative.
///
/// Adding checks for overflow and panics on it: the rules let no single movement exceed
/// [`Money::MOVEMENT_MAX`], so that it would take 92 million of the largest on one account to get there.
///
/// ```
/// use bank::domain::Money;
///
/// let fee: Money = "14.60".parse()?;
/// assert_eq!((Money::ZERO - fee).to_string(), "-14.60");
/// assert!("14.605".parse::<Money>().is_err());
/// # Ok::<(), bank::domain::MoneyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Money(i64);

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no amount; write digits with at most two decimals, such as 1200.50")]
pub struct MoneyError {
    text: String,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most that one movement may move: 1,000,000,000.00.
    pub const MOVEMENT_MAX: Self = Self(100_000_000_000);

    /// This many hundredths.
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// The hundredths.
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// Whether it is more than nothing.
    pub const fn is_positive(self) -> bool {
        0 < self.0
    }

    /// How far two amounts are apart; never negative.
    #[must_use]
    pub fn distance(self, other: Self) -> Self {
        if self < other { other - self } else { self - other }
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("an account holds less than 9.2e16"))
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("an account holds less than 9.2e16"))
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let minor = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:02}", minor / 100, minor % 100))
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        minor_units(text).map(Self).ok_or_else(|| MoneyError { text: text.to_owned() })
    }
}

impl TryFrom<String> for Money {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

/// The hundredths a text such as `-12`, `12.5` or `12.50` names.
fn minor_units(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, decimals) = match digits.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (digits, ""),
    };
    let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || 2 < decimals.len() || !only_digits(whole) || !only_digits(decimals) {
        return None;
    }
    let minor: i64 = format!("{whole}{decimals:0<2}").parse().ok()?;
    Some(if negative { -minor } else { minor })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_exactly_what_people_write() {
        for (text, minor) in
            [("0", 0), ("7", 700), ("7.5", 750), ("-0.01", -1), ("39246142.80", 3_924_614_280)]
        {
            assert_eq!(text.parse(), Ok(Money::from_minor(minor)), "{text}");
        }
    }

    #[test]
    fn never_guesses_an_amount() {
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "1.234",
            "1,000",
            "+1",
            "1e3",
            " 1",
            "--1",
            "1.-1",
            "NaN",
            "92233720368547758.08",
        ] {
            assert!(text.parse::<Money>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn an_overflow_is_never_silent() {
        let most = Money::from_minor(i64::MAX);
        assert!(std::panic::catch_unwind(|| most + Money::from_minor(1)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(minor in -i64::MAX..=i64::MAX) {
            let money = Money::from_minor(minor);
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
    }
}
