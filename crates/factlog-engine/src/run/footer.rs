//! The footer: a run's last page, and all that is read to open it.
//!
//! ```text
//!   0  u8 kind 7, 3 zeros, u32 version            96  u64 streams that begin here
//!   8  magic "FLRUNX1\0"                         104  u64 postings, u64 ids
//!  16  16 store id                               120  u64 sum over the postings, u64 sum over the ids
//!  32  u64 level, u64 first, u64 last            136  u32 sections, u32 zero
//!  56  u64 pages of the file                     144  sections: u32 kind, u32 flags (1: optional),
//!  64  u64 streams, categories, types, tags           u64 first page, u64 pages, u64 count
//! ```

use uuid::Uuid;

use super::RunName;
use super::keys::{Fingerprint, KINDS};
use super::page::{BODY, PageKind};
use crate::fields::{Fields, Malformed};

const MAGIC: [u8; 8] = *b"FLRUNX1\0";
const VERSION: u32 = 1;
const SECTION_BYTES: usize = 32;
/// A reader that does not know the section may do without it.
const OPTIONAL: u32 = 1;

/// The tree of keys and the long posting lists. Its count: keys.
pub(super) const KEYS: u32 = 1;
/// The filter of keys. Its count: blocks.
pub(super) const KEY_FILTER: u32 = 2;
/// The filter of ids. Its count: blocks.
pub(super) const ID_FILTER: u32 = 3;
/// The tree of ids. Its count: ids.
pub(super) const IDS: u32 = 4;

/// What an entry takes at least: two lengths, a key of one byte, the list's length and a posting; a hash and a position.
const KEY_BYTES_MIN: u64 = 5;
const ID_BYTES_MIN: u64 = 2;

/// Consecutive pages of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) first: u64,
    pub(super) pages: u64,
    pub(super) count: u64,
}

impl Section {
    /// Whether a page is in the section.
    pub(super) fn holds(&self, number: u64) -> bool {
        number.checked_sub(self.first).is_some_and(|at| at < self.pages)
    }
}

/// How much there is in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Keys of each kind: streams, categories, types, tags.
    pub(crate) keys: [u64; KINDS],
    /// Streams whose first event is in this run.
    pub(crate) new_streams: u64,
    pub(crate) postings: u64,
    pub(crate) ids: u64,
}

/// What a footer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) pages: u64,
    pub(super) counts: Counts,
    pub(super) fingerprint: Fingerprint,
    pub(super) keys: Section,
    pub(super) key_filter: Section,
    pub(super) id_filter: Section,
    pub(super) ids: Section,
}

impl Footer {
    /// The footer's page, to which `extra` sections are added: kind, flags and place.
    pub(super) fn encode(&self, store: Uuid, name: RunName, extra: &[(u32, u32, Section)]) -> Vec<u8> {
        let mut page = vec![PageKind::Footer as u8, 0, 0, 0];
        page.extend_from_slice(&VERSION.to_le_bytes());
        page.extend_from_slice(&MAGIC);
        page.extend_from_slice(store.as_bytes());
        let counts = &self.counts;
        let numbers = [u64::from(name.level), name.first, name.last, self.pages]
            .into_iter()
            .chain(counts.keys)
            .chain([counts.new_streams, counts.postings, counts.ids])
            .chain([self.fingerprint.postings, self.fingerprint.ids]);
        for number in numbers {
            page.extend_from_slice(&number.to_le_bytes());
        }
        let known = [
            (KEYS, 0, self.keys),
            (KEY_FILTER, 0, self.key_filter),
            (ID_FILTER, 0, self.id_filter),
            (IDS, 0, self.ids),
        ];
        let sections = u32::try_from(known.len() + extra.len()).expect("few sections");
        page.extend_from_slice(&sections.to_le_bytes());
        page.extend_from_slice(&[0; 4]);
        for (kind, flags, section) in known.iter().chain(extra) {
            page.extend_from_slice(&kind.to_le_bytes());
            page.extend_from_slice(&flags.to_le_bytes());
            for number in [section.first, section.pages, section.count] {
                page.extend_from_slice(&number.to_le_bytes());
            }
        }
        page
    }

