//! Names of accounts, checked once where they come in. It knows no store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The number or name of an account: 1 to 64 letters, digits, `_` and `-`.
///
/// Accounts are ordered as people expect of numbers: the shorter name first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

/// Why a text names no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no account; write 1 to 64 letters, digits, '_' or '-', such as 2378")]
pub struct AccountIdError {
    text: String,
}

impl AccountId {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialOrd for AccountId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AccountId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, AccountIdError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if text.is_empty() || 64 < text.len() || !text.bytes().all(allowed) {
            return Err(AccountIdError { text: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for AccountId {
    type Error = AccountIdError;
    fn try_from(text: String) -> Result<Self, AccountIdError> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_mistaken_in_a_tag_or_path_is_refused() {
        for text in ["", "a:b", "a b", "../x", "ä", &"9".repeat(65)] {
            assert!(text.parse::<AccountId>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn account_9_comes_before_account_10() {
        let id = |text: &str| text.parse::<AccountId>().unwrap();
        assert!(id("9") < id("10"));
    }
}
