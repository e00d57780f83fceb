//! Where exported lines go: standard output, or a file that gets its name when it is whole and durable.
//!
//! A compressed file is a sequence of gzip members, each of whole lines, so that an unfinished one can be
//! cut after its last whole member and continued.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// Uncompressed bytes of one gzip member: what a resumed export may have to write again.
const MEMBER_BYTES: usize = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// The receiver of one export.
pub(super) enum Sink {
    Stdout(Output),
    File(FileSink),
}

/// A file in the making.
pub(super) struct FileSink {
    path: PathBuf,
    writer: Writer,
}

enum Writer {
    Plain(BufWriter<File>),
    /// Bytes in the current member, and its encoder.
    Gzip(usize, GzEncoder<BufWriter<File>>),
    /// Only between two members.
    Nothing,
}

impl Sink {
    pub(super) fn stdout() -> Self {
        Self::Stdout(Output::stdout())
    }

    /// A new file in place of whatever has the name, once it is whole.
    pub(super) fn create(path: &Path) -> Outcome<Self> {
        Self::open(path, OpenOptions::new().write(true).create(true).truncate(true))
    }

    /// The unfinished file of this name, to be continued at its end.
    pub(super) fn append(path: &Path) -> Outcome<Self> {
        Self::open(path, OpenOptions::new().append(true).create(true))
    }

    fn open(path: &Path, options: &OpenOptions) -> Outcome<Self> {
        let partial = partial_name(path);
        let file = options.open(&partial).map_err(|error| failed(&partial, &error))?;
        let buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
        let writer = if is_compressed(path) { Writer::member(buffered) } else { Writer::Plain(buffered) };
        Ok(Self::File(FileSink { path: path.to_owned(), writer }))
    }

    /// One line; its ending is added.
    pub(super) fn line(&mut self, mut line: Vec<u8>) -> Outcome {
        line.push(b'\n');
        match self {
            Self::Stdout(output) => output.bytes(&line),
            Self::File(sink) => {
                sink.writer.write(&line).map_err(|error| failed(&partial_name(&sink.path), &error))
            }
        }
    }

    /// Makes it durable and gives it its name.
    pub(super) fn finish(self) -> Outcome {
        match self {
            Self::Stdout(mut output) => output.flush(),
            Self::File(sink) => {
                let path = sink.path.clone();
                sink.finish().map_err(|error| failed(&path, &error))
            }
        }
    }
}

impl FileSink {
    fn finish(self) -> io::Result<()> {
        let file = match self.writer {
            Writer::Plain(writer) => writer.into_inner()?,
            Writer::Gzip(_, encoder) => encoder.finish()?.into_inner()?,
            Writer::Nothing => return Err(io::Error::other("it was given up after an earlier failure")),
        };
        file.sync_all()?;
        fs::rename(partial_name(&self.path), &self.path)?;
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Writer {
    fn member(writer: BufWriter<File>) -> Self {
        Self::Gzip(0, GzEncoder::new(writer, Compression::default()))
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.write_all(line),
            Self::Gzip(bytes, encoder) => {
                encoder.write_all(line)?;
                *bytes += line.len();
                if MEMBER_BYTES <= *bytes {
                    self.next_member()?;
                }
                Ok(())
            }
            Self::Nothing => Err(io::Error::other("it was given up after an earlier failure")),
        }
    }

    fn next_member(&mut self) -> io::Result<()> {
        if let Self::Gzip(_, encoder) = std::mem::replace(self, Self::Nothing) {
            *self = Self::member(encoder.finish()?);
        }
        Ok(())
    }
}

/// Whether a file of this name is compressed.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"))
}

/// The name a file has while it is written.
pub(super) fn partial_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".partial");
    name.into()
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::io(format!("write {}", path.display()), error)
}
