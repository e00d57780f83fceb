//! A cursor over one key's postings.
//!
//! It holds one unpacked chunk, so small moves touch no page. A far move goes down the list's nodes: one page a
//! level, then the chunk's. No list is ever read as a whole.

use std::sync::Arc;

use factlog_core::Direction;

use super::chunk::{self, CHUNK};
use super::lists::{CHILD, FANOUT, FANOUT_BITS, NODE_HEAD, NODE_TAG, levels};
use super::page::{BODY, Numbered, Numbers, PAGE, PageKind, Wrong};
use super::{Found, Run};
use crate::fields::Malformed;

/// Where a list lies.
#[derive(Clone, Debug)]
pub(super) enum List {
    Inline { page: Numbered, start: usize, end: usize },
    Long { place: u64 },
}

/// How a chunk is looked for.
#[derive(Clone, Copy, Debug)]
enum Target {
    Number(u64),
    Position(u64),
}

/// The positions of one key in one run.
#[derive(Debug)]
pub(crate) struct Postings {
    run: Arc<Run>,
    list: List,
    count: u64,
    /// The chunk at hand, and its number; `u64::MAX` if there is none.
    chunk: Vec<u64>,
    number: u64,
    /// Where in the chunk the last answer is.
    at: usize,
    /// How many postings [`Postings::advance`] has passed, and the last of them.
    passed: (u64, u64),
    /// The page last used.
    page: Option<Numbered>,
}

impl Postings {
    pub(super) fn new(run: Arc<Run>, found: &Found) -> Self {
        let (list, count) = (found.list.clone(), found.count);
        Self { run, list, count, chunk: Vec::new(), number: u64::MAX, at: 0, passed: (0, 0), page: None }
    }

    /// The first posting at or above `from`; backwards, the last one at or below.
    pub(crate) fn seek(&mut self, from: u64, direction: Direction) -> Result<Option<u64>, Wrong> {
        if let Some(found) = self.seek_here(from, direction) {
            return Ok(Some(found));
        }
        let found = self.open(Target::Position(from))?;
        match direction {
            Direction::Backwards if !found => Ok(None),
            Direction::Forwards if !found => {
                self.open(Target::Number(0))?;
                Ok(self.take(0))
            }
            Direction::Backwards => {
                let after = self.chunk.partition_point(|&position| position <= from);
                Ok(after.checked_sub(1).and_then(|at| self.take(at)))
            }
            Direction::Forwards => {
                let at = self.chunk.partition_point(|&position| position < from);
                if at < self.chunk.len() {
                    return Ok(self.take(at));
                }
                let next = self.number + 1;
                Ok(if self.open(Target::Number(next))? { self.take(0) } else { None })
            }
        }
    }

    /// The next posting from the front; `None` at the end. Seeking does not change where this goes on.
    pub(crate) fn advance(&mut self) -> Result<Option<u64>, Wrong> {
        let (passed, before) = self.passed;
        if passed == self.count {
            return Ok(None);
        }
        let position = self.nth(passed)?.unwrap_or(0);
        if position <= before {
            return Err(self.wrong(Malformed("postings are not in order")));
        }
        self.passed = (passed + 1, position);
        Ok(Some(position))
    }

    /// The n-th posting, counted from 0.
    pub(crate) fn nth(&mut self, n: u64) -> Result<Option<u64>, Wrong> {
        if self.count <= n {
            return Ok(None);
        }
        self.open(Target::Number(n / CHUNK as u64))?;
        Ok(self.take((n % CHUNK as u64) as usize))
    }

    /// Answers from the chunk at hand, if the answer is there.
    fn seek_here(&mut self, from: u64, direction: Direction) -> Option<u64> {
        let (first, last) = (*self.chunk.first()?, *self.chunk.last()?);
        if from < first || last < from {
            return None;
        }
        // Most moves are to a neighbour.
        let near = match direction {
            Direction::Forwards => self.chunk[self.at] < from && self.at + 1 < self.chunk.len(),
            Direction::Backwards => from < self.chunk[self.at] && 0 < self.at,
        };
        let at = match direction {
            Direction::Forwards if near && from <= self.chunk[self.at + 1] => self.at + 1,
            Direction::Backwards if near && self.chunk[self.at - 1] <= from => self.at - 1,
            Direction::Forwards => self.chunk.partition_point(|&position| position < from),
            Direction::Backwards => self.chunk.partition_point(|&position| position <= from) - 1,
        };
        self.take(at)
    }

    fn take(&mut self, at: usize) -> Option<u64> {
        self.at = at;
        self.chunk.get(at).copied()
    }

    /// Makes a chunk the one at hand; `false` if there is none: a number too large, a position below all.
    fn open(&mut self, target: Target) -> Result<bool, Wrong> {
        let chunks = self.count.div_ceil(CHUNK as u64);
        match target {
            Target::Number(number) if chunks <= number => return Ok(false),
            Target::Number(number) if number == self.number => return Ok(true),
            Target::Number(_) | Target::Position(_) => {}
        }
        let (number, expected) = match self.list {
            List::Inline { .. } => {
                self.unpack_inline()?;
                (0, None)
            }
            List::Long { place } => {
                let Some((number, expected, place)) = self.descend(target, place)? else { return Ok(false) };
                self.unpack(place)?;
                (number, expected)
            }
        };
        self.at = 0;
        let first = self.chunk[0];
        let length = (self.count - (number * CHUNK as u64).min(self.count)).min(CHUNK as u64);
        if self.chunk.len() as u64 != length || expected.is_some_and(|expected| expected != first) {
            self.chunk.clear();
            self.number = u64::MAX;
            return Err(self.wrong(Malformed("a chunk of postings is in another's place")));
        }
        self.number = number;
        Ok(match target {
            Target::Number(_) => true,
            Target::Position(from) => first <= from,
        })
    }

