//! The decoder of kept folds as a function of bytes with what must hold; see `factlog-fuzz`.

use factlog_core::{EventId, Position, Revision};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::model::Mark;
use crate::snapshot::Kept;

/// A snapshot as it is, and with its checksum put right.
pub fn snapshot(bytes: &[u8]) {
    let mut mended = bytes.to_vec();
    if let Some((sum, json)) = mended.split_first_chunk_mut::<8>() {
        *sum = xxh3_64(json).to_le_bytes();
    }
    for bytes in [bytes, &mended] {
        let Some(kept) = Kept::decode(bytes) else { continue };
        let again = Kept::decode(&kept.encode()).expect("what was decoded is encoded and decoded again");
        assert_eq!(again, kept, "a snapshot comes back");
        assert_eq!(again.encode(), kept.encode(), "and is written the same");
    }
}

/// Real encodings, each with a name.
pub fn snapshot_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |state: Value, revision| {
        let mark = Mark { position: Position::FIRST, id: EventId::from_bytes([7; 16]) };
        Kept::of_value(state, mark, revision).encode()
    };
    vec![
        ("number", of(json!(7), None)),
        (
            "object",
            of(json!({"name": "Ada", "paid": [1.1, -0.0, 1e300], "until": null}), Some(Revision::new(4))),
        ),
    ]
}
