//! What can be wrong with a segment's file, with its place.

use std::io;
use std::path::Path;

use factlog_core::Error;

use crate::damage::Damage;
use crate::fields::Malformed;
use crate::storage::{self, DiskFile};

/// A part of a segment that cannot be used.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// Where the part begins.
    pub(crate) offset: u64,
    /// The positions that cannot be read for it; none if the first is above the last.
    pub(crate) lost: (u64, u64),
    pub(crate) cause: Cause,
}

/// Why a part cannot be used.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The bytes are not what was written.
    Damaged(Malformed),
    /// The system could not read them; another time it may.
    Unreadable(io::Error),
}

impl Wrong {
    /// Damage that costs no position.
    pub(crate) fn at(offset: u64, what: Malformed) -> Self {
        Self { offset, lost: (1, 0), cause: Cause::Damaged(what) }
    }

    /// The same, with the positions that are lost.
    pub(crate) fn losing(self, first: u64, last: u64) -> Self {
        Self { lost: (first, last), ..self }
    }

    /// The damage in a file with this name, whatever its cause.
    pub(crate) fn to_damage(&self, path: &str) -> Damage {
        let what = match &self.cause {
            Cause::Damaged(what) => what.to_string(),
            Cause::Unreadable(cause) => cause.to_string(),
        };
        Damage::new(path, self.offset, self.lost, what)
    }

    /// The error for whoever wanted to read: `Corrupt` for damage, `Unavailable` where the system failed.
    pub(crate) fn into_error(self, path: &str) -> Error {
        match self.cause {
            Cause::Damaged(_) => self.to_damage(path).to_error(),
            Cause::Unreadable(cause) => {
                let place = format!("{path} at offset {}", self.offset);
                storage::failed("read", Path::new(&place), cause)
            }
        }
    }
}

/// Reads exactly this much; a file that is too short is damaged.
pub(crate) fn read(file: &dyn DiskFile, offset: u64, length: usize) -> Result<Vec<u8>, Wrong> {
    storage::read_exact(file, offset, length).map_err(|cause| {
        let cause = match cause.kind() {
            io::ErrorKind::UnexpectedEof => Cause::Damaged(Malformed("the file ends too early")),
            _ => Cause::Unreadable(cause),
        };
        Wrong { offset, lost: (1, 0), cause }
    })
}
