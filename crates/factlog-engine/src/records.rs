//! Records in memory with the place of each: a block that was read, or a frame of the tail.

use bytes::Bytes;
use factlog_core::RecordedEvent;

use crate::fields::Malformed;
use crate::interner::Interner;
use crate::record;

/// Records of at most this size may be kept alive by an event of theirs.
const SHARED_BYTES: usize = 32 << 10;

/// Records in memory with the place of each: a block that was read, or a frame of the tail.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) first: u64,
    pub(crate) bytes: Bytes,
    pub(crate) offsets: Vec<u32>,
}

impl Records {
    /// Finds the records in bytes that hold nothing else.
    #[cfg(test)]
    pub(crate) fn new(first: u64, bytes: Bytes) -> Result<Self, Malformed> {
        let offsets = record::offsets(&bytes)?;
        Ok(Self { first, bytes, offsets })
    }

    pub(crate) fn last(&self) -> u64 {
        self.first + self.offsets.len() as u64 - 1
    }

    /// The bytes of the record at a position that lies in here, and nothing behind it.
    pub(crate) fn record(&self, position: u64) -> Result<&[u8], Malformed> {
        let at = usize::try_from(position - self.first).expect("a place in a block");
        let bytes = &self.bytes[self.offsets[at] as usize..];
        Ok(&bytes[..record::length(bytes)?])
    }

    /// The event at a position that lies in here.
    pub(crate) fn event(&self, position: u64) -> Result<RecordedEvent, Malformed> {
        self.event_with(&mut Interner::default(), position)
    }

    /// The same with names that the reader saw before: for who reads many.
    ///
    /// An event shares its data with these records where that keeps little alive beside it: they are small, or the
    /// data is a good part of them. So an event that is held costs [`SHARED_BYTES`] or eight times its data at most,
    /// as long as the bytes of these records are no part of a larger allocation.
    pub(crate) fn event_with(&self, names: &mut Interner, position: u64) -> Result<RecordedEvent, Malformed> {
        let take = |bytes: &[u8]| {
            let small = self.bytes.len() <= SHARED_BYTES || self.bytes.len() / 8 <= bytes.len();
            if bytes.is_empty() {
                Bytes::new()
            } else if small {
                self.bytes.slice_ref(bytes)
            } else {
                Bytes::copy_from_slice(bytes)
            }
        };
        let (event, _) = record::decode_with(self.record(position)?, names, take)?;
        if event.position.get() == position {
            Ok(event)
        } else {
            Err(Malformed("a record is in another's place"))
        }
    }
}

#[cfg(test)]
mod tests {
    use factlog_core::{Event, EventType};

    use super::*;
    use crate::record::{Boundary, Stamp};

    fn records(sizes: &[usize]) -> Records {
        let mut bytes = Vec::new();
        for (position, size) in (1..).zip(sizes) {
            let start = bytes.len();
            let event = Event::new(EventType::new("a").expect("type"), vec![7; *size]);
            record::encode(&event, Boundary { first: true, last: true }, &mut bytes);
            record::stamp(&mut bytes[start..], Stamp { position, recorded_at: 0, revision: 0 });
        }
        Records::new(1, bytes.into()).expect("records")
    }

    /// Would fail if a small event that is held kept a large group alive, or every event were copied.
    #[test]
    fn an_event_shares_its_data_where_that_keeps_little_alive() {
        for (sizes, shared) in [(vec![100, 200], [true, true]), (vec![100, 90_000], [false, true])] {
            let records = records(&sizes);
            let range = records.bytes.as_ptr_range();
            for (position, shared) in (1..).zip(shared) {
                let event = records.event(position).expect("an event").event;
                assert_eq!(event.data.len(), sizes[position as usize - 1]);
                assert_eq!(range.contains(&event.data.as_ptr()), shared, "{sizes:?}, {position}");
            }
        }
    }
}
