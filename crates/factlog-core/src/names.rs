//! Validated names: event types, tags, stream ids, categories, tracking sources.
//!
//! A value of one of these types is within its bound by construction and cheap to clone. None of
//! them knows what it names.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use crate::limits;
use crate::{Error, Result};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the bound and takes the text as it is.
            ///
            /// # Errors
            /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when the text is empty or too long.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self> {
                let text = text.into();
                check($what, &text, $max)?;
                Ok(Self(text))
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;
            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }
    };
}

fn check(what: &str, text: &str, max: usize) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(format!("{what} is empty; give 1 to {max} bytes")));
    }
    if text.len() > max {
        let length = text.len();
        return Err(Error::invalid(format!("{what} has {length} bytes; at most {max} are allowed")));
    }
    Ok(())
}

name! {
    /// The name of a fact in the past tense, `account.withdrawn`: 1 to 255 bytes of UTF-8.
    ///
    /// It is part of the wire format: a type is never renamed, a new one takes its place.
    ///
    /// ```
    /// # use factlog_core::EventType;
    /// assert_eq!(EventType::new("account.opened")?.as_str(), "account.opened");
    /// assert!(EventType::new("").is_err());
    /// # Ok::<(), factlog_core::Error>(())
    /// ```
    EventType, "event type", limits::EVENT_TYPE_BYTES_MAX
}

name! {
    /// A label, by habit `key:value`, that an event is found by: 1 to 255 bytes of UTF-8.
    ///
    /// ```
    /// # use factlog_core::Tag;
    /// assert_eq!(Tag::new("account:42")?.as_str(), "account:42");
    /// # Ok::<(), factlog_core::Error>(())
    /// ```
    Tag, "tag", limits::TAG_BYTES_MAX
}

name! {
    /// The name of an ordered sequence of events, `account-42`: 1 to 512 bytes of UTF-8.
    ///
    /// ```
    /// # use factlog_core::StreamId;
    /// let stream = StreamId::new("account-42")?;
    /// assert_eq!(stream.category(), "account");
    /// # Ok::<(), factlog_core::Error>(())
    /// ```
    StreamId, "stream id", limits::STREAM_ID_BYTES_MAX
}

name! {
    /// The kind of a stream: the text of its id before the first `-`, or all of it without one.
    ///
    /// ```
    /// # use factlog_core::Category;
    /// assert_eq!(Category::new("account")?.as_str(), "account");
    /// # Ok::<(), factlog_core::Error>(())
    /// ```
    Category, "category", limits::STREAM_ID_BYTES_MAX
}

name! {
    /// The name of an upstream log that a consumer tracks: 1 to 255 bytes of UTF-8.
    ///
    /// ```
    /// # use factlog_core::TrackingSource;
    /// assert_eq!(TrackingSource::new("orders")?.as_str(), "orders");
    /// # Ok::<(), factlog_core::Error>(())
    /// ```
    TrackingSource, "tracking source", limits::TRACKING_SOURCE_BYTES_MAX
}

impl StreamId {
    /// The text before the first `-`, or the whole id where there is none. Empty for `-x`.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&*self.0, |(category, _)| category)
    }

    /// Whether the id begins with `$`, which is reserved for the system.
    pub fn is_system(&self) -> bool {
        self.0.starts_with('$')
    }
}

/// The tags of one event or query item: sorted, unique, at most 64.
///
/// ```
/// # use factlog_core::Tags;
/// let tags = Tags::new(["b:2", "a:1", "b:2"])?;
/// assert_eq!(tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["a:1", "b:2"]);
/// # Ok::<(), factlog_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// No tags.
    pub const NONE: Self = Self(Vec::new());

    /// Validates, sorts and removes repeats.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a text that is no tag, or for more than 64 different tags.
    pub fn new<T>(tags: impl IntoIterator<Item = T>) -> Result<Self>
    where
        T: TryInto<Tag>,
        Error: From<T::Error>,
    {
        let mut list = tags.into_iter().map(|tag| Ok(tag.try_into()?)).collect::<Result<Vec<Tag>>>()?;
        list.sort_unstable();
        list.dedup();
        if list.len() > limits::TAGS_MAX {
            let count = list.len();
            return Err(Error::invalid(format!("{count} tags; at most {} are allowed", limits::TAGS_MAX)));
        }
        Ok(Self(list))
    }

    /// Whether every one of `wanted` is among these.
    pub fn contains_all(&self, wanted: &Self) -> bool {
        wanted.iter().all(|tag| self.0.binary_search(tag).is_ok())
    }

    /// These tags and `more`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when together they are more than 64.
    pub fn with(&self, more: impl IntoIterator<Item = Tag>) -> Result<Self> {
        Self::new(self.0.iter().cloned().chain(more))
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl Deref for Tags {
    type Target = [Tag];
    fn deref(&self) -> &[Tag] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_bounds() {
        assert!(Tag::new("x".repeat(255)).is_ok());
        let error = Tag::new("x".repeat(256)).expect_err("too long");
        assert_eq!(error.to_string(), "tag has 256 bytes; at most 255 are allowed");
        assert!(StreamId::new("").is_err());
    }

    #[test]
    fn a_category_ends_at_the_first_dash() {
        for (id, category) in [("account-42-7", "account"), ("account", "account"), ("-x", "")] {
            assert_eq!(StreamId::new(id).expect("valid").category(), category);
        }
    }

    #[test]
    fn sixty_five_different_tags_are_refused_and_repeats_are_not_counted() {
        let many: Vec<String> = (0..65).map(|n| format!("n:{n}")).collect();
        assert!(Tags::new(many.clone()).is_err());
        let repeated = many.iter().take(64).chain(many.iter().take(64)).cloned();
        assert_eq!(Tags::new(repeated).expect("64 different").len(), 64);
    }
}
