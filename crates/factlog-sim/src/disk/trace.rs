//! A hash over all calls and what came of them, so that two runs of a seed can be compared.

use std::io;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::errno;

/// What was asked of a disk so far.
pub(super) struct Trace {
    hash: Xxh3,
    pub(super) calls: u64,
    /// The calls themselves, if somebody wants to read them.
    pub(super) lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self { hash: Xxh3::new(), calls: 0, lines: None }
    }

    /// One more call: what it was, and what it answered in short.
    pub(super) fn note(
        &mut self,
        what: &str,
        path: &str,
        numbers: [u64; 2],
        answer: Result<u64, &io::Error>,
    ) {
        self.calls += 1;
        self.hash.update(what.as_bytes());
        self.hash.update(path.as_bytes());
        for number in numbers {
            self.hash.update(&number.to_le_bytes());
        }
        let (failed, answer_number) = match answer {
            Ok(number) => (0, number),
            Err(error) => (1, u64::from(errno::number(error).cast_unsigned())),
        };
        self.hash.update(&[failed]);
        self.hash.update(&answer_number.to_le_bytes());
        if let Some(lines) = &mut self.lines {
            let [one, other] = numbers;
            let answer = match answer {
                Ok(number) => format!("{number:x}"),
                Err(error) => error.to_string(),
            };
            lines.push(format!("{} {what} {path} {one} {other:x} -> {answer}", self.calls));
        }
    }

    pub(super) fn digest(&self) -> u64 {
        self.hash.digest()
    }
}

/// An answer in short.
pub(super) trait Told {
    fn told(&self) -> u64;
}

impl Told for () {
    fn told(&self) -> u64 {
        0
    }
}

impl Told for u64 {
    fn told(&self) -> u64 {
        *self
    }
}

impl Told for Option<u64> {
    fn told(&self) -> u64 {
        self.unwrap_or(u64::MAX)
    }
}

impl Told for Vec<String> {
    fn told(&self) -> u64 {
        digest(self.join("/").as_bytes())
    }
}

/// Bytes in short.
pub(super) fn digest(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}
