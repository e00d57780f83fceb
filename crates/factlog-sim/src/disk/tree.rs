//! Files and directories of a disk by their names, with the errors that a real file system gives.
//!
//! * What has a name, may get one back when the power fails, or is open is kept; the rest is dropped by
//!   [`Tree::sweep`].
//! * A path is relative to the one root, whether it begins with a slash or not.
//! * Files and directories keep to the directory they were made in: a rename into another one is refused, as between
//!   file systems. Nobody here needs one, and each directory's durability is its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::content::Content;
use super::directory::{Directory, Operation};
use super::errno;

/// What a file or directory is known by; never given twice.
pub(super) type Id = u64;

pub(super) const ROOT: Id = 0;

/// Everything on a disk.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<Id, Node>,
    next: Id,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// How many have it open.
    pub(super) handles: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    File(Content),
    Directory(Directory),
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Node { kind: Kind::Directory(Directory::default()), handles: 0 };
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1 }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Id> {
        let mut id = ROOT;
        for name in names(path) {
            id = *self.directory(id)?.current.get(&name).ok_or_else(not_found)?;
        }
        Ok(id)
    }

    /// The directory that a path's last name is in, and that name.
    pub(super) fn find_parent(&self, path: &Path) -> io::Result<(Id, String)> {
        let mut names = names(path);
        // The root is nobody's entry.
        let name = names.pop().ok_or_else(|| errno::error(errno::IS_A_DIRECTORY))?;
        let parent = self.find(&names.iter().collect::<PathBuf>())?;
        self.directory(parent)?;
        Ok((parent, name))
    }

    pub(super) fn directory(&self, id: Id) -> io::Result<&Directory> {
        match self.nodes.get(&id).map(|node| &node.kind) {
            Some(Kind::Directory(directory)) => Ok(directory),
            Some(Kind::File(_)) => Err(errno::error(errno::NOT_A_DIRECTORY)),
            None => Err(not_found()),
        }
    }

    pub(super) fn directory_mut(&mut self, id: Id) -> io::Result<&mut Directory> {
        match self.nodes.get_mut(&id).map(|node| &mut node.kind) {
            Some(Kind::Directory(directory)) => Ok(directory),
            Some(Kind::File(_)) => Err(errno::error(errno::NOT_A_DIRECTORY)),
            None => Err(not_found()),
        }
    }

    pub(super) fn file(&self, id: Id) -> io::Result<&Content> {
        match self.nodes.get(&id).map(|node| &node.kind) {
            Some(Kind::File(content)) => Ok(content),
            Some(Kind::Directory(_)) => Err(errno::error(errno::IS_A_DIRECTORY)),
            None => Err(not_found()),
        }
    }

    pub(super) fn file_mut(&mut self, id: Id) -> io::Result<&mut Content> {
        match self.nodes.get_mut(&id).map(|node| &mut node.kind) {
            Some(Kind::File(content)) => Ok(content),
            Some(Kind::Directory(_)) => Err(errno::error(errno::IS_A_DIRECTORY)),
            None => Err(not_found()),
        }
    }

    /// The file of this name.
    pub(super) fn find_file(&self, path: &Path) -> io::Result<Id> {
        let id = self.find(path)?;
        self.file(id)?;
        Ok(id)
    }

    /// Makes directories until the path is one. With `most`, no more than so many.
    pub(super) fn create_dir(&mut self, path: &Path, most: usize) -> io::Result<()> {
        let mut id = ROOT;
        let names = names(path);
        let mut made = 0;
        for (index, name) in names.iter().enumerate() {
            id = match self.directory(id)?.current.get(name) {
                Some(&there) => there,
                None if made == most => return Ok(()),
                None => {
                    made += 1;
                    self.add(id, name.clone(), Kind::Directory(Directory::default()))?
                }
            };
            if index + 1 == names.len() && self.directory(id).is_err() {
                return Err(errno::error(errno::EXISTS));
            }
        }
        Ok(())
    }

    /// The file of this name, made if there is none; says whether it was.
    pub(super) fn find_or_create(&mut self, path: &Path) -> io::Result<(Id, bool)> {
        let (parent, name) = self.find_parent(path)?;
        match self.directory(parent)?.current.get(&name) {
            Some(&id) => self.file(id).map(|_| (id, false)),
            None => Ok((self.add(parent, name, Kind::File(Content::default()))?, true)),
        }
    }

    fn add(&mut self, parent: Id, name: String, kind: Kind) -> io::Result<Id> {
        let id = self.next;
        self.directory_mut(parent)?.apply(Operation::Add { name, id });
        self.nodes.insert(id, Node { kind, handles: 0 });
        self.next += 1;
        Ok(id)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from) = self.find_parent(from)?;
        let id = *self.directory(from_dir)?.current.get(&from).ok_or_else(not_found)?;
        let (to_dir, to) = self.find_parent(to)?;
        if from_dir != to_dir {
            return Err(errno::error(errno::CROSSES_DEVICES));
        }
        let there = self.directory(to_dir)?.current.get(&to).copied();
        match there {
            Some(there) if there == id => return Ok(()),
            Some(there) => match (self.directory(id).is_ok(), self.directory(there)) {
                (true, Err(_)) => return Err(errno::error(errno::NOT_A_DIRECTORY)),
                (false, Ok(_)) => return Err(errno::error(errno::IS_A_DIRECTORY)),
                (true, Ok(full)) if !full.current.is_empty() => return Err(errno::error(errno::NOT_EMPTY)),
                (true, Ok(_)) | (false, Err(_)) => {}
            },
            None => {}
        }
        self.directory_mut(from_dir)?.apply(Operation::Move { from, to, id });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.find_parent(path)?;
        let id = *self.directory(parent)?.current.get(&name).ok_or_else(not_found)?;
        self.file(id)?;
        self.directory_mut(parent)?.apply(Operation::Take { name, id });
        Ok(())
    }

    /// Somebody has opened it.
    pub(super) fn opened(&mut self, id: Id) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.handles += 1;
        }
    }

    /// Somebody has closed it.
    pub(super) fn closed(&mut self, id: Id) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.handles = node.handles.saturating_sub(1);
        }
    }

    /// The bytes that files take up: those that have a name, and those that are still open.
    pub(super) fn used(&self) -> u64 {
        let directories = self.nodes.values().filter_map(Node::as_directory);
        let named: BTreeSet<_> = directories.flat_map(|directory| directory.current.values()).collect();
        let taken = self.nodes.iter().filter(|(id, node)| 0 < node.handles || named.contains(id));
        taken.filter_map(|(_, node)| node.as_file()).map(Content::length).sum()
    }

    /// Drops what has no name, can get none back and is not open.
    pub(super) fn sweep(&mut self) {
        let mut kept = BTreeSet::from([ROOT]);
        let mut next = vec![ROOT];
        while let Some(id) = next.pop() {
            if let Ok(directory) = self.directory(id) {
                next.extend(directory.ids().filter(|id| kept.insert(*id)));
            }
        }
        self.nodes.retain(|id, node| 0 < node.handles || kept.contains(id));
    }

    /// All files that have a name, in order of their paths.
    pub(super) fn files(&self, names: fn(&Directory) -> &BTreeMap<String, Id>) -> Vec<(PathBuf, &Content)> {
        let mut files = Vec::new();
        let mut next = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, id)) = next.pop() {
            match self.nodes.get(&id).map(|node| &node.kind) {
                Some(Kind::Directory(directory)) => {
                    next.extend(names(directory).iter().map(|(name, id)| (path.join(name), *id)));
                }
                Some(Kind::File(content)) => files.push((path, content)),
                None => {}
            }
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        files
    }
}

impl Node {
    pub(super) fn as_file(&self) -> Option<&Content> {
        match &self.kind {
            Kind::File(content) => Some(content),
            Kind::Directory(_) => None,
        }
    }

    pub(super) fn drop_cache(&mut self) {
        match &mut self.kind {
            Kind::File(content) => content.drop_cache(),
            Kind::Directory(_) => {}
        }
    }

    fn as_directory(&self) -> Option<&Directory> {
        match &self.kind {
            Kind::File(_) => None,
            Kind::Directory(directory) => Some(directory),
        }
    }
}

/// The names on the way to a path.
fn names(path: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => drop(names.pop()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    names
}

fn not_found() -> io::Error {
    errno::error(errno::NOT_FOUND)
}
