//! Pages of sorted byte strings, front-coded: each entry says how much of the one before it begins with.
//!
//! ```text
//! 0  u8 kind, u8 level (0: a leaf), u16 entries
//! 4  entries: varint shared bytes, varint other bytes, these bytes, what belongs to the entry
//!    zeros
//!    u16 offset of each 16th entry, which shares nothing; these end where the checksum begins
//! ```

use std::cmp::Ordering;

use super::keys::KEY_BYTES_MAX;
use super::page::{BODY, HEAD, Numbers, PAGE, PageKind, push_varint};
use crate::fields::Malformed;

/// Entries from one that shares nothing to the next.
const GROUP: usize = 16;

/// A page in the making.
pub(super) struct Coded {
    page: Vec<u8>,
    entries: u16,
    groups: Vec<u16>,
    /// The first entry's string.
    pub(super) first: Vec<u8>,
    /// The last entry's string.
    pub(super) last: Vec<u8>,
}

impl Coded {
    pub(super) fn new(kind: PageKind, level: u8) -> Self {
        let mut page = Vec::with_capacity(PAGE);
        page.extend_from_slice(&[kind as u8, level, 0, 0]);
        Self { page, entries: 0, groups: Vec::new(), first: Vec::new(), last: Vec::new() }
    }

    pub(super) fn entries(&self) -> u16 {
        self.entries
    }

    /// Adds an entry behind the others; `false` if there is no room for it.
    pub(super) fn push(&mut self, key: &[u8], payload: &[u8]) -> bool {
        let opens = usize::from(self.entries).is_multiple_of(GROUP);
        let shared = if opens { 0 } else { common(&self.last, key) };
        // Two numbers below 2^14 need at most four bytes.
        let table = 2 * (self.groups.len() + usize::from(opens));
        if BODY < self.page.len() + 4 + (key.len() - shared) + payload.len() + table {
            return false;
        }
        if opens {
            self.groups.push(u16::try_from(self.page.len()).expect("a page is short"));
        }
        push_varint(&mut self.page, shared as u64);
        push_varint(&mut self.page, (key.len() - shared) as u64);
        self.page.extend_from_slice(&key[shared..]);
        self.page.extend_from_slice(payload);
        if self.entries == 0 {
            self.first.clear();
            self.first.extend_from_slice(key);
        }
        self.last.truncate(shared);
        self.last.extend_from_slice(&key[shared..]);
        self.entries += 1;
        true
    }

    /// The page's bytes. What is added next begins another page; `last` stays.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let head = self.page[..2].to_vec();
        self.page[2..HEAD].copy_from_slice(&self.entries.to_le_bytes());
        self.page.resize(BODY - 2 * self.groups.len(), 0);
        for offset in self.groups.drain(..) {
            self.page.extend_from_slice(&offset.to_le_bytes());
        }
        self.entries = 0;
        let mut next = Vec::with_capacity(PAGE);
        next.extend_from_slice(&head);
        next.extend_from_slice(&[0, 0]);
        std::mem::replace(&mut self.page, next)
    }
}

/// How many bytes two strings have in common at their front.
pub(super) fn common(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

/// The entries of a page and where its table of groups begins.
fn shape(page: &[u8]) -> Result<(usize, usize), Malformed> {
    let entries = usize::from(Numbers::new(page, 2).u16()?);
    let table = BODY.checked_sub(2 * entries.div_ceil(GROUP)).filter(|&table| HEAD <= table);
    match table {
        Some(table) if 0 < entries && page.len() == PAGE => Ok((entries, table)),
        Some(_) | None => Err(Malformed("a page's number of entries is wrong")),
    }
}

/// An entry that was looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located<T> {
    pub(super) index: usize,
    /// Whether the entry is the string itself.
    pub(super) exact: bool,
    pub(super) value: T,
}

