//! What principals are called.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Error, Result};

/// Bytes of a principal's name.
const PRINCIPAL_BYTES_MAX: usize = 255;

/// The name of a principal: 1 to 255 bytes of UTF-8 without white space and control characters.
///
/// ```
/// # use factlog_core::access::PrincipalName;
/// assert_eq!(PrincipalName::new("orders-service")?.as_str(), "orders-service");
/// assert!(PrincipalName::new("two words").is_err());
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrincipalName(Arc<str>);

impl PrincipalName {
    /// Checks the bound and takes the text as it is.
    ///
    /// # Errors
    /// `Invalid` when the text is empty, too long, or has white space or control characters in it.
    pub fn new(text: &str) -> Result<Self> {
        if text.is_empty() || PRINCIPAL_BYTES_MAX < text.len() {
            let (length, max) = (text.len(), PRINCIPAL_BYTES_MAX);
            return Err(Error::invalid(format!("principal has {length} bytes; 1 to {max} are allowed")));
        }
        if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return Err(Error::invalid(format!("principal {text:?} has white space in it; leave it out")));
        }
        Ok(Self(text.into()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PrincipalName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}
