//! A bounded context as a service: commands and queries of an app, called over HTTP on the port of the store.
//!
//! * A [`Service`] names what can be called. `POST /app/bank/withdraw` decides and records a command, `GET /app/bank/balance`
//!   asks a read model. [`Server::mount`] puts it beside the store's own routes, behind the same TLS, keys, limits and logs.
//! * A command is [`App::execute`](factlog_app::App::execute): tried again after a lost race, done once under an `Idempotency-Key`.
//!   Its events say who called (`principal`) and in which trace (`traceparent`).
//! * Reading your own writes: the answer of a command has the header `Factlog-Position`. A query that brings it along waits until
//!   its read models have come so far, or is refused with `503` and how far they are.
//! * Who may call what is a grant of its own: `call app:bank/withdraw`. The program reads and records on its own account, so that
//!   whoever may withdraw needs no grant to append, and cannot go past the rule.
//!
//! It holds no facts and adds no promise. Inputs are bounded by the server; a name that no field has is refused, not passed over.
//!
//! ```
#![doc = include_str!("docs/service.txt")]
//! ```
//!
//! `docs/services-over-http.md` is its guide, decision 0025 says why it is so.

mod answers;
mod decode;
mod health;
mod refused;
mod service;

pub use factlog_server::{Access, Call, Server, Tls};
pub use health::health;
pub use refused::Refused;
pub use service::Service;
