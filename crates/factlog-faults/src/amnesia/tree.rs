//! Files and directories by their numbers, with the errors that a real file system gives.
//!
//! * What has a name, may get one back when the power fails, or is open is kept; the rest is dropped by [`Tree::sweep`].
//! * Files and directories keep to the directory they were made in: a rename into another one is refused, as between
//!   file systems. The engine needs none, and each directory's durability is its own.
//! * A number is never given twice, and after a loss of power everything but the root has a new one: what the kernel
//!   remembers of an old one is nobody's.
//! * There are no links and no holes. Owner, mode and times are not kept.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use fastrand::Rng;
use fuser::Errno;

use super::content::Content;
use super::loss::Loss;
use super::machine::Risk;
use super::names::{Directory, Operation};

/// What a file or directory is known by.
pub(super) type Id = u64;

/// The number that the kernel asks for first.
pub(super) const ROOT: Id = 1;

/// Everything on a disk.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Id, Node>,
    next: Id,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// Its last directory and its name, with long numbers as `#`: what a fault is asked for at.
    place: String,
    /// How many have it open.
    opens: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    File(Content),
    Directory(Directory),
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Node { kind: Kind::Directory(Directory::default()), place: "/".into(), opens: 0 };
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1 }
    }

    pub(super) fn kind(&self, id: Id) -> Result<&Kind, Errno> {
        self.nodes.get(&id).map(|node| &node.kind).ok_or(Errno::ENOENT)
    }

    pub(super) fn directory(&mut self, id: Id) -> Result<&mut Directory, Errno> {
        match self.nodes.get_mut(&id).map(|node| &mut node.kind) {
            Some(Kind::Directory(directory)) => Ok(directory),
            Some(Kind::File(_)) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    pub(super) fn file(&mut self, id: Id) -> Result<&mut Content, Errno> {
        match self.nodes.get_mut(&id).map(|node| &mut node.kind) {
            Some(Kind::File(content)) => Ok(content),
            Some(Kind::Directory(_)) => Err(Errno::EISDIR),
            None => Err(Errno::ENOENT),
        }
    }

    pub(super) fn find(&mut self, parent: Id, name: &OsStr) -> Result<Id, Errno> {
        self.directory(parent)?.current.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// Where a fault would have to be asked for.
    pub(super) fn place(&self, id: Id) -> String {
        self.nodes.get(&id).map(|node| node.place.clone()).unwrap_or_default()
    }

    /// The same for a name that may not be there yet.
    pub(super) fn place_of(&self, parent: Id, name: &OsStr) -> String {
        let parent = self.place(parent);
        let last = parent.rsplit('/').next().unwrap_or_default();
        format!("{last}/{}", masked(&name.to_string_lossy()))
    }

    pub(super) fn add(&mut self, parent: Id, name: &OsStr, kind: Kind) -> Result<Id, Errno> {
        let place = self.place_of(parent, name);
        let id = self.next;
        let directory = self.directory(parent)?;
        if directory.current.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        directory.apply(Operation::Add { name: name.into(), id });
        self.next += 1;
        self.nodes.insert(id, Node { kind, place, opens: 0 });
        Ok(id)
    }

    pub(super) fn remove(&mut self, parent: Id, name: &OsStr, wants_directory: bool) -> Result<(), Errno> {
        let id = self.find(parent, name)?;
        match (self.kind(id)?, wants_directory) {
            (Kind::File(_), false) => {}
            (Kind::Directory(directory), true) if directory.current.is_empty() => {}
            (Kind::Directory(_), true) => return Err(Errno::ENOTEMPTY),
            (Kind::File(_), true) => return Err(Errno::ENOTDIR),
            (Kind::Directory(_), false) => return Err(Errno::EISDIR),
        }
        self.directory(parent)?.apply(Operation::Take { name: name.into(), id });
        self.sweep();
        Ok(())
    }

    /// Gives a file another name in its directory, in the place of whatever file has it.
    pub(super) fn rename(&mut self, parent: Id, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        let id = self.find(parent, from)?;
        self.file(id)?;
        match self.find(parent, to) {
            Ok(same) if same == id => return Ok(()),
            Ok(there) => drop(self.file(there)?),
            Err(_) => {}
        }
        let place = self.place_of(parent, to);
        self.directory(parent)?.apply(Operation::Move { from: from.into(), to: to.into(), id });
        self.nodes.entry(id).and_modify(|node| node.place = place);
        self.sweep();
        Ok(())
    }

    pub(super) fn opened(&mut self, id: Id) {
        self.nodes.entry(id).and_modify(|node| node.opens += 1);
    }

    pub(super) fn closed(&mut self, id: Id) {
        self.nodes.entry(id).and_modify(|node| node.opens = node.opens.saturating_sub(1));
        self.sweep();
    }

    /// The bytes that files take up which have a name or are open.
    pub(super) fn used(&self) -> u64 {
        let named = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::Directory(directory) => Some(directory.current.values().copied()),
            Kind::File(_) => None,
        });
        let named: BTreeSet<Id> = named.flatten().collect();
        let counts = |id: &Id, node: &Node| 0 < node.opens || named.contains(id);
        let lengths = self.nodes.iter().map(|(id, node)| match &node.kind {
            Kind::File(content) if counts(id, node) => content.length(),
            Kind::File(_) | Kind::Directory(_) => 0,
        });
        lengths.sum()
    }

    /// What a loss of power may take away.
    pub(super) fn risk(&self) -> Risk {
        let mut risk = Risk::default();
        for node in self.nodes.values() {
            match &node.kind {
                Kind::File(content) => risk.changes += content.pending.len(),
                Kind::Directory(directory) => risk.operations += directory.pending.len(),
            }
        }
        risk
    }

    /// Drops what nobody can ever see again.
    pub(super) fn sweep(&mut self) {
        let mut seen = BTreeSet::from([ROOT]);
        let open = self.nodes.iter().filter(|(_, node)| 0 < node.opens).map(|(id, _)| *id);
        let mut left: Vec<Id> = open.chain([ROOT]).collect();
        seen.extend(&left);
        while let Some(id) = left.pop() {
            if let Some(Node { kind: Kind::Directory(directory), .. }) = self.nodes.get(&id) {
                left.extend(directory.ids().filter(|id| seen.insert(*id)));
            }
        }
        self.nodes.retain(|id, _| seen.contains(id));
    }

    /// The power fails and is back: nothing is open, and what was not durable is lost or not.
    pub(super) fn lose_power(&mut self, loss: Loss, rng: &mut Rng) {
        let contents = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::File(content) => Some(content.current.clone()),
            Kind::Directory(_) => None,
        });
        let contents: Vec<_> = contents.collect();
        for node in self.nodes.values_mut() {
            node.opens = 0;
            match &mut node.kind {
                Kind::Directory(directory) => directory.lose_power(loss, rng),
                Kind::File(content) => content.lose_power(loss, &contents[rng.usize(..contents.len())], rng),
            }
        }
        self.sweep();
        self.renumber();
    }

    fn renumber(&mut self) {
        let next = self.next;
        let numbers: BTreeMap<Id, Id> = self.nodes.keys().copied().zip(next..).collect();
        let new = |id: Id| if id == ROOT { ROOT } else { numbers[&id] };
        let nodes = std::mem::take(&mut self.nodes).into_iter().map(|(id, mut node)| {
            if let Kind::Directory(directory) = &mut node.kind {
                directory.durable.values_mut().for_each(|id| *id = new(*id));
                directory.current = directory.durable.clone();
            }
            (new(id), node)
        });
        let nodes: BTreeMap<Id, Node> = nodes.collect();
        self.next += nodes.len() as u64;
        self.nodes = nodes;
    }

    /// The names in a directory, with what stands behind them.
    pub(super) fn list(&mut self, id: Id) -> Result<Vec<(OsString, Id)>, Errno> {
        Ok(self.directory(id)?.current.iter().map(|(name, id)| (name.clone(), *id)).collect())
    }
}

/// A name with each number of more than one digit as `#`: of an index run the level stays.
fn masked(name: &str) -> String {
    let mut masked = String::new();
    let mut digits = String::new();
    for letter in name.chars().chain([' ']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        masked.push_str(if digits.len() < 2 { &digits } else { "#" });
        digits.clear();
        masked.push(letter);
    }
    masked.pop();
    masked
}
