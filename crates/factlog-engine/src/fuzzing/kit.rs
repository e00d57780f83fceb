//! What the targets share: a store's id, events to make seeds of, files in memory, checksums put right, zeros left out.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factlog_core::{ContentType, Event, EventId, EventType, StreamId, Tags};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::checksum::push_trailer;
use crate::record::{self, Boundary, Stamp};
use crate::settings::JournalMode;
use crate::storage::{Disk, DiskFile, Pipeline};

/// The store that every input is of.
pub(crate) const STORE: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
/// The checksum of parts that end with one.
pub(crate) const TRAILER: usize = 8;

/// The same bytes with the checksum at their end put right.
pub(crate) fn resealed(seed: u64, bytes: &[u8]) -> Vec<u8> {
    let mut content = bytes[..bytes.len().saturating_sub(TRAILER)].to_vec();
    push_trailer(seed, &mut content);
    content
}

/// Puts the checksum at the end of a part right; a part without room for one stays.
pub(crate) fn reseal(seed: u64, part: &mut [u8]) {
    let sealed = resealed(seed, part);
    if sealed.len() == part.len() {
        part.copy_from_slice(&sealed);
    }
}

/// Bytes in which a run of zeros is a zero and a length: inputs are short where files are mostly empty.
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while let Some(&byte) = rest.first() {
        let zeros = rest.iter().take_while(|&&byte| byte == 0).count().min(usize::from(u16::MAX));
        match zeros {
            0 => out.push(byte),
            1..=255 => out.extend_from_slice(&[0, (zeros - 1) as u8]),
            _ => {
                out.extend_from_slice(&[0, 255]);
                out.extend_from_slice(&(zeros as u16).to_le_bytes());
            }
        }
        rest = &rest[zeros.max(1)..];
    }
    out
}

/// The bytes that were packed, `most` of them.
pub(crate) fn unpack(packed: &[u8], most: usize) -> Vec<u8> {
    let (mut out, mut packed) = (Vec::new(), packed.iter().copied());
    while let Some(byte) = packed.next().filter(|_| out.len() < most) {
        if byte != 0 {
            out.push(byte);
            continue;
        }
        let zeros = match packed.next().unwrap_or(0) {
            255 => u16::from_le_bytes([packed.next().unwrap_or(0), packed.next().unwrap_or(0)]).into(),
            zeros => usize::from(zeros) + 1,
        };
        out.resize((out.len() + zeros).min(most), 0);
    }
    out
}

/// The n-th event: every field is used by some n.
pub(crate) fn event(n: u64) -> Event {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(n / 3).to_be_bytes());
    id[8..].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let data = format!(r#"{{"n":{n},"pad":"{}"}}"#, "thank you ".repeat((n % 7) as usize));
    let event_type = EventType::new(["order.placed", "order.paid"][(n % 2) as usize]);
    let tags = Tags::new((0..n % 3).map(|tag| format!("tag:{}", tag + n % 5)));
    let mut event = Event::new(event_type.expect("a type"), data)
        .with_id(EventId::from_bytes(id))
        .tagged(tags.expect("tags"));
    if n % 4 != 3 {
        event = event.in_stream(
            StreamId::new(["order-1", "order-2", "-", "cart"][(n % 4) as usize]).expect("a stream"),
        );
    }
    if n % 5 == 4 {
        event = event.with_metadata(r#"{"user":"ada"}"#).with_content_type(ContentType::BYTES);
    }
    event
}

/// The record of the n-th event at position n + 1, which is an append of its own if n is even.
pub(crate) fn record(n: u64) -> Vec<u8> {
    let (event, mut bytes) = (event(n), Vec::new());
    let last = n % 4 != 1;
    record::encode(&event, Boundary { first: n % 4 != 2, last }, &mut bytes);
    let before =
        (0..n).filter(|&before| event.stream.is_some() && self::event(before).stream == event.stream);
    let stamp = Stamp { position: n + 1, recorded_at: time(n), revision: before.count() as u64 };
    record::stamp(&mut bytes, stamp);
    bytes
}

/// When the n-th event was recorded.
pub(crate) fn time(n: u64) -> i64 {
    1_800_000_000_000_000 + (n / 3 * 1_000) as i64
}

/// A file in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Memory {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }
}

impl DiskFile for Memory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.0.lock();
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let length = bytes.len().max(from + new.len());
        bytes.resize(length, 0);
        bytes[from..from + new.len()].copy_from_slice(new);
        Ok(())
    }

    fn write_durably(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }
}

/// Files in memory, to be read and locked.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk(pub(crate) BTreeMap<PathBuf, Memory>);

impl Disk for MemoryDisk {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let here = self.0.keys().filter(|file| file.parent() == Some(path));
        Ok(here.filter_map(|file| Some(file.file_name()?.to_str()?.to_owned())).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.0.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(file))
    }

    fn settled(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn pipeline(&self, _: &Path, _: JournalMode) -> io::Result<Box<dyn Pipeline>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Box<dyn DiskFile>>> {
        Ok(Some(Box::new(Memory::default())))
    }
}