    /// Reads a footer whose checksum holds, in a file of so many pages.
    pub(super) fn decode(page: &[u8], store: Uuid, name: RunName, pages: u64) -> Result<Self, Malformed> {
        let mut fields = Fields::new(&page[..BODY.min(page.len())]);
        if fields.array()? != [PageKind::Footer as u8, 0, 0, 0] {
            return Err(Malformed("the last page is no footer"));
        }
        let version = fields.u32()?;
        if fields.array()? != MAGIC {
            return Err(Malformed("it is no index run"));
        }
        if version != VERSION {
            return Err(Malformed("the run's version is not known"));
        }
        let named = (fields.array()?, fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
        if named != (*store.as_bytes(), name.level.into(), name.first, name.last, pages) {
            return Err(Malformed("the footer is another run's"));
        }
        let mut footer = Self { pages, ..Self::default() };
        for keys in &mut footer.counts.keys {
            *keys = fields.u64()?;
        }
        footer.counts.new_streams = fields.u64()?;
        footer.counts.postings = fields.u64()?;
        footer.counts.ids = fields.u64()?;
        footer.fingerprint = Fingerprint { postings: fields.u64()?, ids: fields.u64()? };
        footer.decode_sections(&mut fields)?;
        if footer.fits() { Ok(footer) } else { Err(Malformed("the footer contradicts itself")) }
    }

    fn decode_sections(&mut self, fields: &mut Fields<'_>) -> Result<(), Malformed> {
        let sections = fields.u32()?;
        fields.zero(4)?;
        if fields.remaining() / SECTION_BYTES < sections as usize {
            return Err(Malformed("the footer has too many sections"));
        }
        let mut found = [false; 4];
        for _ in 0..sections {
            let (kind, flags) = (fields.u32()?, fields.u32()?);
            let section = Section { first: fields.u64()?, pages: fields.u64()?, count: fields.u64()? };
            if section.first.checked_add(section.pages).is_none_or(|end| self.pages <= end)
                && section.pages != 0
            {
                return Err(Malformed("a section is longer than the file"));
            }
            let place = match kind {
                KEYS => &mut self.keys,
                KEY_FILTER => &mut self.key_filter,
                ID_FILTER => &mut self.id_filter,
                IDS => &mut self.ids,
                _ if flags & OPTIONAL != 0 => continue,
                _ => return Err(Malformed("the run has a section that is not known")),
            };
            *place = section;
            let seen = &mut found[(kind - 1) as usize];
            if std::mem::replace(seen, true) {
                return Err(Malformed("a section is there twice"));
            }
        }
        fields.zero(fields.remaining())?;
        if found == [true; 4] { Ok(()) } else { Err(Malformed("a section is missing")) }
    }

    /// Whether counts and sections agree.
    fn fits(&self) -> bool {
        let keys = self.counts.keys.iter().try_fold(0_u64, |sum, &keys| sum.checked_add(keys));
        let filter = |filter: Section, count: u64| {
            filter.pages == filter.count.div_ceil(super::filter::PAGE_BLOCKS)
                && (filter.count == 0) == (count == 0)
                && filter.count <= u64::from(u32::MAX)
        };
        // Whoever merges runs makes room for as many.
        let has_room =
            |tree: Section, entry: u64| tree.count <= tree.pages.saturating_mul(BODY as u64 / entry);
        has_room(self.keys, KEY_BYTES_MIN)
            && has_room(self.ids, ID_BYTES_MIN)
            && keys == Some(self.keys.count)
            && self.counts.ids == self.ids.count
            && (self.keys.count == 0) == (self.keys.pages == 0)
            && (self.ids.count == 0) == (self.ids.pages == 0)
            && filter(self.key_filter, self.keys.count)
            && filter(self.id_filter, self.ids.count)
    }
}
