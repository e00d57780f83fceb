//! Names that were read lately, so that a reader of many events makes each of them once.
//!
//! A name is found by a hash of its bytes and compared byte by byte; one that is found was validated before. Each
//! kind has a small table, which grows while most look-ups miss, to [`SLOTS_MAX`] at most.

use factlog_core::{ContentType, EventType, StreamId, Tag};

use crate::fields::Malformed;

const SLOTS_MIN: usize = 16;
const SLOTS_MAX: usize = 1024;
/// Who reads one event has no use for a table.
const NAMES_OF_ONE: usize = 2;

/// The names that one reader saw lately. Not to be shared: it is what saves the sharing.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    streams: Table<StreamId>,
    types: Table<EventType>,
    tags: Table<Tag>,
    content_type: Option<ContentType>,
}

impl Interner {
    pub(crate) fn stream(&mut self, bytes: &[u8]) -> Result<StreamId, Malformed> {
        self.streams.get(bytes)
    }

    pub(crate) fn event_type(&mut self, bytes: &[u8]) -> Result<EventType, Malformed> {
        self.types.get(bytes)
    }

    pub(crate) fn tag(&mut self, bytes: &[u8]) -> Result<Tag, Malformed> {
        self.tags.get(bytes)
    }

    /// There is hardly ever more than one.
    pub(crate) fn content_type(&mut self, bytes: &[u8]) -> Result<ContentType, Malformed> {
        match &self.content_type {
            Some(known) if known.as_str().as_bytes() == bytes => Ok(known.clone()),
            Some(_) | None => {
                let made = ContentType::new(text(bytes)?).map_err(out_of_bounds)?;
                self.content_type = Some(made.clone());
                Ok(made)
            }
        }
    }
}

/// A name that can be made from its text.
pub(crate) trait Name: Clone {
    fn make(text: &str) -> Result<Self, Malformed>;
    fn text(&self) -> &str;
}

macro_rules! names {
    ($($name:ident),*) => {
        $(impl Name for $name {
            fn make(text: &str) -> Result<Self, Malformed> {
                Self::new(text).map_err(out_of_bounds)
            }

            fn text(&self) -> &str {
                self.as_str()
            }
        })*
    };
}

names!(StreamId, EventType, Tag);

#[derive(Debug)]
struct Table<T> {
    /// A power of two of them, or none yet.
    slots: Vec<Option<T>>,
    misses: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), misses: 0 }
    }
}

impl<T: Name> Table<T> {
    fn get(&mut self, bytes: &[u8]) -> Result<T, Malformed> {
        let hash = hash(bytes);
        if let Some(Some(known)) = self.slot(hash)
            && known.text().as_bytes() == bytes
        {
            return Ok(known.clone());
        }
        let made = T::make(text(bytes)?)?;
        self.misses += 1;
        if self.slots.len() < SLOTS_MAX && self.slots.len() + NAMES_OF_ONE < self.misses {
            self.grow();
        }
        if let Some(slot) = self.slot(hash) {
            *slot = Some(made.clone());
        }
        Ok(made)
    }

    fn slot(&mut self, hash: u64) -> Option<&mut Option<T>> {
        let mask = self.slots.len().checked_sub(1)?;
        self.slots.get_mut(hash as usize & mask)
    }

    /// A larger table, which learns its names anew.
    fn grow(&mut self) {
        let length = (self.slots.len() * 2).max(SLOTS_MIN);
        self.slots.clear();
        self.slots.resize(length, None);
        self.misses = 0;
    }
}

/// XXH3 of names is a matter of a few nanoseconds; nothing but speed depends on it.
fn hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("a name is not UTF-8"))
}

fn out_of_bounds(_: factlog_core::Error) -> Malformed {
    Malformed("a name is out of its bounds")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if two names shared a slot and one were given for the other, or a name were not checked.
    #[test]
    fn every_name_comes_back_as_itself_however_many_there_are() {
        let mut interner = Interner::default();
        for n in (0..5_000).chain(0..5_000) {
            let name = format!("name-{n}");
            assert_eq!(interner.tag(name.as_bytes()).expect("a tag").as_str(), name);
            assert_eq!(interner.stream(name.as_bytes()).expect("a stream").as_str(), name);
        }
        assert!(interner.tags.slots.len() <= SLOTS_MAX);
        assert!(interner.event_type(&[0xff]).is_err());
        assert!(interner.event_type(b"").is_err());
        assert!(interner.tag(&[b'x'; 256]).is_err());
        for kind in ["a/b", "application/json", "a/b"] {
            assert_eq!(interner.content_type(kind.as_bytes()).expect("a content type").as_str(), kind);
        }
    }

    /// Would fail if a repeated name were made again, which is what the table is for.
    #[test]
    fn a_name_that_repeats_is_shared() {
        let mut interner = Interner::default();
        for _ in 0..NAMES_OF_ONE {
            interner.event_type(b"order.placed").expect("a type");
        }
        let first = interner.event_type(b"order.placed").expect("a type");
        let again = interner.event_type(b"order.placed").expect("a type");
        assert!(std::ptr::eq(first.as_str(), again.as_str()));
    }
}
