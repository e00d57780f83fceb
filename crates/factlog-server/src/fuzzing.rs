//! What reads requests, as functions of bytes with what must hold of it; see `factlog-fuzz`.

/// A name, the function, and real encodings to begin with, each with a name.
pub type Row = (&'static str, fn(&[u8]), fn() -> Vec<(&'static str, Vec<u8>)>);

/// Every target of the server.
pub const TARGETS: &[Row] = crate::http::fuzzing::TARGETS;
