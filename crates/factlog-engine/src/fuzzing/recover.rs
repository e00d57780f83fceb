//! Recovery and verification of a whole directory: of its write-ahead files alone, and of everything in it.

use std::path::Path;
use std::sync::Arc;

use factlog_core::Timestamp;

use super::frames::{frame_of, padded};
use super::kit::{self, Memory, MemoryDisk, STORE};
use crate::checksum::{FileKind, Place, seed_of};
use crate::frame::{self, ALIGNMENT};
use crate::identity;
use crate::manifest::Manifest;
use crate::recovery::{self, Recovered};
use crate::run::{self, Gather, Pages, RunName};
use crate::segment;
use crate::verify::{Extent, verify_on};

/// The most bytes of all files together.
const BYTES_MAX: usize = 512 << 10;
const DIR: &str = "/store";

/// Frames one behind the other, without their padding. The low bits of a frame's length, which is a multiple of 4096,
/// say what is done with it: 1 it begins a new file, 2 a byte of it is damaged, 4 a page of zeros stands in front.
pub(super) fn recovery(bytes: &[u8]) {
    let mut files = vec![Vec::new()];
    let mut rest = bytes;
    let mut total = 0;
    while frame::HEADER_BYTES <= rest.len() && total < BYTES_MAX {
        let body = u32::from_le_bytes([rest[8], rest[9], rest[10], rest[11]]) as usize;
        let (one, behind) = rest.split_at(rest.len().min(frame::HEADER_BYTES.saturating_add(body)));
        rest = behind;
        if one[4] & 1 != 0 {
            files.push(Vec::new());
        }
        let number = files.len() as u64;
        let file = files.last_mut().expect("there is one");
        if one[4] & 4 != 0 {
            file.resize(file.len() + ALIGNMENT, 0);
        }
        let mut whole =
            padded(one, Place { store: STORE, file: FileKind::Wal, number, offset: file.len() as u64 });
        if one[4] & 2 != 0 {
            whole[frame::HEADER_BYTES - 1] ^= 1;
        }
        total += whole.len();
        file.append(&mut whole);
    }
    let manifest = Manifest { wal_last: files.len() as u64, ..Manifest::empty(STORE) };
    let mut disk = MemoryDisk::default();
    put(&mut disk, "STORE", identity::encode(STORE, Timestamp::from_micros(kit::time(0))));
    put(&mut disk, "MANIFEST.0", manifest.encode());
    for (number, file) in (1..).zip(files) {
        put(&mut disk, &format!("wal/{}", crate::wal_files::file_name(number)), file);
    }
    look_over(&disk);
}

fn put(disk: &mut MemoryDisk, name: &str, bytes: Vec<u8>) {
    disk.0.insert(Path::new(DIR).join(name), Memory::of(bytes));
}

/// Puts the store together and verifies it; what both say must agree with itself.
fn look_over(disk: &MemoryDisk) {
    let pages = Arc::new(Pages::new(1 << 16, 0));
    if let Ok(recovered) = recovery::load(disk, Path::new(DIR), &pages, &mut |_| {}) {
        no_position_is_lost_in_silence(&recovered);
        if let Ok(report) = verify_on(disk, Path::new(DIR), Extent::Full, &mut |_| {}) {
            let clean = recovered.damage.is_empty();
            assert!(clean || !report.damage.is_empty(), "verifying misses what opening finds");
        }
    }
    drop(verify_on(disk, Path::new(DIR), Extent::Sample { percent: 50.0, seed: 1 }, &mut |_| {}));
}

/// Every position up to the head is in a segment, in a frame, or named as lost.
fn no_position_is_lost_in_silence(recovered: &Recovered) {
    assert!(recovered.head < u64::MAX - 1, "there is room for another position");
    let mut ranges = Vec::new();
    ranges.extend(recovered.view.segments.iter().map(|segment| (segment.entry.first, segment.entry.last)));
    ranges.extend(recovered.damage.iter().filter_map(crate::Damage::lost));
    for generation in &recovered.view.generations {
        for (records, _) in generation.frames() {
            ranges.push((records.first, records.last()));
            for position in records.first..=records.last() {
                let event = records.event(position).expect("what recovery took in can be read");
                assert_eq!(event.position.get(), position);
            }
        }
    }
    ranges.sort_unstable();
    let mut next = 1;
    for (first, last) in ranges {
        assert!(first <= next, "position {next} is neither there nor named as lost");
        next = next.max(last + 1);
    }
    assert!(recovered.head < next, "the head {} is neither there nor named as lost", recovered.head);
}

pub(super) fn recovery_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let frames = |marks: [u8; 3]| {
        let (first, one) = frame_of(0..3, 0, 1, 0, 0);
        let (second, two) = frame_of(3..5, 3, 1, 4096, one);
        let (third, _) = frame_of(5..5, 5, 1, 8192, two);
        let mut parts = [first, second, third];
        parts.iter_mut().zip(marks).for_each(|(part, mark)| part[4] |= mark);
        parts.concat()
    };
    vec![
        ("whole", frames([0, 0, 0])),
        ("two-files", frames([0, 1, 0])),
        ("torn", frames([0, 0, 2])),
        ("damaged", frames([0, 2, 0])),
        ("gap", frames([0, 4, 5])),
    ]
}

