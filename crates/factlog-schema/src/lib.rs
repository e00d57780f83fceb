//! The shapes of events as a file that is committed, and what a change of one means.
//!
//! * [`Lock`] is the file `events.lock`: every event with its names, its versions and the JSON Schema of each.
//! * [`compare`] holds two of them against each other: can new programs read what old ones wrote (*backward*), and
//!   old ones what new ones write (*forward*)? Each "no" names the field.
//!
//! # What it is not
//!
//! It opens no files and knows neither events as Rust types nor stores: `factlog-app` makes locks from types, the
//! command line reads them from files. It judges the JSON Schemas that `schemars` writes for serde's types; a keyword
//! outside those is only ever judged equal or not.
//!
//! # Guarantees and limits
//!
//! A verdict of *backward* is sound: data that the old shape allows, and serde would have written, is read by the new
//! one, and what it keeps is not rounded. Members a struct no longer has are passed over, as serde does. Where it
//! cannot tell, it says no and why. It compares two files only, and the shapes that lie
//! further back are in them as the versions of an event: a field that was removed and comes back with another meaning
//! two releases later needs a new name.
//!
//! # Example
//!
//! ```
//! use factlog_schema::{Event, Lock, Shape, Verdict, compare};
//! use serde_json::json;
//!
//! let shape = |required| Shape::same(&json!({
//!     "type": "object",
//!     "properties": { "zip": { "type": "string" } },
//!     "required": required,
//! }));
//! let old = Lock::new([Event::new("customer.moved", 1, shape(json!([])))])?;
//! let new = Lock::new([Event::new("customer.moved", 1, shape(json!(["zip"])))])?;
//! let changes = compare(&old, &new);
//! assert_eq!(changes.verdict(), Verdict::Forward);
//! assert_eq!(changes.events[0].backward[0].to_string(), "zip: it was optional or had a default, and is required now");
//! # Ok::<(), factlog_schema::LockError>(())
//! ```

mod canonical;
mod compare;
mod fits;
mod lock;
mod shape;

pub use compare::{Change, Comparison, EventChange, Problem, Verdict, compare};
pub use lock::{Event, Lock, LockError, Shape};
