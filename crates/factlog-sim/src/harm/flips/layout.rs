//! Where the parts of a store's files are, by `docs/format.md` and without the engine: what is due when a byte is not
//! what was written follows from the part that it lies in.

use std::ops::Range;

use super::store::{SEALED, Store};

/// A part of a file that has its own checksum, or none and no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) file: String,
    pub(super) range: Range<usize>,
    pub(super) what: What,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The identity.
    Store,
    /// A copy of the manifest.
    Manifest,
    /// The front of a segment, or a section that is there twice or can be made again.
    Spare,
    /// A segment's footer; it is there twice.
    Footer,
    /// Events, in a block or a frame: the first and the last position.
    Events(u64, u64),
    /// A page of a run.
    Page,
    /// The last page of a run.
    RunFooter,
    /// A beacon with frames behind it.
    Beacon,
    /// The last beacon: without it nothing is vouched for.
    LastBeacon,
    /// What is behind the last frame of a file.
    Unused,
}

/// All parts of all files that are harmed, in order.
pub(super) fn parts(store: &Store) -> Vec<Part> {
    let mut parts = Vec::new();
    for (name, bytes) in &store.files {
        let mut add = |range: Range<usize>, what| parts.push(Part { file: name.clone(), range, what });
        match name.split_once('/').map_or(name.as_str(), |(directory, _)| directory) {
            "STORE" => add(0..bytes.len(), What::Store),
            "MANIFEST.0" | "MANIFEST.1" => add(0..bytes.len(), What::Manifest),
            "segments" => segment(bytes).into_iter().for_each(|(range, what)| add(range, what)),
            "index" => {
                let footer = bytes.len() - 4096;
                (0..footer).step_by(4096).for_each(|at| add(at..at + 4096, What::Page));
                add(footer..bytes.len(), What::RunFooter);
            }
            "wal" => frames(bytes).into_iter().for_each(|(range, what)| add(range, what)),
            _ => {}
        }
    }
    // The last frame of all is the beacon of the clean stop.
    if let Some(last) = parts.iter_mut().rfind(|part| part.what == What::Beacon) {
        last.what = What::LastBeacon;
    }
    parts
}

/// Header, dictionary, blocks, sections and footers.
fn segment(bytes: &[u8]) -> Vec<(Range<usize>, What)> {
    let footers = bytes.len() - 8192;
    let mut parts = vec![(0..48, What::Spare)];
    let mut at = 48;
    if &bytes[at..at + 4] == b"FLDI" {
        let end = at + 16 + u32_at(bytes, at + 4);
        parts.push((at..end, What::Spare));
        at = end;
    }
    while &bytes[at..at + 4] == b"FLBK" {
        let end = at + 48 + u32_at(bytes, at + 12);
        let first = u64_at(bytes, at + 24);
        parts.push((at..end, What::Events(first, first + u32_at(bytes, at + 20) as u64 - 1)));
        at = end;
    }
    for section in 0..u32_at(bytes, footers + 12) {
        let entry = footers + 112 + section * 32;
        let (start, length) = (u64_at(bytes, entry + 8) as usize, u64_at(bytes, entry + 16) as usize);
        parts.push((start..start + length, What::Spare));
        at = start + length;
    }
    assert_eq!(at, footers, "the parts of a segment follow each other");
    parts.push((footers..footers + 4096, What::Footer));
    parts.push((footers + 4096..footers + 8192, What::Footer));
    parts
}

/// Frames, and what is behind them; nothing of a file whose events are all sealed.
fn frames(bytes: &[u8]) -> Vec<(Range<usize>, What)> {
    let (mut parts, mut at) = (Vec::new(), 0);
    let mut next = None;
    while bytes.len() - at >= 4096 && &bytes[at..at + 4] == b"FLF1" {
        let (length, first) = (u32_at(bytes, at + 4), u64_at(bytes, at + 16));
        if next.map_or(first <= SEALED, |next| next != first) {
            break;
        }
        let events = u32_at(bytes, at + 24) as u64;
        let what = if events == 0 { What::Beacon } else { What::Events(first, first + events - 1) };
        parts.push((at..at + length, what));
        next = Some(first + events);
        at += length;
    }
    if !parts.is_empty() && at < bytes.len() {
        parts.push((at..bytes.len(), What::Unused));
    }
    parts
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
