//! The file `STORE`: what makes a directory a store, and which one.
//!
//! `"FLSTORE1"`, the store id (16 bytes), `i64` creation time in µs, optional sections, `u64` checksum with seed 0. It is written last
//! when a store is created and never changed: without it there is no store yet.

use std::path::Path;

use factlog_core::{Error, Result, Timestamp};
use uuid::Uuid;

use crate::checksum::{push_trailer, trailer_holds};
use crate::fields::Fields;
use crate::storage::{self, Disk};

const FILE: &str = "STORE";
const MAGIC: [u8; 8] = *b"FLSTORE1";

/// Writes the file that makes a directory a store.
pub(crate) fn create(disk: &dyn Disk, dir: &Path, store: Uuid, created: Timestamp) -> Result<()> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(store.as_bytes());
    bytes.extend_from_slice(&created.as_micros().to_le_bytes());
    push_trailer(0, &mut bytes);
    storage::replace(disk, dir, FILE, &bytes)
        .map_err(|cause| storage::failed("write", &dir.join(FILE), cause))
}

/// Whether the directory is a store.
pub(crate) fn is_store(names: &[String]) -> bool {
    names.iter().any(|name| name == FILE)
}

/// Reads the store's id.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Uuid> {
    let path = dir.join(FILE);
    let bytes = storage::read_whole(disk, &path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => {
            let path = path.display();
            Error::corrupt(format!("{path} is missing; restore it from a copy of this store")).because(cause)
        }
        _ => storage::failed("read", &path, cause),
    })?;
    let mut fields = Fields::new(&bytes);
    match (trailer_holds(0, &bytes), fields.array(), fields.array()) {
        (true, Ok(MAGIC), Ok(id)) => Ok(Uuid::from_bytes(id)),
        _ => {
            let path = path.display();
            Err(Error::corrupt(format!("{path} is damaged, or of a version this program does not know")))
        }
    }
}
