//! The file of a bundle: a compressed tar, which every machine can open.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use factlog_core::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::contents::Piece;

/// The directory that everything in it lies in.
const FOLDER: &str = "factlog-debug";

/// Writes a new file that only its owner may read; one that is there stays as it is.
pub(super) fn write(path: &Path, pieces: &[Piece], now: Timestamp) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut archive = Builder::new(GzEncoder::new(BufWriter::new(file), Compression::default()));
    for piece in pieces {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(piece.bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now.as_micros() / 1_000_000).unwrap_or(0));
        archive.append_data(&mut header, format!("{FOLDER}/{}", piece.name), &piece.bytes[..])?;
    }
    let file = archive.into_inner()?.finish()?;
    let mut file = file;
    file.flush()?;
    file.get_ref().sync_all()
}