    /// Finds a chunk: its number, its first posting where a node says so, and its place.
    fn descend(&mut self, target: Target, root: u64) -> Result<Option<(u64, Option<u64>, u64)>, Wrong> {
        let chunks = self.count.div_ceil(CHUNK as u64);
        let (mut number, mut first, mut place) = (0_u64, None, root);
        for level in (0..levels(self.count)).rev() {
            let page = self.postings_page(place)?;
            let wrong = Wrong::in_page(place / PAGE as u64);
            let node = Node::parse(&page, place).map_err(&wrong)?;
            // All nodes are full but the last ones, so the count says how many children there are.
            let chunks_before = number << (FANOUT_BITS * (level + 1));
            let children = (chunks - chunks_before).div_ceil(1 << (FANOUT_BITS * level)).min(FANOUT as u64);
            if node.children() as u64 != children {
                return Err(wrong(Malformed("a node of a list has children too many or too few")));
            }
            let child = match target {
                Target::Number(wanted) => Some((wanted >> (FANOUT_BITS * level)) as usize & (FANOUT - 1)),
                Target::Position(from) => node.child_of(from.checked_sub(self.run.name.first)),
            };
            let Some(child) = child else { return Ok(None) };
            let (from_first, below) = node.child(child).map_err(&wrong)?;
            first = Some(self.run.span().position(from_first).map_err(&wrong)?);
            (number, place) = (number << FANOUT_BITS | child as u64, below);
        }
        Ok(Some((number, first, place)))
    }

    /// The page of a place, which must be one of postings.
    fn postings_page(&mut self, place: u64) -> Result<Arc<[u8]>, Wrong> {
        let number = place / PAGE as u64;
        if let Some((held, page)) = &self.page
            && *held == number
        {
            return Ok(page.clone());
        }
        if !self.run.footer.keys.holds(number) {
            return Err(Wrong::in_page(number)(Malformed("a list points out of its section")));
        }
        let page = self.run.page(number)?;
        if !PageKind::Postings.is(&page) {
            return Err(Wrong::in_page(number)(Malformed("a page of another kind is in place of postings")));
        }
        self.page = Some((number, page.clone()));
        Ok(page)
    }

    fn unpack(&mut self, place: u64) -> Result<(), Wrong> {
        let page = self.postings_page(place)?;
        self.number = u64::MAX;
        let unpacked = chunk::decode(&page, (place % PAGE as u64) as usize, self.run.span(), &mut self.chunk);
        unpacked.map_err(|what| self.harmed(place / PAGE as u64, what))
    }

    fn unpack_inline(&mut self) -> Result<(), Wrong> {
        let List::Inline { page, start, end } = &self.list else { return Ok(()) };
        let number = page.0;
        let unpacked = chunk::decode_inline(&page.1[*start..*end], self.run.span(), &mut self.chunk);
        unpacked.map_err(|what| self.harmed(number, what))
    }

    /// Forgets a chunk that was unpacked in part.
    fn harmed(&mut self, page: u64, what: Malformed) -> Wrong {
        self.chunk.clear();
        self.number = u64::MAX;
        Wrong::in_page(page)(what)
    }

    fn wrong(&self, what: Malformed) -> Wrong {
        let page = match (&self.list, &self.page) {
            (List::Inline { page, .. }, _) | (List::Long { .. }, Some(page)) => page.0,
            (List::Long { place }, None) => place / PAGE as u64,
        };
        Wrong::in_page(page)(what)
    }
}

/// A node of a long list.
struct Node<'a>(&'a [u8]);

impl<'a> Node<'a> {
    fn parse(page: &'a [u8], place: u64) -> Result<Self, Malformed> {
        let body = page.get(..BODY).ok_or(Malformed("a page ends too early"))?;
        let mut numbers = Numbers::new(body, (place % PAGE as u64) as usize);
        if numbers.u8()? != NODE_TAG {
            return Err(Malformed("there is no node of a list"));
        }
        let children = usize::from(numbers.u8()?) + 1;
        numbers.bytes(children * CHILD).map(Self)
    }

    fn children(&self) -> usize {
        self.0.len() / CHILD
    }

    /// First posting, counted from the run's first, and place of a child.
    fn child(&self, index: usize) -> Result<(u64, u64), Malformed> {
        let mut numbers = Numbers::new(self.0, index * CHILD);
        Ok((numbers.u48()?, numbers.u48()?))
    }

    /// The last child that begins at or below a position, `None` if none does.
    fn child_of(&self, from_first: Option<u64>) -> Option<usize> {
        let from_first = from_first?;
        let (mut low, mut high) = (0, self.children());
        while low < high {
            let middle = low.midpoint(high);
            if self.child(middle).is_ok_and(|(first, _)| first <= from_first) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }
}

const _: () = assert!(NODE_HEAD + FANOUT * CHILD < BODY - super::page::HEAD, "a node fits into a page");
