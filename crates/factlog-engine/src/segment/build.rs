//! Building a segment's bytes, part by part, from records in order.

use uuid::Uuid;

use super::{
    BLOCK_BYTES, BLOCK_HEADER_BYTES, BLOCK_MAGIC, BlockEntry, END_MAGIC, FOOTER_BYTES, HEADER_BYTES, MAGIC,
    TABLE_ENTRY_BYTES, block_checksum, place,
};
use crate::checksum::push_trailer;

/// Builds a segment's bytes part by part; the caller writes them in order.
pub(crate) struct Builder {
    store: Uuid,
    first: u64,
    next: u64,
    offset: u64,
    body: Vec<u8>,
    body_first: u64,
    blocks: Vec<BlockEntry>,
}

impl Builder {
    /// Begins a segment; the returned bytes are its header.
    pub(crate) fn new(store: Uuid, first: u64) -> (Self, Vec<u8>) {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(store.as_bytes());
        header.extend_from_slice(&first.to_le_bytes());
        push_trailer(place(store, first, 0).seed(), &mut header);
        let offset = header.len() as u64;
        let builder = Self {
            store,
            first,
            next: first,
            offset,
            body: Vec::new(),
            body_first: first,
            blocks: Vec::new(),
        };
        (builder, header)
    }

    /// Adds the next record; returns a block when one is full.
    pub(crate) fn add(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        let full = !self.body.is_empty() && BLOCK_BYTES < self.body.len() + record.len();
        let block = full.then(|| self.finish_block());
        self.body.extend_from_slice(record);
        self.next += 1;
        block
    }

    fn finish_block(&mut self) -> Vec<u8> {
        let body_length = u32::try_from(self.body.len()).expect("a block is far below 4 GiB");
        let events = u32::try_from(self.next - self.body_first).expect("a block has few events");
        let mut block = Vec::with_capacity(BLOCK_HEADER_BYTES + self.body.len());
        block.extend_from_slice(&BLOCK_MAGIC);
        for number in [body_length, events, 0] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(&self.body_first.to_le_bytes());
        let sum = block_checksum(place(self.store, self.first, self.offset), &block, &self.body);
        block.extend_from_slice(&sum.to_le_bytes());
        block.append(&mut self.body);
        self.blocks.push(BlockEntry { offset: self.offset, first: self.body_first, events, body_length });
        self.offset += block.len() as u64;
        self.body_first = self.next;
        block
    }

    /// Ends the segment: the last block, the table and the footer, and the blocks' places.
    pub(crate) fn finish(mut self) -> (Vec<u8>, Vec<BlockEntry>) {
        let mut out = if self.body.is_empty() { Vec::new() } else { self.finish_block() };
        let table_offset = self.offset;
        let mut table = Vec::with_capacity(self.blocks.len() * TABLE_ENTRY_BYTES + 8);
        for block in &self.blocks {
            table.extend_from_slice(&block.offset.to_le_bytes());
            table.extend_from_slice(&block.first.to_le_bytes());
            table.extend_from_slice(&block.events.to_le_bytes());
            table.extend_from_slice(&block.body_length.to_le_bytes());
        }
        push_trailer(place(self.store, self.first, table_offset).seed(), &mut table);
        let mut footer = Vec::with_capacity(FOOTER_BYTES);
        footer.extend_from_slice(&END_MAGIC);
        for number in [self.first, self.next - 1, table_offset] {
            footer.extend_from_slice(&number.to_le_bytes());
        }
        footer.extend_from_slice(&u32::try_from(self.blocks.len()).expect("few blocks").to_le_bytes());
        footer.extend_from_slice(&[0; 4]);
        push_trailer(place(self.store, self.first, table_offset + table.len() as u64).seed(), &mut footer);
        out.append(&mut table);
        out.append(&mut footer);
        (out, self.blocks)
    }
}