/// The last entry that is not above `probe`; `None` if all are. `parse` reads what belongs to an entry.
pub(super) fn locate<'a, T>(
    page: &'a [u8],
    probe: &[u8],
    parse: impl Fn(&mut Numbers<'a>) -> Result<T, Malformed>,
) -> Result<Option<Located<T>>, Malformed> {
    let (entries, table) = shape(page)?;
    let body = &page[..table];
    let group = |index: usize| -> Result<(Numbers<'a>, &'a [u8]), Malformed> {
        let offset = Numbers::new(page, table + 2 * index).u16()?;
        let mut numbers = Numbers::new(body, offset.into());
        if numbers.varint()? != 0 {
            return Err(Malformed("a group's first entry shares bytes"));
        }
        let length = numbers.length()?;
        let first = numbers.bytes(length)?;
        Ok((numbers, first))
    };
    let (mut low, mut high) = (0, entries.div_ceil(GROUP));
    while low < high {
        let middle = low.midpoint(high);
        if group(middle)?.1 <= probe { low = middle + 1 } else { high = middle }
    }
    let Some(index) = low.checked_sub(1) else { return Ok(None) };
    let (mut numbers, first) = group(index)?;
    let mut matched = common(first, probe);
    let exact = matched == first.len() && matched == probe.len();
    let mut best = Located { index: index * GROUP, exact, value: parse(&mut numbers)? };
    let end = entries.min((index + 1) * GROUP);
    while !best.exact && best.index + 1 < end {
        let shared = usize::try_from(numbers.varint()?).unwrap_or(usize::MAX);
        let length = numbers.length()?;
        let rest = numbers.bytes(length)?;
        // An entry that shares more with the one before than the probe does is below the probe as that is; one
        // that shares less is above it, because the order grows.
        match shared.cmp(&matched) {
            Ordering::Less => break,
            Ordering::Greater => {}
            Ordering::Equal if rest <= &probe[matched..] => {
                matched += common(rest, &probe[matched..]);
                best.exact = matched == shared + rest.len() && matched == probe.len();
            }
            Ordering::Equal => break,
        }
        best.index += 1;
        best.value = parse(&mut numbers)?;
    }
    Ok(Some(best))
}

/// Goes through the entries of a page.
#[derive(Debug, Default)]
pub(super) struct Walk {
    at: usize,
    index: usize,
    /// The string of the entry that [`Walk::next`] has come to.
    pub(super) key: Vec<u8>,
}

impl Walk {
    /// In front of a page's first entry.
    pub(super) fn start(&mut self) {
        (self.at, self.index) = (HEAD, 0);
    }

    /// Reads the next entry; `None` at the page's end. Strings must grow, from page to page too.
    pub(super) fn next<'a, T>(
        &mut self,
        page: &'a [u8],
        parse: impl Fn(&mut Numbers<'a>) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        let (entries, table) = shape(page)?;
        if entries <= self.index {
            return Ok(None);
        }
        let mut numbers = Numbers::new(&page[..table], self.at);
        let shared = usize::try_from(numbers.varint()?).unwrap_or(usize::MAX);
        let length = numbers.length()?;
        let rest = numbers.bytes(length)?;
        let opens = self.index.is_multiple_of(GROUP);
        let grows = if opens {
            let group = Numbers::new(page, table + 2 * (self.index / GROUP)).u16()?;
            let found = usize::from(group) == self.at;
            found && shared == 0 && (self.key.as_slice() < rest || self.key.is_empty())
        } else {
            // A look-up relies on it that an entry shares as much as it can.
            let goes_on = |tail: &[u8]| tail < rest && tail.first() != rest.first();
            self.key.get(shared..).is_some_and(goes_on)
        };
        if !grows || KEY_BYTES_MAX < shared + length {
            return Err(Malformed("entries are not in order"));
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(rest);
        let value = parse(&mut numbers)?;
        (self.at, self.index) = (numbers.at, self.index + 1);
        Ok(Some(value))
    }
}
