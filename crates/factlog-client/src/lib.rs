//! An event store on another machine: [`RemoteStore`] is an [`EventStore`](factlog_core::EventStore) over gRPC.
//!
//! * It keeps the contract of the store behind the server, and gives back its very errors.
//! * **Appends** take their place in the order of calls. One that was sent and not answered is sent again, with the same
//!   event ids, over a new session that fences the old one off; so it is written once or not at all. When its deadline
//!   passes first, it is `Indeterminate` if it may have been written, else `Unavailable`: nothing was written.
//!   The answer is the one to what was sent last: it may say `deduplicated` of what this client has written itself, and of a conflict
//!   it tells what breaks the condition by then.
//! * **Reads** go on after a broken connection where they were, within the snapshot they began with.
//! * **Subscriptions** resume by themselves after the last delivery, without gap or repeat;
//!   [`RemoteStore::resumed`] counts how often that was. They end with `Unavailable` where the server stays away.
//! * Everything has a bound: appends that wait ([`HELD_APPENDS`], [`HELD_BYTES`]; one more is `Unavailable` at once),
//!   what a stream has fetched ahead (about 1.5 MiB, or two large events), the time of every call.
//!
//! Futures and streams may be polled anywhere; the work is done by tasks on the tokio runtime that
//! [`RemoteStore::open`] was called in.
//!
//! `factlogs://` connects over TLS 1.3. It trusts the authorities of the system or those in the file that `ca` names, and
//! shows the certificate that `cert` and `cert-key` name; `docs/tls.md` has the steps.
//! A key, or a token of an issuer, is shown with every call (`docs/security.md`). In a file it may be renewed while the client runs: what
//! is opened from then on shows the new one, and subscriptions that ended with the old one resume.
//!
//! # One thing to know
//!
//! [`StartFrom::End`](factlog_core::StartFrom::End) means the head at the time of the call for appends of this very
//! `RemoteStore`. What others commit between the call and its arrival at the server may be left out: wait for the first
//! [`Delivery::CaughtUp`](factlog_core::Delivery::CaughtUp) where that matters.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use factlog_client::RemoteStore;
//! use factlog_core::{Append, Event, EventStore, EventType};
//!
//! let store = RemoteStore::open("factlog://127.0.0.1:4270?deadline=10s")?;
//! let opened = Event::new(EventType::new("account.opened")?, r#"{"owner":"Ada"}"#);
//! store.append(Append::new([opened])).await?;
//! # Ok(()) }
//! ```

mod access;
mod admin;
mod batches;
mod bearer;
mod calls;
mod connect;
mod follow;
mod pipeline;
mod queue;
mod reading;
mod ready;
mod refused;
mod remote;
mod retry;
mod session;
mod target;
mod tls;
mod waiting;

pub use queue::{HELD_APPENDS, HELD_BYTES};
pub use remote::RemoteStore;
