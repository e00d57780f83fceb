//! The tracking section: how far each source was read as of the segment's last event.
//!
//! ```text
//! u32 sources; for each, in order: u64 position, u16 length, the source in UTF-8
//! ```

use std::collections::BTreeMap;

use factlog_core::{Position, TrackingSource};

use crate::fields::{Fields, Malformed};
use crate::manifest::{parse_tracking, push_tracking};

/// Source and position of each.
pub(crate) type Tracking = BTreeMap<TrackingSource, Position>;

pub(super) fn encode(tracking: &Tracking) -> Vec<u8> {
    let count = u32::try_from(tracking.len()).expect("bounded by the contract");
    let mut out = count.to_le_bytes().to_vec();
    push_tracking(&mut out, tracking);
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Tracking, Malformed> {
    let mut fields = Fields::new(bytes);
    let count = fields.u32()?;
    let tracking = parse_tracking(&mut fields, count)?;
    fields.end().map(|()| tracking)
}
