//! The file `STORE`: what makes a directory a store, and which one.
//!
//! `"FLSTORE1"`, the store id (16 bytes), `i64` creation time in µs, optional sections, `u64` checksum with seed 0. It is written last
//! when a store is created and never changed: without it there is no store yet.

use std::path::Path;

use factlog_core::{Error, Result, Timestamp};
use uuid::Uuid;

use crate::checksum::{push_trailer, trailer_holds};
use crate::fields::{Fields, Malformed};
use crate::storage::{self, Disk};

const FILE: &str = "STORE";
const MAGIC: [u8; 8] = *b"FLSTORE1";

/// Writes the file that makes a directory a store.
pub(crate) fn create(disk: &dyn Disk, dir: &Path, store: Uuid, created: Timestamp) -> Result<()> {
    storage::replace(disk, dir, FILE, &encode(store, created))
        .map_err(|cause| storage::failed("write", &dir.join(FILE), cause))
}

pub(crate) fn encode(store: Uuid, created: Timestamp) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(store.as_bytes());
    bytes.extend_from_slice(&created.as_micros().to_le_bytes());
    push_trailer(0, &mut bytes);
    bytes
}

/// The store's id, and when it was created.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Uuid, Timestamp), Malformed> {
    let content =
        bytes.split_last_chunk::<8>().filter(|_| trailer_holds(0, bytes)).map(|(content, _)| content);
    let mut fields = Fields::new(content.ok_or(Malformed("its checksum is wrong"))?);
    if fields.array()? != MAGIC {
        return Err(Malformed("it is not what makes a store"));
    }
    let store = Uuid::from_bytes(fields.array()?);
    let created = Timestamp::from_micros(fields.i64()?);
    fields.sections()?;
    Ok((store, created))
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
    decode(&bytes).map(|(store, _)| store).map_err(|_| {
        let path = path.display();
        Error::corrupt(format!("{path} is damaged, or of a version this program does not know"))
    })
}
