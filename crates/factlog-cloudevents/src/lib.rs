//! CloudEvents 1.0 in the JSON format, one event a line: the form events come in and go out.
//!
//! | attribute | event |
//! |---|---|
//! | `id` | its id; an `id` that is no UUID becomes the UUIDv5 of (`source`, `id`) and is kept in the metadata |
//! | `type` | its type |
//! | `subject` | its stream; absent for an event in none |
//! | `datacontenttype` | its content type |
//! | `data`, `data_base64` | its data, byte for byte: JSON as it is written, text as a string, the rest in base64 |
//! | `source`, `time`, any other | a member of its metadata of the same name, value as written |
//! | `tags` | its tags, as a string that holds a JSON array |
//! | `sequence`, `recordedtime`, `storeid` | where it was recorded: not part of the event |
//! | `factlogmeta`, `factlogmetabase64` | its whole metadata, where the attributes cannot say it |
//!
//! An event without a `source` of its own goes out with `urn:factlog:<store id>`, which is not read back, or with the name
//! that its publisher goes by. Where the metadata goes out whole, what the framework keeps in it is shown under the names of
//! the CloudEvents extensions as well: `correlationid`, `causationid`, and `dataschema` for the version of the shape.
//!
//! **What goes out of a store comes in again as the same event, bit for bit**: id, type, stream, tags, content type,
//! data and metadata. That makes an export importable any number of times. Where the metadata is a flat JSON
//! object in the order and form an import would write it, its members are the attributes and there is nothing
//! else; otherwise `factlogmeta` holds all of it and the attributes only show what they can of it. What is published under
//! a name is for others to read: where its metadata goes out whole, an import refuses it, since the name would be lost.
//!
//! Nothing here does input or output, and nothing knows a store.

mod data;
mod identity;
mod incoming;
mod metadata;
mod outgoing;
#[cfg(test)]
mod tests;

pub use data::{Embedded, embed, from_base64, from_json, to_base64};
pub use incoming::{Incoming, LineError, Origin, from_line};
pub use metadata::Members;
pub use outgoing::{Source, to_line};

/// Attributes with a meaning of their own, which therefore never are members of the metadata.
const RESERVED: [&str; 11] = [
    "specversion",
    "type",
    "subject",
    "datacontenttype",
    "data",
    "tags",
    "sequence",
    "recordedtime",
    "storeid",
    "factlogmeta",
    "factlogmetabase64",
];

/// The `source` of events that have none of their own: the store they were recorded in.
fn store_source(store: uuid::Uuid) -> String {
    format!("urn:factlog:{store}")
}
