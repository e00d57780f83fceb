//! Records in memory with the place of each: a block that was read, or a frame of the tail.

use bytes::Bytes;
use factlog_core::RecordedEvent;

use crate::fields::Malformed;
use crate::record;

/// Records in memory with the place of each: a block that was read, or a frame of the tail.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) first: u64,
    pub(crate) bytes: Bytes,
    pub(crate) offsets: Vec<u32>,
}

impl Records {
    /// Finds the records in bytes that hold nothing else.
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
        let (event, _) = record::decode(self.record(position)?)?;
        if event.position.get() == position {
            Ok(event)
        } else {
            Err(Malformed("a record is in another's place"))
        }
    }
}
