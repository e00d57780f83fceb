//! Input line by line, from a file or standard input, plain or gzip, with the place of each line.
//!
//! Memory is bounded by the longest line allowed. It knows no format but gzip, which it recognises by its
//! first two bytes, so that a pipe needs no name.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

/// The longest line accepted: the greatest event data in base64, its metadata, and room.
pub(crate) const LINE_BYTES_MAX: usize = 32 << 20;

const BUFFER_BYTES: usize = 256 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The lines of one input.
pub(crate) struct Lines {
    reader: Box<dyn BufRead>,
    consumed: Rc<Cell<u64>>,
    buffer: Vec<u8>,
    number: u64,
    byte: u64,
}

/// A line and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    /// Where it begins, in decompressed bytes from 0.
    pub(crate) byte: u64,
    /// Without its line ending; empty if it was too long.
    pub(crate) text: &'a [u8],
    /// It has more than [`LINE_BYTES_MAX`] bytes and was passed over.
    pub(crate) too_long: bool,
}

impl Lines {
    /// The lines of a file, or of standard input for `-`, and how many bytes the file has.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Option<u64>)> {
        if path == Path::new("-") {
            return Ok((Self::new(io::stdin().lock())?, None));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok((Self::new(file)?, size))
    }

    /// The lines of this input.
    pub(crate) fn new(input: impl Read + 'static) -> io::Result<Self> {
        let consumed = Rc::new(Cell::new(0));
        let counted = Counted { input, consumed: consumed.clone() };
        let mut raw = BufReader::with_capacity(BUFFER_BYTES, counted);
        let reader: Box<dyn BufRead> = if raw.fill_buf()?.starts_with(&GZIP_MAGIC) {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(raw)))
        } else {
            Box::new(raw)
        };
        Ok(Self { reader, consumed, buffer: Vec::new(), number: 0, byte: 0 })
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let begin = self.byte;
        self.buffer.clear();
        let max = LINE_BYTES_MAX as u64 + 1;
        let read = self.reader.by_ref().take(max).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.byte += read as u64;
        let ended = self.buffer.last() == Some(&b'\n');
        let too_long = !ended && LINE_BYTES_MAX < read;
        if too_long {
            self.buffer = Vec::new();
            self.byte += self.reader.skip_until(b'\n')? as u64;
        }
        Ok(Some(Line { number: self.number, byte: begin, text: without_ending(&self.buffer), too_long }))
    }

    /// Bytes of the input taken so far, compressed where it is.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed.get()
    }

    /// Where reading has come to: the line to come, from 1, and its first byte.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.number + 1, self.byte)
    }
}

fn without_ending(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    consumed: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.consumed.set(self.consumed.get() + count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn all(bytes: Vec<u8>) -> io::Result<Vec<(u64, u64, String)>> {
        let mut lines = Lines::new(Cursor::new(bytes))?;
        let mut seen = Vec::new();
        while let Some(line) = lines.next()? {
            seen.push((line.number, line.byte, String::from_utf8_lossy(line.text).into_owned()));
        }
        Ok(seen)
    }

    #[test]
    fn each_line_has_its_number_and_its_first_byte() {
        let expected = vec![(1, 0, "one".into()), (2, 5, String::new()), (3, 6, "three".into())];
        assert_eq!(all(b"one\r\n\nthree".to_vec()).unwrap(), expected);
        assert_eq!(all(Vec::new()).unwrap(), Vec::new());
    }

    /// Would fail if only the first member of a concatenated gzip file were read, losing the rest in silence.
    #[test]
    fn a_gzip_input_of_several_members_is_read_to_its_end() {
        let both = [gzip("one\ntw"), gzip("o\nthree\n")].concat();
        assert_eq!(all(both).unwrap(), all(b"one\ntwo\nthree\n".to_vec()).unwrap());
    }

    /// Would fail if a download that broke off looked like a shorter file.
    #[test]
    fn a_truncated_gzip_input_is_an_error_at_every_length() {
        let whole = gzip("one\ntwo\nthree\n");
        for length in 3..whole.len() {
            assert!(all(whole[..length].to_vec()).is_err(), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn a_line_beyond_the_bound_is_passed_over_and_the_next_one_is_read() {
        let mut bytes = vec![b'x'; LINE_BYTES_MAX + 5];
        bytes.extend_from_slice(b"\nnext\n");
        let mut lines = Lines::new(Cursor::new(bytes)).unwrap();
        assert!(lines.next().unwrap().unwrap().too_long);
        let next = lines.next().unwrap().unwrap();
        assert_eq!((next.number, next.byte, next.text), (2, LINE_BYTES_MAX as u64 + 6, &b"next"[..]));
    }
}
