//! Names that were read lately, so that a reader of many events makes each of them once.
//!
//! A name is found by a hash of its bytes and compared byte by byte; one that is found was validated before. Each
//! kind has a small table, which grows while names are missed, to [`SLOTS_MAX`] at most. Where most names are new all
//! the same, as streams may be, the table rests for a while: then making a name costs less than looking for it.

use factlog_core::{ContentType, EventType, StreamId, Tag};

use crate::fields::Malformed;

const SLOTS_MIN: usize = 16;
const SLOTS_MAX: usize = 1024;
/// Who reads one event has no use for a table.
const NAMES_OF_ONE: usize = 2;
/// Look-ups after which it is asked whether the table pays, and for how many it rests if not.
const TRIAL: usize = 2 * SLOTS_MAX;
const REST: usize = 8 * TRIAL;

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
    /// Since the table has this size, or was asked last whether it pays.
    looks: usize,
    misses: usize,
    /// Look-ups that pass the table by.
    resting: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), looks: 0, misses: 0, resting: 0 }
    }
}

impl<T: Name> Table<T> {
    fn get(&mut self, bytes: &[u8]) -> Result<T, Malformed> {
        if 0 < self.resting {
            self.resting -= 1;
            return T::make(text(bytes)?);
        }
        self.looks += 1;
        let hash = hash(bytes);
        if let Some(Some(known)) = self.slot(hash)
            && known.text().as_bytes() == bytes
        {
            return Ok(known.clone());
        }
        let made = T::make(text(bytes)?)?;
        self.misses += 1;
        self.adapt();
        if let Some(slot) = self.slot(hash) {
            *slot = Some(made.clone());
        }
        Ok(made)
    }

    fn adapt(&mut self) {
        if self.slots.len() < SLOTS_MAX && self.slots.len() + NAMES_OF_ONE < self.misses {
            self.grow();
        } else if TRIAL < self.looks {
            self.resting = if self.looks < 2 * self.misses { REST } else { 0 };
            (self.looks, self.misses) = (0, 0);
        }
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
        (self.looks, self.misses) = (0, 0);
    }
}

/// A few nanoseconds' mix of the length, the first and the last bytes, which is where names differ. Nothing but speed
/// depends on it.
fn hash(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (first, last) = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        (None, _) | (_, None) => (bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
    };
    let mixed = (first ^ last.rotate_left(29)).wrapping_add(bytes.len() as u64).wrapping_mul(ODD);
    (mixed ^ mixed >> 32).wrapping_mul(ODD) >> 40
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

    /// Would fail if a table that never pays were asked for ever, or one that rests gave another name.
    #[test]
    fn a_table_of_new_names_rests_and_is_tried_again() {
        let (mut interner, mut rested) = (Interner::default(), 0);
        for n in 0..100_000 {
            let name = format!("stream-{n}");
            assert_eq!(interner.stream(name.as_bytes()).expect("a stream").as_str(), name);
            rested += usize::from(0 < interner.streams.resting);
        }
        assert!((60_000..99_000).contains(&rested), "{rested}");
    }
}
