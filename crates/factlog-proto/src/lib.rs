//! The contract on the wire: gRPC messages, what they mean, and the one table of errors.
//!
//! * [`v1`] is generated from `proto/factlog/v1`, where every message is explained.
//! * Conversions from `factlog-core` to the wire are `From`, those from the wire are `TryFrom`: total, checked against
//!   every bound, [`Invalid`](factlog_core::ErrorKind::Invalid) with what to do. No bytes make them panic.
//! * What round-trips is equal, whatever the value.
//! * [`TABLE`] is the only place where a kind of failure meets a gRPC status, an HTTP status, an exit code and a
//!   stable code; [`status_of`] and [`failure_of`] are its two directions, and inverse to each other.
//!
//! It knows no socket, no server and no client.

mod access;
mod admin;
mod append;
mod bounds;
pub mod codec;
mod conflict;
mod event;
mod query;
mod read;
mod status;
mod table;
#[cfg(test)]
mod tests;

pub use access::minted;
pub use bounds::{ANSWER_BYTES_MAX, BATCH_BYTES, ITEM_BYTES, REQUEST_BYTES_MAX};
pub use status::{failure_of, status_of, stopping};
pub use table::{DOMAIN, REJECTED, Refusal, Row, TABLE, markdown};

/// The files of package `factlog.v1` and what they import, as an encoded `google.protobuf.FileDescriptorSet`: for servers that
/// describe themselves.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/factlog.v1.descriptors"));

/// The generated messages, servers and clients of package `factlog.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    missing_debug_implementations,
    reason = "generated"
)]
#[allow(clippy::all, clippy::too_many_lines, clippy::allow_attributes_without_reason, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("factlog.v1");
}
