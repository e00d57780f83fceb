//! Taking over what an earlier export wrote: its whole lines, up to the last, and that line's position.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek};
use std::path::Path;

use factlog_core::Position;
use flate2::bufread::GzDecoder;
use uuid::Uuid;

use super::sink::{is_compressed, partial_name};
use crate::failure::{Failure, Kind, Outcome};
use factlog_cloudevents::from_line;

/// What of a file is whole.
#[derive(Debug, Default, PartialEq, Eq)]
struct Whole {
    /// Bytes of the file to keep.
    bytes: u64,
    last_line: Vec<u8>,
}

/// Leaves in the partial file exactly the whole lines of an earlier export of this store; gives the position of the last.
pub(super) fn take_over(path: &Path, store: Uuid, head: Option<Position>) -> Outcome<Option<Position>> {
    let partial = partial_name(path);
    let failed = |error: io::Error| Failure::io(format!("continue {}", partial.display()), &error);
    if !partial.exists() {
        if !path.exists() {
            return Ok(None);
        }
        fs::copy(path, &partial).map_err(failed)?;
    }
    let whole = if is_compressed(path) { whole_members(&partial) } else { whole_lines(&partial) };
    let whole = whole.map_err(failed)?;
    let cut = OpenOptions::new().write(true).open(&partial).and_then(|file| file.set_len(whole.bytes));
    cut.map_err(failed)?;
    if whole.last_line.is_empty() {
        return Ok(None);
    }
    let foreign = |reason: String| {
        Failure::new(Kind::Invalid, format!("{} cannot be continued", partial.display()))
            .because(reason)
            .advise("remove it, or export to another file")
    };
    let last = from_line(&whole.last_line)
        .map_err(|error| foreign(format!("its last line is no event: {error}")))?;
    match last.origin {
        Some(origin) if origin.store != store => {
            Err(foreign(format!("it is of store {}, this is {store}", origin.store)))
        }
        Some(origin) if head < Some(origin.position) => {
            let (position, head) = (origin.position, Position::number(head));
            Err(foreign(format!("it goes to position {position}, the store only to {head}")))
        }
        Some(origin) => Ok(Some(origin.position)),
        None => Err(foreign("its last line does not say where it was recorded".into())),
    }
}

fn whole_lines(path: &Path) -> io::Result<Whole> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut whole, mut line) = (Whole::default(), Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok(whole);
        }
        whole.bytes += read as u64;
        std::mem::swap(&mut whole.last_line, &mut line);
    }
}

fn whole_members(path: &Path) -> io::Result<Whole> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut whole = Whole::default();
    while !reader.fill_buf()?.is_empty() {
        let Some(last_line) = member(&mut reader) else { break };
        whole.bytes = reader.stream_position()?;
        if !last_line.is_empty() {
            whole.last_line = last_line;
        }
    }
    Ok(whole)
}

/// The last line of the member that begins here, or `None` if the member is cut short or ends within a line.
fn member(reader: &mut BufReader<File>) -> Option<Vec<u8>> {
    let mut decoded = BufReader::new(GzDecoder::new(reader));
    let (mut last, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        match decoded.read_until(b'\n', &mut line) {
            Ok(0) => return Some(last),
            Ok(_) if line.pop() == Some(b'\n') => std::mem::swap(&mut last, &mut line),
            Ok(_) | Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    /// Would fail if a line cut short by a crash were taken for a whole one, or a whole one were dropped.
    #[test]
    fn a_file_cut_anywhere_keeps_its_whole_lines_or_members() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let lines = b"one\ntwo\nthree\n".to_vec();
        let members = [gzip("one\ntwo\n"), gzip("three\n")].concat();
        let first = gzip("one\ntwo\n").len();
        for length in 0..=members.len() {
            fs::write(&path, &members[..length]).unwrap();
            let (bytes, last) = match length {
                whole if whole == members.len() => (whole, "three"),
                part if first <= part => (first, "two"),
                _ => (0, ""),
            };
            let expected = Whole { bytes: bytes as u64, last_line: last.as_bytes().to_vec() };
            assert_eq!(whole_members(&path).unwrap(), expected, "{length} bytes");
        }
        for length in 0..=lines.len() {
            fs::write(&path, &lines[..length]).unwrap();
            let kept = lines[..length].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            assert_eq!(whole_lines(&path).unwrap().bytes, kept as u64, "{length} bytes");
        }
    }
}
