//! Where a key goes that is made: into a file of its owner's, or shown once.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Kind, Outcome};

/// A new file, made before the key, so that no key is made that could not be kept.
#[derive(Debug)]
pub(crate) struct Written {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl Written {
    /// A file that only its owner reads. One that exists is not written over.
    pub(crate) fn begin(path: &Path) -> Outcome<Self> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = opened.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::new(
                Kind::Invalid,
                format!("{} exists, and a key is not written over", path.display()),
            )
            .advise("name another file, or move it away"),
            _ => Failure::io(format_args!("write {}", path.display()), &error),
        })?;
        Ok(Self { file, path: path.to_owned(), kept: false })
    }

    /// Writes the key, a line.
    pub(crate) fn keep(mut self, secret: &str) -> Outcome {
        let written = writeln!(self.file, "{secret}").and_then(|()| self.file.sync_all());
        written.map_err(|error| {
            Failure::io(format_args!("write the key to {}", self.path.display()), &error)
                .advise("the key was made and is lost: revoke it and make another")
        })?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Written {
    /// No key, no file.
    fn drop(&mut self) {
        if !self.kept {
            // It is empty or of no use; who made it is told why.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
