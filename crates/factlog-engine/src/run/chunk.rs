//! Chunks: up to 128 ascending positions, as differences, packed in whichever of two ways is shorter.
//!
//! ```text
//! 0  u8 1, u8 positions less one, u8 form, u48 first position counted from the run's first
//! 9  each further position's difference to the one before, less one; form 0..=48: in so many bits each, the lowest
//!    first; form 255: as varints
//! ```

use super::page::{BODY, Numbers, PAGE, push_u48, push_varint};
use crate::fields::Malformed;

/// Positions in a chunk; all chunks of a list but the last are full.
pub(super) const CHUNK: usize = 128;
const TAG: u8 = 1;
const VARINTS: u8 = 255;
const WIDTH_MAX: u8 = 48;

/// Where positions are: a run's first one, and how many there can be behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Span {
    /// The position that is so far from the first.
    pub(super) fn position(&self, from_first: u64) -> Result<u64, Malformed> {
        if from_first <= self.last - self.first {
            Ok(self.first + from_first)
        } else {
            Err(Malformed("a posting is outside of its run"))
        }
    }
}

/// Packs positions that are counted from the run's first.
pub(super) fn encode(positions: &[u64], out: &mut Vec<u8>) {
    assert!(!positions.is_empty() && positions.len() <= CHUNK, "a chunk has 1 to 128 positions");
    let gaps = || positions.windows(2).map(|pair| pair[1] - pair[0] - 1);
    let width = gaps().map(|gap| 64 - gap.leading_zeros()).max().unwrap_or(0);
    let packed = (gaps().count() * width as usize).div_ceil(8);
    let varints: usize = gaps().map(|gap| (64 - (gap | 1).leading_zeros()).div_ceil(7) as usize).sum();
    let packs = packed <= varints && width <= u32::from(WIDTH_MAX);
    out.extend_from_slice(&[TAG, (positions.len() - 1) as u8, if packs { width as u8 } else { VARINTS }]);
    push_u48(out, positions[0]);
    if !packs {
        gaps().for_each(|gap| push_varint(out, gap));
        return;
    }
    let (mut bits, mut held) = (0_u64, 0);
    for gap in gaps() {
        bits |= gap << held;
        held += width;
        while 8 <= held {
            out.push(bits as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    if 0 < held {
        out.push(bits as u8);
    }
}

/// Unpacks the chunk that begins at `at` in a page.
pub(super) fn decode(page: &[u8], at: usize, span: Span, out: &mut Vec<u64>) -> Result<(), Malformed> {
    out.clear();
    let body = page.get(..BODY).ok_or(Malformed("a page ends too early"))?;
    let mut numbers = Numbers::new(body, at);
    if numbers.u8()? != TAG {
        return Err(Malformed("there is no chunk of postings"));
    }
    let (gaps, form) = (usize::from(numbers.u8()?), numbers.u8()?);
    let mut from_first = numbers.u48()?;
    if CHUNK <= gaps {
        return Err(Malformed("a chunk of postings is too long"));
    }
    out.push(span.first.wrapping_add(from_first));
    if form <= WIDTH_MAX {
        let width = usize::from(form);
        let start = numbers.at;
        numbers.bytes((gaps * width).div_ceil(8))?;
        let mask = (1_u64 << width) - 1;
        for gap in 0..gaps {
            let bit = gap * width;
            // Content ends before the checksum, so eight bytes can be read from anywhere in it.
            let window = page.get(start + bit / 8..).and_then(|rest| rest.first_chunk());
            let window = u64::from_le_bytes(*window.ok_or(Malformed("a page ends too early"))?);
            from_first = from_first.saturating_add(1 + (window >> (bit % 8) & mask));
            out.push(span.first.wrapping_add(from_first));
        }
    } else if form == VARINTS {
        for _ in 0..gaps {
            from_first = from_first.saturating_add(numbers.varint()?).saturating_add(1);
            out.push(span.first.wrapping_add(from_first));
        }
    } else {
        return Err(Malformed("a chunk of postings has an unknown form"));
    }
    // The last is the largest, unless sums ran over, and then it is too large for any span.
    span.position(from_first).map(drop)
}

/// Unpacks a list that is inline: varints, the first one counted from the run's first.
pub(super) fn decode_inline(bytes: &[u8], span: Span, out: &mut Vec<u64>) -> Result<(), Malformed> {
    out.clear();
    let mut numbers = Numbers::new(bytes, 0);
    let mut from_first = numbers.varint()?;
    out.push(span.position(from_first)?);
    while !numbers.is_empty() {
        from_first = from_first.saturating_add(numbers.varint()?).saturating_add(1);
        out.push(span.position(from_first)?);
    }
    Ok(())
}

const _: () = assert!(8 <= PAGE - BODY, "a window of eight bytes stays in the page");
