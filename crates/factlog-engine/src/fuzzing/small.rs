//! `STORE`, the manifest, and the names of files.

use std::sync::Arc;

use factlog_core::{Position, Timestamp, TrackingSource};

use super::kit::{STORE, resealed, time};
use crate::checksum::seed_of;
use crate::manifest::{Manifest, SegmentEntry};
use crate::{identity, run, wal_files};

pub(super) fn store_file(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), resealed(0, bytes)] {
        let Ok((store, created)) = identity::decode(&bytes) else { continue };
        let again = identity::encode(store, created);
        assert_eq!(bytes[..32], again[..32], "id and time come back");
        assert!(bytes.len() != again.len() || bytes == again, "without sections, so does the checksum");
    }
}

pub(super) fn store_file_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let plain = identity::encode(STORE, Timestamp::from_micros(time(0)));
    let section = [&plain[..32], &[7, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3], &[0; 8]].concat();
    vec![("plain", plain), ("with-a-section", resealed(0, &section))]
}

pub(super) fn manifest(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), resealed(seed_of(STORE), bytes)] {
        let Ok(manifest) = Manifest::decode(&bytes, STORE) else { continue };
        assert_eq!(manifest.encode(), bytes, "a manifest comes back");
        assert!(manifest.sealed() < u64::MAX, "a position follows the sealed ones");
        assert!(manifest.sequence < u64::MAX && manifest.epoch < u64::MAX, "a next one follows");
        let bytes: u64 = manifest.segments.iter().map(|segment| segment.bytes).sum();
        assert!(bytes < 1 << 62, "{bytes} bytes of segments");
        let files = manifest.wal_last.saturating_sub(manifest.wal_first);
        assert!(
            files < 1 << 20 && manifest.wal_last < u64::MAX,
            "{files} files would be looked for one by one"
        );
    }
}

pub(super) fn manifest_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let entry = |first, last| {
        let (first_recorded_at, last_recorded_at) = (time(first), time(last));
        SegmentEntry { first, last, bytes: 9_000, first_recorded_at, last_recorded_at }
    };
    let source = |text| TrackingSource::new(text).expect("a source");
    let tracking = [(source("orders"), Position::FIRST), (source("zahlungen-ü"), Position::MAX)];
    let full = Manifest {
        sequence: 11,
        epoch: 3,
        wal_first: 2,
        wal_last: 4,
        segments: vec![entry(1, 4), entry(5, 5), entry(6, 90)],
        tracking: Arc::new(tracking.into()),
        ..Manifest::empty(STORE)
    };
    let section = Manifest { sections: vec![7, 0, 0, 0, 1, 0, 0, 0, 9], ..full.clone() };
    vec![
        ("empty", Manifest::empty(STORE).encode()),
        ("full", full.encode()),
        ("with-a-section", section.encode()),
    ]
}

pub(super) fn file_names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(name) = run::parse_name(text) {
        assert_eq!(run::file_name(name), text, "the name of a run comes back");
        assert!(0 < name.first && name.first <= name.last && name.last < u64::MAX, "a run has positions");
    }
    if let Some(number) = wal_files::number_of(text) {
        assert_eq!(wal_files::file_name(number), text, "the name of a write-ahead file comes back");
    }
}

pub(super) fn file_names_seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("run", b"1-00000000000000000001-00000000000000000080.idx".to_vec()),
        ("write-ahead", b"00000013".to_vec()),
        ("long", b"123456789".to_vec()),
    ]
}
