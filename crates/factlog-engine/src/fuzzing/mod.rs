//! The decoders of everything that comes from a disk, each as a function of bytes with what must hold of it.
//!
//! * A target never panics, never goes on for ever, and takes no more memory than its row in `factlog-fuzz` allows.
//! * What decodes, encodes back to the same bytes, or says the same again.
//! * What stands behind a checksum is tried twice: as it is, and with the checksum put right, so that a mutation
//!   gets behind it.
//!
//! This is for `factlog-fuzz` and nobody else: it drives these functions, and keeps the corpus. Targets that need what
//! `segment` and `run` keep to themselves lie in there.

mod frames;
pub(crate) mod kit;
mod recover;
mod small;

use crate::{run, segment};

/// A name, the function, and real encodings to begin with, each with a name.
pub type Row = (&'static str, fn(&[u8]), fn() -> Vec<(&'static str, Vec<u8>)>);

/// Every target of the engine.
pub const TARGETS: &[Row] = &[
    ("store_file", small::store_file, small::store_file_seeds),
    ("manifest", small::manifest, small::manifest_seeds),
    ("file_names", small::file_names, small::file_names_seeds),
    ("record", frames::record, frames::record_seeds),
    ("frame", frames::frame, frames::frame_seeds),
    ("recovery", recover::recovery, recover::recovery_seeds),
    ("store", recover::store, recover::store_seeds),
    ("segment_block", segment::fuzzing::block, segment::fuzzing::block_seeds),
    ("segment_columns", segment::fuzzing::columns, segment::fuzzing::columns_seeds),
    ("segment_dictionary", segment::fuzzing::dictionary, segment::fuzzing::dictionary_seeds),
    ("segment_footer", segment::fuzzing::footer, segment::fuzzing::footer_seeds),
    ("segment_table", segment::fuzzing::table, segment::fuzzing::table_seeds),
    ("segment_tracking", segment::fuzzing::tracking, segment::fuzzing::tracking_seeds),
    ("segment_file", segment::fuzzing::file, segment::fuzzing::file_seeds),
    ("run_footer", run::fuzzing::footer, run::fuzzing::footer_seeds),
    ("run_keys", run::fuzzing::keys, run::fuzzing::keys_seeds),
    ("run_ids", run::fuzzing::ids, run::fuzzing::ids_seeds),
    ("run_postings", run::fuzzing::postings, run::fuzzing::postings_seeds),
    ("run_file", run::fuzzing::file, run::fuzzing::file_seeds),
];
