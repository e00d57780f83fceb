//! `#[derive(Event)]` and `#[derive(EventSet)]`: what the framework must know of a type, written down once.
//!
//! Every mistake is reported at the user's own token with what to write instead. These macros only write trait
//! implementations; they know nothing of stores. Both are documented where they are re-exported, at the traits.

mod attributes;
mod event;
mod event_set;
mod split;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Event` for a struct: `#[event(name = "account.opened", tags(account = account_id))]`.
///
/// Attributes: `name`, `version`, `tags(...)`, `stream`, `renamed_from(...)`, `upcast(...)`, `split_from(...)`,
/// `crate`; see the trait.
#[proc_macro_derive(Event, attributes(event))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event::expand(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}

/// Implements `EventSet` for an enum with one event in each variant, and `From` for each of them.
///
/// Attribute: `#[event_set(crate = path)]` where the framework is not at `::factlog`.
#[proc_macro_derive(EventSet, attributes(event_set))]
pub fn derive_event_set(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event_set::expand(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}
