//! Scanning a segment from front to back: every byte checked, good blocks handed out in order, damage named.

use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::block::Block;
use super::codec::Dictionary;
use super::footer::{self, Section};
use super::lookup::{Segment, entry_of};
use super::table::{self, Page};
use super::table_walk::{Known, TableWalk, read_page};
use super::tracking::{self, Tracking};
use super::walk::Walk;
use super::wrong::{self, Wrong};
use super::{Description, HEADER_BYTES, PAGE_BYTES, check_header, dictionary, place};
use crate::damage::Damage;
use crate::fields::Malformed;
use crate::manifest::SegmentEntry;
use crate::records::Records;
use crate::storage::DiskFile;

/// Bytes of a section that are checked at once.
const PIECE_BYTES: u64 = 256 << 10;

/// What a scan found.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// The tracking section, if it is whole.
    pub(crate) tracking: Option<Tracking>,
    pub(crate) damage: Vec<Damage>,
}

/// Reads all of a segment: hands out the records of every good block in order, and names the damage. What the
/// manifest expects is held against what is there.
pub(crate) fn scan(
    store: Uuid,
    file: &dyn DiskFile,
    expected: &SegmentEntry,
    visit: &mut dyn FnMut(&Records),
) -> Scanned {
    let segment = Segment::new(store, *expected);
    let (path, damage) = (segment.path(), Vec::new());
    let mut scan = Scan { store, file, segment, path, length: 0, damage };
    let description = scan.footers();
    scan.check(0, |scan| scan.header());
    let dictionary = scan.dictionary(description.as_ref());
    scan.blocks(description.as_ref(), dictionary.as_ref(), visit);
    let tracking = description.as_ref().and_then(|description| scan.sections(description));
    Scanned { tracking, damage: scan.damage }
}

struct Scan<'a> {
    store: Uuid,
    file: &'a dyn DiskFile,
    segment: Segment,
    path: String,
    /// Bytes of the file, whatever anybody says.
    length: u64,
    damage: Vec<Damage>,
}

