//! Golden files of sealed segments, version 1: what was written then is read now.
//!
//! Uncompressed, the bytes must stay as they are. Compressed, another version of zstd may write others: those
//! that were written once must be read for ever. `FACTLOG_WRITE_GOLDEN=1` writes both anew.

use std::path::{Path, PathBuf};

use factlog_core::Event;

use super::{Memory, STORE, event, record_of, settings, tracking, write};
use crate::segment::{Codec, DictionaryPolicy, Segment, scan};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

#[test]
fn segments_of_version_1_are_read_as_ever() {
    let cases = [
        ("segment-1-raw.bin", Codec::Raw, DictionaryPolicy::Without, 20, true),
        ("segment-1-dense.bin", Codec::Dense, DictionaryPolicy::Train, 2_500, false),
    ];
    for (name, codec, policy, count, stable) in cases {
        let events: Vec<Event> = (1..=count).map(event).collect();
        let written = write(&events, 1, settings(codec, policy, 2 << 10));
        if std::env::var_os("FACTLOG_WRITE_GOLDEN").is_some() {
            std::fs::write(golden(name), &*written.file.0.lock()).expect("write");
        }
        let bytes = std::fs::read(golden(name)).expect("a golden file");
        assert!(!stable || bytes == *written.file.0.lock(), "{name} is no longer written as it was");
        let (file, mut next) = (Memory::with(bytes), 1);
        let description = Segment::describe(STORE, &file).expect("a description");
        let entry = description.entry();
        assert_eq!((entry.first, entry.last), (1, count));
        let scanned = scan(STORE, &file, &entry, &mut |records| {
            for position in records.first..=records.last() {
                assert_eq!(position, next);
                let expected = record_of(&events[position as usize - 1], position);
                assert_eq!(records.record(position).expect("a record"), expected);
                next += 1;
            }
        });
        assert_eq!(scanned.damage, vec![]);
        assert_eq!((next, scanned.tracking), (count + 1, Some(tracking())));
        let dictionary = Segment::new(STORE, entry).dictionary_bytes(&file, &description).expect("read");
        assert_eq!(dictionary.is_empty(), codec == Codec::Raw, "{name} has a dictionary if it is compressed");
    }
}
