//! Bytes at an address that direct writes accept: a multiple of [`ALIGNMENT`].
//!
//! A buffer grows like a vector while it is filled. As [`Bytes`] it is shared between the disk and the readers, and
//! neither moved nor changed any more.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;

/// What direct writes want their addresses, offsets and lengths to be multiples of.
pub(crate) const ALIGNMENT: usize = 4096;

/// An aligned, growing buffer.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// The content behind as many unused bytes as the alignment wants.
    memory: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// An empty buffer that can take so many bytes, up to the next multiple of the alignment, without being moved.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut memory: Vec<u8> = Vec::with_capacity(bytes.next_multiple_of(ALIGNMENT) + ALIGNMENT);
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        assert!(start < ALIGNMENT, "an aligned address is near");
        memory.resize(start, 0);
        Self { memory, start }
    }

    /// Adds bytes at the end.
    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.memory.extend_from_slice(bytes);
    }

    /// Cuts it to a length, or fills it up with zeros.
    pub(crate) fn resize(&mut self, length: usize) {
        self.reserve(length.saturating_sub(self.len()));
        self.memory.resize(self.start + length, 0);
    }

    /// Forgets the content.
    pub(crate) fn clear(&mut self) {
        self.memory.truncate(self.start);
    }

    /// Makes room; the content may move, and is aligned at its new place too.
    fn reserve(&mut self, more: usize) {
        if self.memory.capacity() - self.memory.len() < more {
            let mut larger = Self::with_capacity((self.len() + more).max(2 * self.len()));
            larger.memory.extend_from_slice(self);
            *self = larger;
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Buffer> for Bytes {
    /// Without a copy, so the bytes stay where they are.
    fn from(buffer: Buffer) -> Self {
        Self::from_owner(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if growing lost bytes or alignment: direct writes would then be refused.
    #[test]
    fn it_stays_aligned_and_whole_however_it_grows() {
        let mut buffer = Buffer::default();
        let mut expected = Vec::new();
        for step in 0..200_usize {
            let piece = vec![step as u8; step * 37 % 5000];
            buffer.extend_from_slice(&piece);
            expected.extend_from_slice(&piece);
            if step % 11 == 0 {
                buffer.resize(expected.len().next_multiple_of(64));
                expected.resize(expected.len().next_multiple_of(64), 0);
            }
            assert!(buffer.is_empty() || buffer.as_ptr().align_offset(ALIGNMENT) == 0);
            assert_eq!(&buffer[..], &expected[..]);
        }
        buffer[17] = 99;
        expected[17] = 99;
        let at = buffer.as_ptr();
        let shared = Bytes::from(buffer);
        assert_eq!((shared.as_ptr(), &shared[..]), (at, &expected[..]));
    }

    #[test]
    fn a_cleared_buffer_keeps_its_place() {
        let mut buffer = Buffer::with_capacity(10_000);
        buffer.resize(10_000);
        let at = buffer.as_ptr();
        buffer.clear();
        assert!(buffer.is_empty());
        buffer.resize(12_288);
        assert_eq!(buffer.as_ptr(), at);
        assert!(buffer.iter().all(|&byte| byte == 0));
    }
}
