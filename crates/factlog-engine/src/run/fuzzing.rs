//! The decoders of an index run as functions of bytes; see [`crate::fuzzing`].
//!
//! `pages` looks at one page at a time; `whole` reads a file in every way there is, and puts its checksums right.

mod pages;
mod whole;

pub(crate) use pages::{footer, footer_seeds, ids, ids_seeds, keys, keys_seeds, postings, postings_seeds};
pub(crate) use whole::{file, file_seeds, mend};
