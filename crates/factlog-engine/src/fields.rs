//! Little-endian fields read from bytes that nobody vouches for: every access is checked.

use std::fmt;

/// Bytes that do not have the shape they should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A cursor over bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {
        $(pub(crate) fn $name(&mut self) -> Result<$type, Malformed> {
            let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed("it ends too early"))?;
            self.0 = rest;
            Ok(<$type>::from_le_bytes(*bytes))
        })*
    };
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    integers!(u8: u8, u16: u16, u32: u32, u64: u64, i64: i64);

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(crate) fn text(&mut self, length: usize) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Malformed("a name is not UTF-8"))
    }

    /// Fields that must be zero in this version.
    pub(crate) fn zero(&mut self, length: usize) -> Result<(), Malformed> {
        if self.bytes(length)?.iter().all(|&byte| byte == 0) {
            Ok(())
        } else {
            Err(Malformed("a reserved field is set"))
        }
    }

    /// Everything that is left: optional sections, each a `u32` kind, a `u32` length and so many bytes. Who does not
    /// know a kind goes on behind it.
    pub(crate) fn sections(&mut self) -> Result<&'a [u8], Malformed> {
        let all = self.0;
        while !self.0.is_empty() {
            let (_kind, length) = (self.u32()?, self.u32()?);
            self.bytes(length as usize)?;
        }
        Ok(all)
    }

    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed("it is longer than it says")) }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.0.len()
    }
}
