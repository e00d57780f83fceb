//! The file of contexts: names for stores, and which of them is in use.
//!
//! It is replaced as a whole, by renaming, readable by its owner only; whoever changes it holds a lock from reading to
//! replacing, so that two at once lose nothing. A file that cannot be understood is told by its
//! line and never written over.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind, Outcome};
use crate::nearest::nearest;
use crate::place::Place;

/// What the file holds.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The context in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Place>,
}

/// The folder of this user's files: below `$XDG_CONFIG_HOME`, or else `~/.config`. What is not absolute counts as absent there.
pub(crate) fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".config"));
    absolute("XDG_CONFIG_HOME").or_else(home).map(|base| base.join("factlog"))
}

/// Where the file is.
pub(crate) fn file(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    folder(variable).map(|folder| folder.join("contexts.toml"))
}

/// Lets one process at a time read, change and replace the file, until the answer is dropped.
///
/// The lock is on a file beside it: the one that is replaced would be locked under a name that is another's by then.
pub(crate) fn lock(path: &Path) -> Outcome<File> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).with_extension("lock");
    let locked = || -> io::Result<File> {
        std::fs::create_dir_all(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        let file = File::options().create(true).append(true).open(&path)?;
        file.lock()?;
        Ok(file)
    };
    locked().map_err(|error| Failure::io(format!("lock {}", path.display()), &error))
}

impl Contexts {
    /// What the file says; nothing where there is none.
    pub(crate) fn load(path: &Path) -> Outcome<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::io(format!("read {}", path.display()), &error)),
        };
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let place = line.map_or(String::new(), |line| format!("line {line} of "));
            Failure::new(Kind::Invalid, format!("{place}{} cannot be understood", path.display()))
                .because(error.message().replace('\n', ", "))
                .advise("correct it there, or move the file away; it is not written over")
        })
    }

    /// Replaces the file.
    pub(crate) fn save(&self, path: &Path) -> Outcome {
        let text = toml::to_string(self).map_err(|error| {
            Failure::new(Kind::Invalid, "the contexts cannot be written").because(error.to_string())
        })?;
        replace(path, &text).map_err(|error| Failure::io(format!("write {}", path.display()), &error))
    }

    /// The place of a context.
    pub(crate) fn place(&self, name: &str) -> Outcome<&Place> {
        self.contexts.get(name).ok_or_else(|| self.unknown(name))
    }

    /// The failure to find a context, with the one that may have been meant.
    pub(crate) fn unknown(&self, name: &str) -> Failure {
        let failure = Failure::new(Kind::NotFound, format!("there is no context {name:?}"));
        failure.advise(match nearest(name, self.contexts.keys().map(String::as_str)) {
            Some(near) => format!("is {near} meant? `factlog context list` shows them all"),
            None => "`factlog context list` shows them all, `factlog context add` makes one".to_owned(),
        })
    }
}

/// A new file under a name of its own, and then under this one: whoever reads sees the old one or the new one, whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Through a link to where the file is kept, so that the link stays.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    // Of mode 0600 from its first moment.
    let mut file = tempfile::Builder::new().prefix(".contexts-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_comes_back_and_only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new").join("contexts.toml");
        assert_eq!(Contexts::load(&path).unwrap(), Contexts::default());
        let mut contexts = Contexts { current: Some("prod".to_owned()), ..Contexts::default() };
        contexts.contexts.insert("prod".to_owned(), Place::Server("factlog://a:1".to_owned()));
        contexts.contexts.insert("a.b".to_owned(), Place::Data("/with \"quotes\"\nand lines".into()));
        for _ in 0..2 {
            contexts.save(&path).unwrap();
            assert_eq!(Contexts::load(&path).unwrap(), contexts);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.parent().unwrap().read_dir().unwrap().count(), 1);
    }

    /// Would fail if a mistyped key were passed over, or the wrong line named.
    #[test]
    fn what_cannot_be_understood_is_told_by_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("contexts.toml");
        for (text, line) in [
            ("current = 7\n", 1),
            ("curent = \"a\"\n", 1),
            ("\n[contexts.a]\nserver = factlog\n", 3),
            ("[contexts.a]\nserver = \"x\"\n\n[contexts.b]\nsrever = \"x\"\n", 5),
            ("[contexts.a]\nserver = \"x\"\ndata = \"y\"\n", 1),
        ] {
            std::fs::write(&path, text).unwrap();
            let told = Contexts::load(&path).expect_err(text).to_string();
            assert!(told.starts_with(&format!("line {line} of ")), "{text}: {told}");
        }
    }

    #[test]
    fn a_relative_home_is_none() {
        let only = |wanted: &'static str, value: &'static str| {
            file(move |name| (name == wanted).then(|| OsString::from(value)))
        };
        assert_eq!(only("XDG_CONFIG_HOME", "/x"), Some("/x/factlog/contexts.toml".into()));
        assert_eq!(only("HOME", "/h"), Some("/h/.config/factlog/contexts.toml".into()));
        assert_eq!(only("HOME", "h"), None);
    }
}
