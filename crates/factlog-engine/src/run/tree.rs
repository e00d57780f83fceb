//! Static B+-trees: leaf pages in order, and fence pages that say where each begins.
//!
//! A fence page has for each page below it the shortest string that is above everything before that page and not
//! above anything in it, then its number. A tree is written from front to back; its root is the last page of its
//! section. Trees over keys and over hashes of ids differ in their leaves only.

use std::io;
use std::sync::Arc;

use super::coded::{Coded, Walk, common, locate};
use super::footer::Section;
use super::page::{Numbered, PAGE, PageKind, Sink, Wrong, push_varint};
use super::{Run, page};
use crate::fields::Malformed;

/// The fences of a tree in the making.
pub(super) struct Fences {
    kind: PageKind,
    levels: Vec<Coded>,
}

impl Fences {
    pub(super) fn new(kind: PageKind) -> Self {
        Self { kind, levels: Vec::new() }
    }

    /// Adds the next leaf.
    pub(super) fn add(&mut self, sink: &mut Sink<'_>, separator: &[u8], leaf: u64) -> io::Result<()> {
        self.add_at(0, sink, separator.to_vec(), leaf)
    }

    fn add_at(
        &mut self,
        mut level: usize,
        sink: &mut Sink<'_>,
        mut separator: Vec<u8>,
        mut child: u64,
    ) -> io::Result<()> {
        loop {
            if self.levels.len() == level {
                let height = u8::try_from(level + 1).expect("a tree is not so high");
                self.levels.push(Coded::new(self.kind, height));
            }
            let mut payload = Vec::new();
            push_varint(&mut payload, child);
            let fences = &mut self.levels[level];
            if fences.push(&separator, &payload) {
                return Ok(());
            }
            let first = fences.first.clone();
            let number = sink.write(&mut fences.take())?;
            assert!(fences.push(&separator, &payload), "an empty page has room for a separator");
            (separator, child, level) = (first, number, level + 1);
        }
    }

    /// Writes what is left; the root comes last. A single leaf needs no fences.
    pub(super) fn finish(mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        let mut level = 0;
        while level < self.levels.len() {
            if self.levels.len() == level + 1 && self.levels[level].entries() == 1 {
                return Ok(());
            }
            let first = self.levels[level].first.clone();
            let number = sink.write(&mut self.levels[level].take())?;
            if level + 1 == self.levels.len() {
                return Ok(());
            }
            self.add_at(level + 1, sink, first, number)?;
            level += 1;
        }
        Ok(())
    }
}

/// The shortest string above `before` and not above `first`.
pub(super) fn separator<'a>(before: &[u8], first: &'a [u8]) -> &'a [u8] {
    &first[..first.len().min(common(before, first) + 1)]
}

/// Which tree of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tree {
    pub(super) section: Section,
    pub(super) leaf: PageKind,
    pub(super) fence: PageKind,
}

impl Tree {
    /// The root's number, `None` for a tree of nothing.
    fn root(&self) -> Option<u64> {
        self.section.pages.checked_sub(1).map(|last| self.section.first + last)
    }

    /// Reads a page and says how high it is; the level it must have is known below the root.
    fn read(&self, run: &Run, number: u64, level: Option<u8>) -> Result<(Arc<[u8]>, u8), Wrong> {
        let page = run.page(number)?;
        let found = *page.get(1).unwrap_or(&0);
        let kind = if found == 0 { self.leaf } else { self.fence };
        if kind.is(&page) && level.is_none_or(|level| level == found) {
            Ok((page, found))
        } else {
            Err(Wrong::in_page(number)(Malformed("a page of another kind is in a tree")))
        }
    }

    fn child(&self, number: u64) -> Result<u64, Malformed> {
        if self.section.holds(number) {
            Ok(number)
        } else {
            Err(Malformed("a fence points out of its section"))
        }
    }

    /// The leaf that has `probe`, or would have it, with its number.
    pub(super) fn leaf(&self, run: &Run, probe: &[u8]) -> Result<Option<Numbered>, Wrong> {
        let Some(mut number) = self.root() else { return Ok(None) };
        let mut level = None;
        loop {
            let (page, found) = self.read(run, number, level)?;
            let Some(below) = found.checked_sub(1) else { return Ok(Some((number, page))) };
            let wrong = Wrong::in_page(number);
            let located = locate(&page, probe, page::Numbers::varint).map_err(&wrong)?;
            let child = match located {
                Some(located) => located.value,
                // Below every fence: only the first page can have it.
                None => first_child(&page).map_err(&wrong)?,
            };
            (number, level) = (self.child(child).map_err(&wrong)?, Some(below));
        }
    }

    /// Goes through the leaves, from the one that has `probe` or would have it.
    pub(super) fn leaves(&self, run: &Arc<Run>, probe: &[u8]) -> Leaves {
        Leaves { run: run.clone(), tree: *self, from: probe.to_vec(), stack: None, left: self.section.pages }
    }
}

fn first_child(page: &[u8]) -> Result<u64, Malformed> {
    let mut walk = Walk::default();
    walk.start();
    walk.next(page, page::Numbers::varint)?.ok_or(Malformed("a fence page is empty"))
}

/// The children of a fence page, and which of them has `probe`.
fn children(page: &[u8], probe: &[u8]) -> Result<(Vec<u64>, usize), Malformed> {
    let mut walk = Walk::default();
    walk.start();
    let (mut children, mut at) = (Vec::new(), 0);
    while let Some(child) = walk.next(page, page::Numbers::varint)? {
        if walk.key.as_slice() <= probe {
            at = children.len();
        }
        children.push(child);
    }
    Ok((children, at))
}

/// The leaves of a tree in order.
#[derive(Debug)]
pub(super) struct Leaves {
    run: Arc<Run>,
    tree: Tree,
    from: Vec<u8>,
    /// The pages still to visit at each height, the next one last; `None` before the first step.
    stack: Option<Vec<(u8, Vec<u64>)>>,
    /// Leaves that can still come: pages that lead to each other by many ways must not be gone through for ever.
    left: u64,
}

impl Leaves {
    /// The next leaf with its number.
    pub(super) fn next(&mut self) -> Result<Option<Numbered>, Wrong> {
        let mut root = None;
        if self.stack.is_none() {
            root = self.tree.root();
            self.stack = Some(Vec::new());
        }
        let stack = self.stack.get_or_insert_default();
        let (mut number, mut level) = match root {
            Some(root) => (root, None),
            None => loop {
                let Some((level, numbers)) = stack.last_mut() else { return Ok(None) };
                if let Some(number) = numbers.pop() {
                    break (number, Some(*level));
                }
                stack.pop();
            },
        };
        loop {
            let (page, found) = self.tree.read(&self.run, number, level)?;
            let wrong = Wrong::in_page(number);
            let Some(below) = found.checked_sub(1) else {
                let left = self.left.checked_sub(1);
                self.left = left.ok_or_else(|| wrong(Malformed("a tree has more leaves than pages")))?;
                return Ok(Some((number, page)));
            };
            let (mut numbers, at) = children(&page, &self.from).map_err(&wrong)?;
            numbers.drain(..at);
            numbers.reverse();
            // Pages further to the right begin above `from` anyway.
            let next = numbers.pop().ok_or_else(|| wrong(Malformed("a fence page is empty")))?;
            number = self.tree.child(next).map_err(&wrong)?;
            level = Some(below);
            stack.push((below, numbers));
        }
    }
}

const _: () =
    assert!(3 * (super::keys::KEY_BYTES_MAX + 16) < PAGE, "a fence page has room for three separators");
