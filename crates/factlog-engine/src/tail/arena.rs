//! An array that grows without moving what it holds.
//!
//! * Values lie in chunks of `CHUNK`, chunks in groups; each is made once, by the writer, and stays.
//! * Whoever learns of a place through an acquiring load finds its chunk.
//! * Chunks are small and all of one size, so that growing never holds the writer up for long.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const GROUPS: usize = 256;
const GROUP_CHUNKS: usize = 256;

type Chunk<T, const CHUNK: usize> = OnceLock<Box<[T; CHUNK]>>;
type Group<T, const CHUNK: usize> = OnceLock<Box<[Chunk<T, CHUNK>; GROUP_CHUNKS]>>;

/// At most `CHUNK * 65_536` values; `CHUNK` is a power of two.
pub(super) struct Arena<T, const CHUNK: usize> {
    groups: Box<[Group<T, CHUNK>; GROUPS]>,
    chunks: AtomicUsize,
}

impl<T: Default, const CHUNK: usize> Default for Arena<T, CHUNK> {
    fn default() -> Self {
        const { assert!(CHUNK.is_power_of_two()) };
        Self { groups: boxed(), chunks: AtomicUsize::new(0) }
    }
}

impl<T: Default, const CHUNK: usize> Arena<T, CHUNK> {
    /// The value at a place that was grown to.
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.chunk(at).map(|chunk| &chunk[at % CHUNK])
    }

    /// The values from a place to the end of its chunk; none if it was not grown to.
    pub(super) fn run(&self, at: usize) -> &[T] {
        self.chunk(at).map_or(&[], |chunk| &chunk[at % CHUNK..])
    }

    /// How many places there are from `at` to the end of its chunk.
    pub(super) fn room(at: usize) -> usize {
        CHUNK - at % CHUNK
    }

    /// For the writer: the same as [`Arena::run`], with the chunk made if it is not there yet.
    pub(super) fn grow(&self, at: usize) -> &[T] {
        if self.chunk(at).is_none() {
            let number = at / CHUNK;
            assert!(number < GROUPS * GROUP_CHUNKS, "a generation is bounded in bytes and events");
            let group = self.groups[number / GROUP_CHUNKS].get_or_init(boxed);
            group[number % GROUP_CHUNKS].get_or_init(boxed);
            self.chunks.fetch_add(1, Ordering::Relaxed);
        }
        self.run(at)
    }

    /// Bytes that are allocated.
    pub(super) fn memory(&self) -> usize {
        let chunks = self.chunks.load(Ordering::Relaxed);
        let group_bytes = size_of::<[Chunk<T, CHUNK>; GROUP_CHUNKS]>();
        size_of_val(&*self.groups)
            + chunks.div_ceil(GROUP_CHUNKS) * group_bytes
            + chunks * size_of::<[T; CHUNK]>()
    }

    fn chunk(&self, at: usize) -> Option<&[T; CHUNK]> {
        let number = at / CHUNK;
        let group = self.groups.get(number / GROUP_CHUNKS)?.get()?;
        group[number % GROUP_CHUNKS].get().map(Box::as_ref)
    }
}

impl<T, const CHUNK: usize> std::fmt::Debug for Arena<T, CHUNK> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arena").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}

/// Made in place: such an array may be too large for the stack.
fn boxed<T: Default, const N: usize>() -> Box<[T; N]> {
    let values: Box<[T]> = std::iter::repeat_with(T::default).take(N).collect();
    match values.try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("exactly N values were made"),
    }
}
