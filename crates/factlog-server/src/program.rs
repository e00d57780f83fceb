//! Programs beside the store: what they offer to call, and how they are called. `http::app` does it over HTTP.
//!
//! * A program is trusted: it reads and appends on its own account. Whether somebody may call it is decided here, by the grants
//!   of the caller and the name of what is called; what a call may do is decided by the program's own rules.
//! * It knows no framework: `factlog-service` makes a program of an app.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use factlog_core::access::{PrincipalName, is_call_name};
use factlog_core::{BoxFuture, Error, Position, Result};

use crate::http::Problem;

/// What runs beside the store and is called by name.
pub trait Program: Debug + Send + Sync + 'static {
    /// The name of the service: 1 to 64 small letters, digits, `-` and `_`, as those of its calls.
    fn name(&self) -> &str;

    /// What can be called.
    fn offers(&self) -> Vec<Offer>;

    /// Does what is called. It is one of [`offers`](Self::offers), and the caller may.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Answer, Problem>>;
}

/// What can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: OfferKind,
}

/// What can be called by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferKind {
    /// Something that may change what is so: `POST`.
    Command,
    /// A question: `GET`.
    Query,
}

/// One call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Call {
    /// What is called.
    pub name: String,
    /// Of a command its JSON, of a query its query string, as they were sent.
    pub input: String,
    /// Who calls, where that had to be shown.
    pub principal: Option<PrincipalName>,
    /// What makes a command happen once, from `Idempotency-Key`: another one for each principal, service and command.
    pub key: Option<String>,
    /// The caller's `traceparent`, if it is a good one.
    pub traceparent: Option<String>,
    /// What the answer must have seen: the position that an earlier answer told.
    pub at_least: Option<Position>,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// JSON.
    pub json: String,
    /// What a later query has to have seen to see the effect of this command, or what this query has seen.
    pub position: Option<Position>,
    /// Whether something was recorded just now.
    pub recorded: bool,
}

/// Whether all of them can be told apart by their names.
///
/// # Errors
/// `Invalid` for a name that is none, or is there twice.
pub(crate) fn check(programs: &[Arc<dyn Program>]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for program in programs {
        let names: Vec<_> = program.offers().into_iter().map(|offer| offer.name).collect();
        for name in names.iter().map(String::as_str).chain([program.name()]) {
            if !is_call_name(name) {
                return Err(Error::invalid(format!(
                    "{name:?} is no name of a service or a call; give 1 to 64 small letters, digits, '-' and '_'"
                )));
            }
        }
        let paths = names.iter().map(|name| format!("{}/{name}", program.name()));
        for path in paths.chain([program.name().to_owned()]) {
            if let Some(twice) = seen.replace(path) {
                return Err(Error::invalid(format!("{twice} is offered twice; give each a name of its own")));
            }
        }
    }
    Ok(())
}
