//! The files of the repository as plain values, so that every check can be tried on a fixture.
//!
//! It reads the directory rather than the index of git: a file is checked before it is added, and a source archive
//! without `.git` can be checked too. It never writes.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};

/// Hidden directories that belong to the repository; all others are somebody's tools.
const HIDDEN: [&str; 3] = [".cargo", ".ci", ".config"];
/// Directories that are never looked into.
const SKIPPED: [&str; 2] = ["target", "node_modules"];
/// Files whose text is read; of all others only the name is known.
const TEXT: [&str; 4] = ["md", "rs", "sh", "toml"];

/// Every file by its path from the top, with `/` between the parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_directory(root, "")?;
        Ok(tree)
    }

    /// A tree that exists only in a test.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        Self { files: files.collect() }
    }

    /// Whether there is such a file, or a directory with a file in it.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        if path.is_empty() || self.files.contains_key(path) {
            return true;
        }
        let directory = format!("{path}/");
        let next = self.files.range(directory.clone()..).next();
        next.is_some_and(|(found, _)| found.starts_with(&directory))
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Path and text of every file that was read.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        let suffix = format!(".{extension}");
        self.texts().filter(move |(path, _)| path.ends_with(&suffix))
    }

    fn read_directory(&mut self, directory: &Path, prefix: &str) -> Result<()> {
        let entries =
            fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", directory.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(|| format!("cannot look at {path}"))?;
            if kind.is_dir() {
                let hidden = name.starts_with('.') && !HIDDEN.contains(&name.as_str());
                if !hidden && !SKIPPED.contains(&name.as_str()) {
                    self.read_directory(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() && name != ".git" {
                // In a worktree that name is a file.
                let text = if is_text(&path) {
                    Some(fs::read_to_string(entry.path()).with_context(|| format!("cannot read {path}"))?)
                } else {
                    None
                };
                self.files.insert(path, text);
            }
        }
        Ok(())
    }
}

fn is_text(path: &str) -> bool {
    path == ".ci/run" || path.rsplit_once('.').is_some_and(|(_, extension)| TEXT.contains(&extension))
}

#[cfg(test)]
mod tests {
    //! A tree knows its files and the directories they imply.
    use super::*;

    #[test]
    fn a_directory_exists_through_its_files() {
        let tree = Tree::of(&[("docs/guide.md", "x"), ("docs-old.md", "x")]);
        assert!(tree.exists("docs"));
        assert!(tree.exists("docs/"));
        assert!(tree.exists("docs/guide.md"));
        assert!(!tree.exists("docs/guide"));
        assert!(!tree.exists("doc"));
    }

    #[test]
    fn this_repository_is_read_without_its_build_directory() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a parent");
        let tree = Tree::read(root).expect("readable");
        assert!(tree.text("xtask/src/tree.rs").is_some_and(|text| text.starts_with("//! The files")));
        assert!(tree.text(".ci/run").is_some());
        assert!(!tree.exists("target"));
        assert!(!tree.exists(".git"));
    }
}