impl Scan<'_> {
    /// Names damage; where it goes on behind the last one, they are one.
    fn report(&mut self, wrong: &Wrong) {
        let damage = wrong.to_damage(&self.path);
        if let (Some(last), Some((first, until))) = (self.damage.last_mut(), damage.lost())
            && last.lost().is_some_and(|(_, last)| last + 1 == first)
            && last.what == damage.what
        {
            last.last = factlog_core::Position::new(until);
            return;
        }
        self.damage.push(damage);
    }

    fn check<T>(&mut self, offset: u64, look: impl FnOnce(&Self) -> Result<T, Wrong>) -> Option<T> {
        look(self)
            .inspect_err(|wrong| {
                debug_assert!(offset <= wrong.offset, "damage lies in the part that was looked at");
                self.report(wrong);
            })
            .ok()
    }

    fn header(&self) -> Result<(), Wrong> {
        let bytes = wrong::read(self.file, 0, HEADER_BYTES)?;
        check_header(self.store, self.segment.entry.first, &bytes).map_err(|what| Wrong::at(0, what))
    }

    /// Both footers. They are looked for where the manifest says that the file ends.
    fn footers(&mut self) -> Option<Description> {
        let expected = self.segment.entry;
        let length = self.check(0, |scan| {
            let unreadable =
                |cause| Wrong { offset: 0, lost: (1, 0), cause: wrong::Cause::Unreadable(cause) };
            scan.file.length().map_err(unreadable)
        });
        self.length = length.unwrap_or(0);
        if length != Some(expected.bytes) {
            let end = self.length.min(expected.bytes);
            self.report(&Wrong::at(end, Malformed("the file is not as long as the manifest says")));
        }
        let read = |copy| {
            move |scan: &Self| {
                let found = Description::read_copy(scan.store, scan.file, expected.bytes, copy)?;
                if found.entry() == expected {
                    return Ok(found);
                }
                Err(Wrong::at(
                    expected.bytes - PAGE_BYTES as u64,
                    Malformed("the footer and the manifest do not say the same"),
                ))
            }
        };
        let copies = [self.check(0, read(1)), self.check(0, read(0))];
        if let [Some(one), Some(other)] = &copies
            && one != other
        {
            let offset = expected.bytes - PAGE_BYTES as u64;
            self.report(&Wrong::at(offset, Malformed("the two footers differ")));
        }
        let [one, other] = copies;
        one.or(other)
    }

    /// Both copies of the dictionary; the one behind is checked with its section.
    fn dictionary(&mut self, description: Option<&Description>) -> Option<Dictionary> {
        let offset = HEADER_BYTES as u64;
        let front = |scan: &Self| {
            let damaged = |what| Wrong::at(offset, what);
            let head = wrong::read(scan.file, offset, dictionary::HEAD_BYTES)?;
            let length = dictionary::length(&head).map_err(damaged)?;
            let bytes = wrong::read(scan.file, offset, dictionary::HEAD_BYTES + length)?;
            let at = place(scan.store, scan.segment.entry.first, offset);
            dictionary::decode(at, &bytes).map(<[u8]>::to_vec).map_err(damaged)
        };
        let Some(description) = description else {
            // Without a footer nobody knows whether there is one: what is missed, the blocks will tell.
            return front(self).ok().and_then(|bytes| Dictionary::new(&bytes).ok());
        };
        let section = description.section(footer::DICTIONARY)?;
        let behind = self.segment.section(self.file, section).ok();
        let front = self.check(offset, front);
        if let (Some(front), Some(behind)) = (&front, &behind)
            && front != behind
        {
            self.report(&Wrong::at(offset, Malformed("the two copies of the dictionary differ")));
        }
        let ready = Dictionary::new(&front.or(behind)?);
        self.check(offset, |_| ready.map_err(|what| Wrong::at(offset, what)))
    }

    /// Reads block after block, each at the place where the one before ended or the table says.
    fn blocks(
        &mut self,
        description: Option<&Description>,
        dictionary: Option<&Dictionary>,
        visit: &mut dyn FnMut(&Records),
    ) {
        let entry = self.segment.entry;
        let end = description.map_or(entry.bytes.min(self.length), Description::blocks_end);
        let mut walk = Walk::new(self.store, entry, self.file, end);
        let mut table = TableWalk::new(self.segment, self.store, description);
        let (mut offset, mut next) = (self.first_block(description), entry.first);
        let (mut count, mut raw) = (0, 0);
        while next <= entry.last {
            let wrong = match walk.block(offset) {
                Ok(block) if block.head.first == next => match block.records(dictionary) {
                    Ok(records) => {
                        visit(&records);
                        (count, raw) = (count + 1, raw + records.bytes.len() as u64);
                        self.compare(&mut table, offset, &block);
                        (offset, next) = (offset + block.head.length() as u64, block.head.last() + 1);
                        continue;
                    }
                    Err(what) => Wrong::at(offset, what),
                },
                Ok(_) => Wrong::at(offset, Malformed("a block is in another's place")),
                Err(wrong) => wrong,
            };
            let resume = match table.behind(self.file, offset) {
                Known::Block(block) => Some((block.offset, block.first)),
                Known::End => None,
                Known::Nothing => walk.search(offset, next).map(|(offset, block)| (offset, block.head.first)),
            };
            let after = resume.map_or(entry.last + 1, |(_, first)| first.max(next));
            self.report(&Wrong { offset, ..wrong }.losing(next, after - 1));
            let Some((found, _)) = resume else { return };
            (offset, next) = (found, after);
        }
        if description.is_some() && offset != end {
            self.report(&Wrong::at(offset, Malformed("there is something behind the last block")));
        }
        let lost = self.damage.iter().any(|damage| damage.lost().is_some());
        if let Some(found) =
            description.filter(|found| !lost && (found.blocks, found.raw_bytes) != (count, raw))
        {
            let what = Malformed("the footer counts other blocks, or bytes in them");
            self.report(&Wrong::at(found.bytes - PAGE_BYTES as u64, what));
        }
    }

    fn first_block(&self, description: Option<&Description>) -> u64 {
        let front = HEADER_BYTES as u64;
        let guess = || {
            let head = wrong::read(self.file, front, dictionary::HEAD_BYTES).ok()?;
            let length = dictionary::length(&head).ok()?;
            Some(front + (dictionary::HEAD_BYTES + length) as u64)
        };
        description.map_or_else(|| guess().unwrap_or(front), |description| description.blocks_offset)
    }

    /// The table has this very block.
    fn compare(&mut self, table: &mut TableWalk<'_>, offset: u64, block: &Block) {
        match table.behind(self.file, offset - 1) {
            Known::Block(entry) if entry == entry_of(offset, block) => {}
            Known::Nothing => {}
            Known::Block(_) | Known::End => {
                self.report(&Wrong::at(offset, Malformed("the table of blocks does not have this block")));
            }
        }
    }

    /// Checks all sections; hands out the tracking.
    fn sections(&mut self, description: &Description) -> Option<Tracking> {
        let mut tracking = None;
        for section in &description.sections {
            if section.kind == footer::TABLE {
                self.table_pages(description);
            }
            let whole = self.check(section.offset, |scan| scan.section(section)).is_some();
            if whole && section.kind == footer::TRACKING {
                tracking = self.check(section.offset, |scan| {
                    let bytes = scan.segment.section(scan.file, section)?;
                    tracking::decode(&bytes).map_err(|what| Wrong::at(section.offset, what))
                });
            }
        }
        tracking
    }

    /// Every page is whole, and begins as the top says. A top that is damaged says nothing.
    fn table_pages(&mut self, description: &Description) {
        let (pages, start) = description.table();
        let top = description.section(footer::TOP).and_then(|section| {
            let bytes = self.segment.section(self.file, section).ok()?;
            let first = self.segment.entry.first;
            Some((section.offset, table::decode_top(self.store, first, section.offset, &bytes).ok()?))
        });
        for (at, number) in (0..pages).zip(0..) {
            let offset = start + at * PAGE_BYTES as u64;
            let read = |scan: &Self| read_page(scan.store, scan.segment, scan.file, offset);
            let Some(bytes) = self.check(offset, read) else { continue };
            let begins = Page::new(&bytes).and_then(|page| page.entry(0)).ok().map(|entry| entry.begins());
            if let Some((offset, top)) = &top
                && top.get(number) != begins.as_ref()
            {
                let what = Malformed("the table's top does not say where its pages begin");
                self.report(&Wrong::at(*offset, what));
            }
        }
    }

    fn section(&self, section: &Section) -> Result<(), Wrong> {
        let seed = place(self.store, self.segment.entry.first, section.offset).seed();
        let (mut hash, mut done) = (Xxh3::with_seed(seed), 0);
        while done < section.length {
            let length = PIECE_BYTES.min(section.length - done);
            let length = usize::try_from(length).expect("a piece is small");
            hash.update(&wrong::read(self.file, section.offset + done, length)?);
            done += length as u64;
        }
        if hash.digest() == section.checksum {
            Ok(())
        } else {
            Err(Wrong::at(section.offset, Malformed("the checksum of a section is wrong")))
        }
    }
}
