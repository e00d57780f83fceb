//! Who asks, and what they may do.
//!
//! * Keys and grants are facts in the store that is served (`facts`, `directory`, `changes`).
//! * Every request passes one layer (`layer`), which makes a [`Caller`](caller::Caller) of its credential: a key of ours, a token of
//!   an issuer (`tokens`), or the certificate of its connection. Every handler gets the store through the one
//!   [`Gate`](gate::Gate), behind a guard that decides for each event (`guarded`).
//! * What is denied cannot be told from what does not exist: reads leave it out, lists do not name it. Positions are the
//!   log's, so that gaps show that there is more.
//! * Open streams end when their credential does (`lasting`).
//! * Denials and failed authentications are events in `$server-audit` (`audit`).
//!
//! Decisions 0019 and 0024 say why it is so, `docs/security.md` how it is used.

mod audit;
mod caller;
mod changes;
mod directory;
mod facts;
mod gate;
mod guarded;
mod lasting;
mod layer;
mod lists;
mod local;
mod places;
mod secret;
mod service;
mod tokens;

pub(crate) use audit::Audit;
pub(crate) use caller::Caller;
pub use directory::{Access, FIRST_PRINCIPAL};
pub(crate) use gate::Gate;
pub(crate) use layer::authenticate;
#[cfg(feature = "fuzzing")]
pub(crate) use layer::credential;
pub(crate) use places::Places;
pub(crate) use service::Service;
pub use tokens::{TokenKeys, TokenSettings};