/// All files of a directory: for each a number of its name, u32 its length packed, its bytes packed.
pub(super) fn store(bytes: &[u8]) {
    for mend in [false, true] {
        let (mut disk, mut rest, mut total) = (MemoryDisk::default(), bytes, 0);
        while let Some((&name, behind)) = rest.split_first() {
            let Some((length, behind)) = behind.split_first_chunk::<4>() else { break };
            let (packed, behind) = behind.split_at((u32::from_le_bytes(*length) as usize).min(behind.len()));
            rest = behind;
            let mut file = kit::unpack(packed, BYTES_MAX - total);
            total += file.len();
            if mend {
                self::mend(name, &mut file);
            }
            put(&mut disk, &name_of(name), file);
        }
        look_over(&disk);
    }
}

/// The positions of each segment of the seed.
const SEGMENTS: [(u64, u64); 2] = [(1, 6), (7, 12)];
const WAL: u64 = 3;

fn run_name(level: u32, (first, last): (u64, u64)) -> RunName {
    RunName { level, first, last }
}

fn name_of(name: u8) -> String {
    let [one, other] = SEGMENTS;
    match name {
        0 => "STORE".to_owned(),
        1 => "MANIFEST.0".to_owned(),
        2 => "MANIFEST.1".to_owned(),
        3 => format!("segments/{}", segment::file_name(one.0)),
        4 => format!("segments/{}", segment::file_name(other.0)),
        5 => run::relative_path(run_name(0, one)),
        6 => run::relative_path(run_name(0, other)),
        7 => run::relative_path(run_name(1, (one.0, other.1))),
        number => crate::wal_files::relative_path(u64::from(number - 8)),
    }
}

/// Puts the checksums of a file right.
fn mend(name: u8, file: &mut Vec<u8>) {
    let [one, other] = SEGMENTS;
    match name {
        0 => *file = kit::resealed(0, file),
        1 | 2 => *file = kit::resealed(seed_of(STORE), file),
        3 => segment::fuzzing::mend(one.0, file),
        4 => segment::fuzzing::mend(other.0, file),
        5 => run::fuzzing::mend(run_name(0, one), file),
        6 => run::fuzzing::mend(run_name(0, other), file),
        7 => run::fuzzing::mend(run_name(1, (one.0, other.1)), file),
        number => {
            let number = u64::from(number - 8);
            for (at, page) in
                file.chunks_mut(ALIGNMENT).enumerate().filter(|(_, page)| page.starts_with(b"FLF1"))
            {
                let place =
                    Place { store: STORE, file: FileKind::Wal, number, offset: (at * ALIGNMENT) as u64 };
                let whole = padded(page, place);
                page.copy_from_slice(&whole[..page.len()]);
            }
        }
    }
}

pub(super) fn store_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut files = vec![(0, identity::encode(STORE, Timestamp::from_micros(kit::time(0))))];
    let mut entries = Vec::new();
    for ((first, last), (log, index)) in SEGMENTS.into_iter().zip([(3, 5), (4, 6)]) {
        let (bytes, entry) = segment::fuzzing::segment_of(first - 1..last);
        let mut gather = Gather::new(STORE, first);
        for n in first - 1..last {
            crate::rebuild::gather_record(&mut gather, n + 1, &kit::record(n)).expect("a record");
        }
        let run = Memory::default();
        gather.write(last, &run).expect("a run in memory");
        entries.push(entry);
        files.extend([(log, bytes), (index, run.0.lock().clone())]);
    }
    let tracking = segment::fuzzing::tracked(12);
    let manifest = Manifest {
        sequence: 8,
        epoch: 1,
        wal_first: WAL,
        wal_last: WAL,
        segments: entries,
        tracking: Arc::new(tracking),
        ..Manifest::empty(STORE)
    };
    let older = Manifest { sequence: 7, segments: manifest.segments[..1].to_vec(), ..manifest.clone() };
    let (one, sum) = frame_of(12..14, 12, WAL, 0, 0);
    let (beacon, _) = frame_of(14..14, 14, WAL, 4096, sum);
    let place = |offset| Place { store: STORE, file: FileKind::Wal, number: WAL, offset };
    let wal = [padded(&one, place(0)), padded(&beacon, place(4096))].concat();
    files.extend([(1, manifest.encode()), (2, older.encode()), (8 + WAL as u8, wal)]);
    let archive = |keep: &dyn Fn(u8) -> bool| {
        let mut out = Vec::new();
        for (name, bytes) in files.iter().filter(|(name, _)| keep(*name)) {
            let packed = kit::pack(bytes);
            out.push(*name);
            out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
            out.extend_from_slice(&packed);
        }
        out
    };
    vec![
        ("whole", archive(&|_| true)),
        ("without-manifest", archive(&|name| name != 1 && name != 2)),
        ("without-index", archive(&|name| !(5..=7).contains(&name))),
        ("write-ahead-only", archive(&|name| name == 0 || 8 <= name)),
    ]
}
