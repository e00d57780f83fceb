//! The tracking section: how far each source was read as of the segment's last event.
//!
//! ```text
//! u32 sources; for each, in order: u64 position, u16 length, the source in UTF-8
//! ```

use std::collections::BTreeMap;

use factlog_core::{Position, TrackingSource};

use crate::fields::{Fields, Malformed};

/// Source and position of each.
pub(crate) type Tracking = BTreeMap<TrackingSource, Position>;

pub(super) fn encode(tracking: &Tracking) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&u32::try_from(tracking.len()).expect("bounded by the contract").to_le_bytes());
    for (source, position) in tracking {
        let source = source.as_str();
        out.extend_from_slice(&position.get().to_le_bytes());
        out.extend_from_slice(&u16::try_from(source.len()).expect("a validated source").to_le_bytes());
        out.extend_from_slice(source.as_bytes());
    }
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Tracking, Malformed> {
    let mut fields = Fields::new(bytes);
    let mut tracking = BTreeMap::new();
    for _ in 0..fields.u32()? {
        let position = Position::new(fields.u64()?).ok_or(Malformed("a tracking position is zero"))?;
        let length = fields.u16()?;
        let source = TrackingSource::new(fields.text(length.into())?)
            .map_err(|_| Malformed("a tracking source is out of its bounds"))?;
        tracking.insert(source, position);
    }
    fields.end().map(|()| tracking)
}
