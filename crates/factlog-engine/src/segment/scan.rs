//! Scanning a segment from front to back: every byte checked, good blocks handed out, damage named.

use factlog_core::Result;
use uuid::Uuid;

use super::{
    BLOCK_HEADER_BYTES, BlockEntry, END_MAGIC, FOOTER_BYTES, HEADER_BYTES, MAGIC, Segment, TABLE_ENTRY_BYTES,
    file_name, parse_block, parse_block_header, place,
};
use crate::checksum::trailer_holds;
use crate::damage::Damage;
use crate::fields::{Fields, Malformed};
use crate::manifest::SegmentEntry;
use crate::records::Records;
use crate::storage::{self, DiskFile};

/// Opens a segment by reading all of it: hands out the records of every good block in order, and the damage.
pub(crate) fn scan(
    store: Uuid,
    file: &dyn DiskFile,
    expected: &SegmentEntry,
    visit: &mut dyn FnMut(&Records),
) -> Result<(Segment, Vec<Damage>)> {
    let scan = Scan { store, file, expected, path: format!("segments/{}", file_name(expected.first)) };
    let mut damage = Vec::new();
    let table = scan.table().unwrap_or_else(|(offset, what)| {
        damage.push(scan.damage(offset, (1, 0), what));
        None
    });
    if let Err((offset, what)) = scan.header() {
        damage.push(scan.damage(offset, (1, 0), what));
    }
    let blocks = scan.blocks(table.as_deref(), visit, &mut damage);
    let segment = Segment::new(store, expected.first, blocks);
    Ok((segment, damage))
}

struct Scan<'a> {
    store: Uuid,
    file: &'a dyn DiskFile,
    expected: &'a SegmentEntry,
    path: String,
}

type Found<T> = Result<T, (u64, String)>;

impl Scan<'_> {
    fn damage(&self, offset: u64, lost: (u64, u64), what: String) -> Damage {
        Damage::new(self.path.clone(), offset, lost, what)
    }

    fn read(&self, offset: u64, length: usize) -> Found<Vec<u8>> {
        storage::read_exact(self.file, offset, length).map_err(|cause| (offset, cause.to_string()))
    }

    fn header(&self) -> Found<()> {
        let bytes = self.read(0, HEADER_BYTES)?;
        let seed = place(self.store, self.expected.first, 0).seed();
        if trailer_holds(seed, &bytes) && bytes.starts_with(&MAGIC) {
            return Ok(());
        }
        Err((0, "the segment's header is wrong".to_owned()))
    }

    /// The table of blocks, where footer and table are whole.
    fn table(&self) -> Found<Option<Vec<BlockEntry>>> {
        let length = self.file.length().map_err(|cause| (0, cause.to_string()))?;
        if length != self.expected.bytes {
            return Err((length, format!("the file has {length} bytes instead of {}", self.expected.bytes)));
        }
        let footer_offset = self.expected.bytes - FOOTER_BYTES as u64;
        let wrong = |what: &str| (footer_offset, what.to_owned());
        let footer = self.read(footer_offset, FOOTER_BYTES)?;
        let seed = place(self.store, self.expected.first, footer_offset).seed();
        if !trailer_holds(seed, &footer) || !footer.starts_with(&END_MAGIC) {
            return Err(wrong("the footer's checksum is wrong"));
        }
        let mut fields = Fields::new(&footer[8..]);
        let mut number = || fields.u64().map_err(|malformed| wrong(malformed.0));
        let (first, last, table_offset) = (number()?, number()?, number()?);
        if (first, last) != (self.expected.first, self.expected.last) || footer_offset < table_offset {
            return Err(wrong("the footer is another segment's"));
        }
        let table = self.read(table_offset, usize::try_from(footer_offset - table_offset).unwrap_or(0))?;
        if !trailer_holds(place(self.store, self.expected.first, table_offset).seed(), &table) {
            return Err((table_offset, "the checksum of the table of blocks is wrong".to_owned()));
        }
        let entries = table[..table.len() - 8].chunks_exact(TABLE_ENTRY_BYTES);
        Ok(Some(entries.filter_map(|bytes| parse_table_entry(bytes).ok()).collect()))
    }

    /// Reads block after block, each at the place where the one before ended or the table says.
    fn blocks(
        &self,
        table: Option<&[BlockEntry]>,
        visit: &mut dyn FnMut(&Records),
        damage: &mut Vec<Damage>,
    ) -> Vec<BlockEntry> {
        let mut blocks: Vec<BlockEntry> = Vec::new();
        let (mut offset, mut next) = (HEADER_BYTES as u64, self.expected.first);
        while next <= self.expected.last {
            match self.block_at(offset) {
                Ok((entry, records)) if entry.first == next => {
                    visit(&records);
                    offset += (BLOCK_HEADER_BYTES + records.bytes.len()) as u64;
                    next = entry.last() + 1;
                    blocks.push(entry);
                }
                other => {
                    let what = other.err().map_or("a block is in another's place".to_owned(), |malformed| {
                        malformed.to_string()
                    });
                    let after = table.and_then(|table| table.iter().find(|entry| offset < entry.offset));
                    let lost_until = after.map_or(self.expected.last, |entry| entry.first - 1);
                    damage.push(self.damage(offset, (next, lost_until), what));
                    let Some(entry) = after else { break };
                    (offset, next) = (entry.offset, entry.first);
                }
            }
        }
        blocks
    }

    fn block_at(&self, offset: u64) -> Result<(BlockEntry, Records), Malformed> {
        let short = |_| Malformed("the file cannot be read to the end of a block");
        let header = storage::read_exact(self.file, offset, BLOCK_HEADER_BYTES).map_err(short)?;
        let entry = parse_block_header(offset, &header)?;
        if self.expected.bytes < offset + u64::from(entry.body_length) {
            return Err(Malformed("a block's length is wrong"));
        }
        let length = BLOCK_HEADER_BYTES + entry.body_length as usize;
        let bytes = storage::read_exact(self.file, offset, length).map_err(short)?;
        parse_block(self.store, self.expected.first, offset, bytes)
    }
}

fn parse_table_entry(bytes: &[u8]) -> Result<BlockEntry, Malformed> {
    let mut fields = Fields::new(bytes);
    Ok(BlockEntry {
        offset: fields.u64()?,
        first: fields.u64()?,
        events: fields.u32()?,
        body_length: fields.u32()?,
    })
}
