//! `factlog auth`: keys and grants, on the files of a store or over its server.

mod can_i;
mod grants;
mod keys;
mod secret;

use std::future::Future;
use std::sync::Arc;

use clap::Subcommand;
use factlog_core::Result;
use factlog_core::access::{AccessControl, Principal};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::opened::Opened;
use crate::output::answer;

pub(crate) use secret::Written;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog auth keys create orders --grant 'read,append stream:orders-' --output orders.key --server factlog://127.0.0.1:4270
  factlog auth keys list --data bank.db
  factlog auth keys rotate 3f9ac01b77de --overlap 24h --output orders.key
  factlog auth keys revoke 3f9ac01b77de
  factlog auth grants set orders 'read,append stream:orders-' 'read tag:public'
  factlog auth can-i append orders-7 --as orders";

/// Keys and grants: who may read and append what
///
/// A principal (a program, a person) has grants, and shows a key to a server. A grant is one or more of read, append and admin,
/// then what it speaks of: stream:PREFIX, tag:TAG, type:TYPE; without these, of everything but the streams of the system.
/// With --data it works on the files, whose owner needs no key, while no server runs on them; with --server it takes a key
/// with the grant admin (--key-file).
#[derive(Debug, Subcommand)]
pub(crate) enum Auth {
    /// Make, list, rotate and revoke keys
    #[command(subcommand, before_help = EXAMPLES)]
    Keys(keys::Keys),
    /// Who may do what
    #[command(subcommand, before_help = EXAMPLES)]
    Grants(grants::Grants),
    /// Whether an action is allowed, and by which grant; ends with 5 where it is not
    #[command(before_help = EXAMPLES)]
    CanI(can_i::Arguments),
    /// Whose key this is, and what it allows
    #[command(before_help = EXAMPLES)]
    Whoami,
}

pub(super) fn run(auth: &Auth, context: &Context) -> Outcome {
    if let Auth::Keys(keys::Keys::Generate) = auth {
        return keys::generate(context.json);
    }
    let opened = match auth {
        Auth::Keys(keys::Keys::Create(_)) | Auth::Grants(grants::Grants::Set(_)) => context.write()?,
        Auth::Keys(_) | Auth::Grants(_) | Auth::CanI(_) | Auth::Whoami => context.look()?,
    };
    let access = access(&opened)?;
    match auth {
        Auth::Keys(keys) => keys::run(keys, &*access, context.json),
        Auth::Grants(grants) => grants::run(grants, &*access, context.json),
        Auth::CanI(arguments) => can_i::run(arguments, &*access, context.json),
        Auth::Whoami => {
            let own = done("ask whose key this is", access.whoami())?;
            answer(context.json, || document(&own), || shown(&own))
        }
    }?;
    opened.close()
}

/// The keys and grants of a store, wherever it is.
fn access(opened: &Opened) -> Outcome<Arc<dyn AccessControl>> {
    opened.access().map_err(|error| Failure::store("read the keys and grants", &error))
}

/// What came of it.
fn done<T>(doing: &str, asking: impl Future<Output = Result<T>>) -> Outcome<T> {
    pollster::block_on(asking).map_err(|error| Failure::store(doing, &error))
}

fn document(principal: &Principal) -> Value {
    let grants: Vec<String> = principal.grants.iter().map(ToString::to_string).collect();
    json!({ "principal": principal.name.as_str(), "grants": grants })
}

fn shown(principal: &Principal) -> String {
    format!("{} may: {}", principal.name, principal.grants)
}
