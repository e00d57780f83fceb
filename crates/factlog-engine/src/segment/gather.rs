//! Records that become one block, and the block they become.

use std::io;

use super::block::{self, Coding, Content, Layout};
use super::codec::Compressor;
use super::columns;
use crate::checksum::Place;
use crate::fields::{Fields, Malformed};

/// Compression pays when it saves this share of the records.
const SAVING_SHARE: usize = 16;

/// Records that become one block.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) first: u64,
    /// When the first of them was recorded.
    pub(super) recorded_at: i64,
    pub(super) bytes: Vec<u8>,
    pub(super) offsets: Vec<u32>,
}

impl Gathered {
    pub(super) fn new(first: u64) -> Self {
        Self { first, recorded_at: 0, bytes: Vec::new(), offsets: Vec::new() }
    }

    /// The position behind the last record.
    pub(super) fn next(&self) -> u64 {
        self.first + self.offsets.len() as u64
    }

    /// Adds the record of the next position; returns when it was recorded.
    pub(super) fn add(&mut self, record: &[u8]) -> Result<i64, Malformed> {
        let mut fields = Fields::new(record);
        let length = fields.u32()? as usize;
        fields.bytes(4)?;
        let (position, recorded_at) = (fields.u64()?, fields.i64()?);
        let end = self.bytes.len() + record.len();
        if length != record.len() || length < crate::record::HEADER_BYTES {
            return Err(Malformed("a record's length is wrong"));
        }
        if position != self.next() {
            return Err(Malformed("a record is not the next one"));
        }
        if block::RAW_MAX < end {
            return Err(Malformed("a record is larger than an event can be"));
        }
        if self.offsets.is_empty() {
            self.recorded_at = recorded_at;
        }
        self.offsets.push(u32::try_from(self.bytes.len()).expect("a block is far below 4 GiB"));
        self.bytes.extend_from_slice(record);
        Ok(recorded_at)
    }

    /// The ids that lie outside, and the columns, if the records can be taken apart.
    pub(super) fn take_apart(&self) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
        columns::encode(&self.bytes, &self.offsets, self.first, self.recorded_at)
    }

    /// The block for its place: compressed if there is a compressor and if it pays.
    pub(super) fn encode(
        &self,
        place: Place,
        compressor: Option<&mut Compressor>,
        with_dictionary: bool,
    ) -> io::Result<Vec<u8>> {
        let compressed =
            compressor.map(|compressor| self.compress(compressor, with_dictionary)).transpose()?;
        let most = self.bytes.len() - self.bytes.len() / SAVING_SHARE;
        let pays = compressed.filter(|(block, _)| block.len() - block::HEAD_BYTES <= most);
        let (mut block, content) = pays.unwrap_or_else(|| {
            let mut block = Vec::with_capacity(block::HEAD_BYTES + self.bytes.len());
            block.resize(block::HEAD_BYTES, 0);
            block.extend_from_slice(&self.bytes);
            (block, self.content(Coding::Plain, Layout::Records, 0))
        });
        block::seal(place, &content, &mut block);
        Ok(block)
    }

    /// The compressed form behind room for a head, and what it is.
    fn compress(&self, compressor: &mut Compressor, with_dictionary: bool) -> io::Result<(Vec<u8>, Content)> {
        let coding = if with_dictionary { Coding::ZstdWithDictionary } else { Coding::Zstd };
        let parts = self.take_apart();
        let (layout, ids, rest) = match &parts {
            Ok((ids, columns)) => (Layout::Columns, &ids[..], &columns[..]),
            // They are of a kind that columns cannot say.
            Err(_) => (Layout::Records, &[][..], &self.bytes[..]),
        };
        let mut block = vec![0; block::HEAD_BYTES];
        block.extend_from_slice(ids);
        compressor.compress(rest, &mut block)?;
        Ok((block, self.content(coding, layout, ids.len())))
    }

    fn content(&self, coding: Coding, layout: Layout, ids: usize) -> Content {
        Content {
            coding,
            layout,
            raw: self.bytes.len(),
            ids,
            events: self.offsets.len(),
            first: self.first,
            recorded_at: self.recorded_at,
        }
    }
}
