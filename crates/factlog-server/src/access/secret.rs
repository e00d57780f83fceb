//! Keys as text, `factlog_<id>_<secret><check>`, and what is kept of them.
//!
//! The id has 48 random bits and is public. The secret has 256; only its SHA-256 is kept, and because nobody can guess 256
//! bits, no slow hash is needed. The check is a CRC-32 of all in front of it: a mistyped key, and a text that is none, are
//! told apart without asking anybody, which also lets scanners of source code find lost keys.

use factlog_core::{Error, Result};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const PREFIX: &str = "factlog_";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
const CHECK_DIGITS: usize = 8;

/// What is kept of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

/// A key that was made, or shown.
pub(super) struct Key {
    pub(super) id: String,
    digest: Digest,
}

impl Key {
    /// A new key and its text.
    ///
    /// # Errors
    /// `Unavailable` where the operating system gives no random bytes.
    pub(super) fn mint() -> Result<(Self, String)> {
        let mut random = [0; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut random).map_err(|error| {
            Error::unavailable(format!("the operating system gives no random bytes: {error}"))
        })?;
        let (id, secret) = random.split_at(ID_BYTES);
        let body = format!("{PREFIX}{}_{}", hex(id), hex(secret));
        let text = format!("{body}{:08x}", crc32fast::hash(body.as_bytes()));
        Ok((Self { id: hex(id), digest: Digest(Sha256::digest(secret).into()) }, text))
    }

    /// Reads a key. `None` for what is none; what is wrong with it is for its owner to see, and not for a log.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let body = text.get(..text.len().checked_sub(CHECK_DIGITS)?)?;
        let check = u32::from_str_radix(text.get(body.len()..)?, 16).ok()?;
        if crc32fast::hash(body.as_bytes()) != check {
            return None;
        }
        let (id, secret) = body.strip_prefix(PREFIX)?.split_once('_')?;
        let secret = bytes::<SECRET_BYTES>(secret)?;
        bytes::<ID_BYTES>(id)?;
        Some(Self { id: id.to_owned(), digest: Digest(Sha256::digest(secret).into()) })
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

impl Digest {
    /// Takes the same time whatever the difference.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn to_text(self) -> String {
        hex(&self.0)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        bytes(text).map(Self)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let plain = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    if text.len() != 2 * N || !text.bytes().all(plain) {
        return None;
    }
    let mut bytes = [0; N];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_and_no_two_are_alike() {
        let (key, text) = Key::mint().expect("random bytes");
        let again = Key::parse(&text).expect("a key");
        assert_eq!(again.id, key.id);
        assert!(again.digest().is(&key.digest()));
        let (other, _) = Key::mint().expect("random bytes");
        assert!(!other.digest().is(&key.digest()) && other.id != key.id);
        assert_eq!(Digest::parse(&key.digest().to_text()), Some(key.digest()));
    }

    /// Would fail if a mistyped key were looked up, or a wild text caused a panic.
    #[test]
    fn what_is_no_key_is_none() {
        let (_, text) = Key::mint().expect("random bytes");
        for at in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
            assert!(Key::parse(&String::from_utf8(wrong).expect("text")).is_none(), "{at}");
            assert!(Key::parse(&text[..at]).is_none(), "{at}");
        }
        for text in ["", "factlog_", "é", "ééééééééé", &format!("{text} "), &text.to_uppercase()] {
            assert!(Key::parse(text).is_none(), "{text}");
        }
    }
}
