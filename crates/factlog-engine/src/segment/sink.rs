//! A file as a sink of bytes, gathered into large writes.

use std::io::{self, Write};

use crate::storage::DiskFile;

const GATHER_BYTES: usize = 256 << 10;

/// Writes one byte behind the other, from the start of a file. Nothing is durable until the file is synced.
#[derive(Debug)]
pub(crate) struct FileSink<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
    gathered: Vec<u8>,
}

impl<'a> FileSink<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile) -> Self {
        Self { file, offset: 0, gathered: Vec::with_capacity(GATHER_BYTES) }
    }
}

impl Write for FileSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if GATHER_BYTES < self.gathered.len() + bytes.len() {
            self.flush()?;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.gathered, self.offset)?;
        self.offset += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }
}
