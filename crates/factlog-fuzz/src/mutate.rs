//! Inputs made from others: a seed decides every change, so that a run can be repeated.

use fastrand::Rng;

/// The longest input that is made.
const BYTES_MAX: usize = 64 << 10;
/// Changes made at once, at most.
const CHANGES_MAX: u32 = 6;

/// Numbers at which decoders go wrong.
const NUMBERS: [u64; 20] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0xfff,
    0x1000,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0xffff_ffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

/// Makes inputs from a corpus.
#[derive(Debug)]
pub struct Mutator {
    rng: Rng,
}

impl Mutator {
    /// The inputs of a seed are always the same ones, with the same corpus.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed) }
    }

    /// The next input: an entry of the corpus, changed in some places.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(corpus).to_vec();
        for _ in 0..self.rng.u32(1..=CHANGES_MAX) {
            self.change(&mut input, corpus);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn pick<'a>(&mut self, corpus: &'a [Vec<u8>]) -> &'a [u8] {
        if corpus.is_empty() { &[] } else { &corpus[self.rng.usize(..corpus.len())] }
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        if input.is_empty() {
            input.push(self.rng.u8(..));
        }
        let at = self.place(input.len());
        match self.rng.u32(..12) {
            0..=2 => input[at] ^= 1 << self.rng.u32(..8),
            3 => input[at] = self.rng.u8(..),
            4 => input[at] = input[at].wrapping_add([1, 255, 16, 240][self.rng.usize(..4)]),
            5 | 6 => self.number(input, at),
            7 => input.truncate(at),
            8 => {
                let end = (at + self.rng.usize(1..=16)).min(input.len());
                input.drain(at..end);
            }
            9 => {
                let bytes = vec![[0, 0xff, self.rng.u8(..)][self.rng.usize(..3)]; self.rng.usize(1..=16)];
                input.splice(at..at, bytes);
            }
            10 => self.copy_within(input, at),
            _ => self.cross(input, at, corpus),
        }
    }

    /// A place: the front and the end, where heads and tables are, more often than what lies between.
    fn place(&mut self, length: usize) -> usize {
        match self.rng.u32(..4) {
            0 => self.rng.usize(..length.min(128)),
            1 => length - 1 - self.rng.usize(..length.min(128)),
            _ => self.rng.usize(..length),
        }
    }

    /// Writes a number of one, two, four or eight bytes, or a varint, or one near what is there.
    fn number(&mut self, input: &mut [u8], at: usize) {
        let width = [1, 2, 4, 8][self.rng.usize(..4)].min(input.len() - at);
        let place = &mut input[at..at + width];
        let mut known = [0; 8];
        known[..width].copy_from_slice(place);
        let known = u64::from_le_bytes(known);
        let number = match self.rng.u32(..3) {
            0 => known.wrapping_add(self.rng.u64(..16)).wrapping_sub(8),
            1 => u64::MAX << self.rng.u32(..64),
            _ => NUMBERS[self.rng.usize(..NUMBERS.len())],
        };
        place.copy_from_slice(&number.to_le_bytes()[..width]);
    }

    /// Repeats a part, in place of what is there or in front of it.
    fn copy_within(&mut self, input: &mut Vec<u8>, at: usize) {
        let from = self.rng.usize(..input.len());
        let length = self.rng.usize(1..=64).min(input.len() - from);
        let part = input[from..from + length].to_vec();
        let end = if self.rng.bool() { at } else { (at + length).min(input.len()) };
        input.splice(at..end, part);
    }

    /// Goes on as another entry does: from anywhere in it, or from the same place.
    fn cross(&mut self, input: &mut Vec<u8>, at: usize, corpus: &[Vec<u8>]) {
        let same = self.rng.bool();
        let other = self.pick(corpus).to_vec();
        let from = if same { at.min(other.len()) } else { self.rng.usize(..=other.len()) };
        if self.rng.bool() {
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        } else {
            let length = self.rng.usize(1..=64).min(other.len() - from);
            let end = (at + length).min(input.len());
            input.splice(at..end, other[from..from + length].iter().copied());
        }
    }
}
