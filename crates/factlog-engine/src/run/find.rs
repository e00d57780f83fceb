//! Looking keys up, one by its name or all in order.

use std::sync::Arc;

use super::coded::{Walk, locate};
use super::page::{Numbered, Numbers, Wrong};
use super::postings::{List, Postings};
use super::tree::Leaves;
use super::{Run, keys};
use crate::fields::Malformed;

/// A key in a run. It is of use with that run only.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// How many postings a stream has before this run: the revision of the first one here. Else 0.
    pub(crate) base: u64,
    /// How many postings there are here; at least one.
    pub(crate) count: u64,
    pub(super) list: List,
}

/// What a leaf has behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    base: u64,
    list: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Inline { start: usize, end: usize },
    Long { count: u64, place: u64 },
}

pub(super) fn parse(numbers: &mut Numbers<'_>) -> Result<Payload, Malformed> {
    let head = numbers.varint()?;
    let base = if head & 2 == 0 { 0 } else { numbers.varint()? };
    let list = if head & 1 == 0 {
        let length = usize::try_from(head >> 2).unwrap_or(usize::MAX);
        let start = numbers.at;
        numbers.bytes(length)?;
        Place::Inline { start, end: numbers.at }
    } else {
        Place::Long { count: head >> 2, place: numbers.varint()? }
    };
    Ok(Payload { base, list })
}

impl Payload {
    fn found(self, page: &Numbered) -> Result<Found, Malformed> {
        let (count, list) = match self.list {
            Place::Inline { start, end } => {
                let last = page.1[start..end].iter().filter(|&&byte| byte < 0x80).count();
                (last as u64, List::Inline { page: page.clone(), start, end })
            }
            Place::Long { count, place } => (count, List::Long { place }),
        };
        if count == 0 {
            return Err(Malformed("a key has no postings"));
        }
        Ok(Found { base: self.base, count, list })
    }
}

impl Run {
    /// Looks a key up.
    pub(crate) fn find(&self, key: &[u8]) -> Result<Option<Found>, Wrong> {
        if !self.may_have_key(key)? {
            return Ok(None);
        }
        let Some(page) = self.key_tree().leaf(self, key)? else { return Ok(None) };
        let wrong = Wrong::in_page(page.0);
        match locate(&page.1, key, parse).map_err(&wrong)? {
            Some(located) if located.exact => located.value.found(&page).map(Some).map_err(&wrong),
            Some(_) | None => Ok(None),
        }
    }

    /// The keys from `from` on, in order.
    pub(crate) fn keys(self: &Arc<Self>, from: &[u8]) -> KeyScan {
        let leaves = self.key_tree().leaves(self, from);
        KeyScan { leaves, from: from.to_vec(), leaf: None, walk: Walk::default(), found: None }
    }

    /// A cursor over a key's postings.
    pub(crate) fn cursor(self: &Arc<Self>, found: &Found) -> Postings {
        Postings::new(self.clone(), found)
    }

    /// The n-th posting of a key here, counted from 0; `None` if there are no more than n.
    pub(crate) fn nth(self: &Arc<Self>, found: &Found, n: u64) -> Result<Option<u64>, Wrong> {
        self.cursor(found).nth(n)
    }
}

/// Keys in order with what they have.
#[derive(Debug)]
pub(crate) struct KeyScan {
    leaves: Leaves,
    from: Vec<u8>,
    leaf: Option<Numbered>,
    walk: Walk,
    found: Option<Found>,
}

impl KeyScan {
    /// Goes to the next key; `false` when there is none. Keys that do not grow are an error.
    pub(crate) fn advance(&mut self) -> Result<bool, Wrong> {
        loop {
            let Some(page) = &self.leaf else {
                self.leaf = self.leaves.next()?;
                self.walk.start();
                if self.leaf.is_none() {
                    self.found = None;
                    return Ok(false);
                }
                continue;
            };
            let wrong = Wrong::in_page(page.0);
            match self.walk.next(&page.1, parse).map_err(&wrong)? {
                None => self.leaf = None,
                Some(_) if self.walk.key < self.from => {}
                Some(payload) => {
                    if !self.walk.key.first().is_some_and(|kind| (keys::STREAM..=keys::TAG).contains(kind)) {
                        return Err(wrong(Malformed("a key is of no known kind")));
                    }
                    self.found = Some(payload.found(page).map_err(&wrong)?);
                    return Ok(true);
                }
            }
        }
    }

    /// The key that [`KeyScan::advance`] came to.
    pub(crate) fn key(&self) -> &[u8] {
        &self.walk.key
    }

    /// What that key has, `None` before the first and behind the last.
    pub(crate) fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// Where in the file that key stands, for telling what is wrong with it.
    pub(super) fn page_number(&self) -> u64 {
        self.leaf.as_ref().map_or(0, |(number, _)| *number)
    }
}

impl Iterator for KeyScan {
    type Item = Result<(Vec<u8>, Found), Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.advance() {
            Ok(_) => self.found.clone().map(|found| Ok((self.walk.key.clone(), found))),
            Err(wrong) => Some(Err(wrong)),
        }
    }
}
